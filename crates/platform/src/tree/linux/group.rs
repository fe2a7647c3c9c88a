//! Control groups (cgroup v2), where this process may make some.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use abide_model::UnitId;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::room;
use crate::kernel_file;
use crate::limits::Controller;

/// The group of a home; units have theirs in it.
#[derive(Debug)]
pub(super) struct HomeGroup {
    path: PathBuf,
    /// Keeps two workers from making room at once.
    providing: Mutex<()>,
    /// The memory of units is counted: some unit has, or had, a limit.
    memory: AtomicBool,
}

impl HomeGroup {
    /// Makes the group of a home. Errors: why there is none, in words.
    pub(super) fn make(home: u64) -> Result<Self, String> {
        let parents = parents()?;
        let mut reason = String::new();
        for parent in parents {
            let path = parent.join(format!("abide-{home:05x}"));
            match make_directory(&path).and_then(|()| usable(&path)) {
                Ok(()) => {
                    return Ok(Self {
                        memory: AtomicBool::new(room::is_passed_on(&path, Controller::Memory)),
                        path,
                        providing: Mutex::default(),
                    });
                }
                Err(e) => reason = format!("{}: {e}", path.display()),
            }
        }
        if !rustix::process::geteuid().is_root() {
            reason.push_str(
                "; an ordinary user has groups where they are delegated: \
                 `systemd-run --user --scope -p Delegate=yes abide up`",
            );
        }
        Err(reason)
    }

    /// A folder that looks like the group of a home.
    #[cfg(test)]
    pub(super) fn like(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            providing: Mutex::default(),
            memory: AtomicBool::new(false),
        }
    }

    /// Has this controller in the groups of units. Errors: why it cannot be had, in words.
    pub(super) fn provide(&self, controller: Controller) -> Result<(), String> {
        let _one = self
            .providing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        room::provide(&self.path, controller)?;
        if controller == Controller::Memory {
            self.memory.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether groups of units may have this controller. Not looked up each time: it is asked at each exit.
    pub(super) fn may_count(&self, controller: Controller) -> bool {
        controller != Controller::Memory || self.memory.load(Ordering::Relaxed)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The group of this name in it.
    pub(super) fn slot(&self, slot: &str) -> PathBuf {
        self.path.join(slot)
    }

    /// The groups of auxiliary commands that are there, with the unit, the number and the name of each.
    pub(super) fn auxiliaries(&self) -> Vec<(UnitId, u32, String)> {
        let entries = std::fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten();
        entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let mut parts = name.strip_prefix("aux-")?.splitn(3, '-');
                let unit = UnitId(parts.next()?.parse().ok()?);
                let n = parts.next()?.parse().ok()?;
                Some((unit, n, name))
            })
            .collect()
    }

    /// Makes a fresh group for a unit's next run: its counters begin at zero, it has no limits yet, and
    /// it was never killed. (Linux 6.13 and later end a child that is cloned into a group that was
    /// ever killed: they compare the count of kills with that of the group that the parent is in.)
    /// False: what an earlier run left in it could not be removed, and it is the old one.
    ///
    /// `made`: it was made ahead, for this run.
    pub(super) fn enter(&self, path: &Path, made: bool) -> io::Result<(OwnedFd, bool)> {
        if made && let Ok(group) = open(path) {
            return Ok((group, true));
        }
        let mut fresh = true;
        match std::fs::create_dir(path) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                remove(path);
                fresh = !path.exists();
                make_directory(path)?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // Somebody has tidied up.
                make_directory(&self.path)?;
                make_directory(path)?;
            }
            Err(e) => return Err(e),
        }
        match open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // Taken for what the run before the last left, at this instant.
                make_directory(path)?;
                Ok((open(path)?, true))
            }
            group => Ok((group?, fresh)),
        }
    }

    /// Removes a group of this name. One that is not empty stays.
    pub(super) fn discard(&self, slot: &str) {
        remove(&self.slot(slot));
    }

    /// Removes everything that is empty.
    pub(super) fn remove(&self) {
        room::give_back(&self.path);
        remove(&self.path);
    }
}

/// Removes a group and those in it, as far as they are empty.
pub(super) fn remove(path: &Path) {
    // Mostly there is none in it, and to list what is would cost more than to remove it.
    if std::fs::remove_dir(path).is_ok() {
        return;
    }
    // Groups that programs have made inside theirs first.
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    // What is not empty stays, and is found again.
    let _ = std::fs::remove_dir(path);
}

/// Makes a group, if it is not there.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(openat(CWD, path, flags, Mode::empty())?)
}

/// To move a process into a group one must be allowed to write `cgroup.procs` of it, and of the
/// nearest group above both (cgroups(7)): an ordinary user may make a group in a place of its own and
/// still not be able to.
fn usable(path: &Path) -> io::Result<()> {
    let writable = |path: PathBuf| -> io::Result<()> {
        Ok(rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?)
    };
    writable(path.join("cgroup.procs"))?;
    if !rustix::process::geteuid().is_root() {
        let parent = path.parent().unwrap_or(path);
        writable(parent.join("cgroup.procs"))?;
    }
    Ok(())
}

/// Where a home's group may be made, best first.
fn parents() -> Result<Vec<PathBuf>, String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").map_err(|e| e.to_string())?;
    let mount = mounts.lines().find_map(|line| {
        // proc_pid_mountinfo(5): root is field 4, the mount point field 5; the type follows " - ".
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        after
            .starts_with("cgroup2 ")
            .then(|| (root.to_owned(), PathBuf::from(point)))
    });
    let (root, point) = mount.ok_or("this system has no cgroup v2 mounted")?;
    let own = std::fs::read_to_string("/proc/self/cgroup").map_err(|e| e.to_string())?;
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap_or("/");
    let inside = Path::new(own).strip_prefix(&root).unwrap_or(Path::new(""));
    let own = room::before_the_move(point.join(inside));
    let nested = own.ancestors().any(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("abide-"))
    });
    if nested {
        // Below the unit of the abide that runs us, so that it still ends everything of its unit.
        return Ok(vec![own]);
    }
    if rustix::process::geteuid().is_root() && !delegated(&own) {
        // Not in a session's or a service's group, which its manager may empty at any time.
        return Ok(vec![point, own]);
    }
    Ok(vec![own])
}

/// Given to us by systemd (`Delegate=yes`), which marks it so.
fn delegated(path: &Path) -> bool {
    let mut value = [0_u8; 8];
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        rustix::fs::getxattr(path, *name, &mut value[..]).is_ok_and(|n| n > 0 && value[0] == b'1')
    })
}

/// Processes directly in this group.
pub(super) fn members(path: &Path) -> Vec<u32> {
    let text = kernel_file::text(&path.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Processes in this group and in those that programs have made below it.
pub(super) fn all_members(path: &Path) -> Vec<u32> {
    let mut all = members(path);
    // A directory of the kernel's has a link for itself, one in its parent and one for each directory in it.
    if rustix::fs::stat(path).is_ok_and(|stat| stat.st_nlink == 2) {
        return all;
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(all_members(&entry.path()));
        }
    }
    all
}

/// Whether `/proc/PID/cgroup` tells of a process in this group, or below it. By the names of the unit's
/// and the home's group: what is above them looks different from inside a cgroup namespace.
pub(super) fn is_below(group: &Path, text: &str) -> bool {
    let mut names = group.iter().rev();
    let (Some(unit), Some(home)) = (names.next(), names.next()) else {
        return false;
    };
    // hierarchy:controllers:path (cgroups(7))
    let paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.map(Path::new).any(|path| {
        let names: Vec<_> = path.iter().collect();
        names.windows(2).any(|pair| pair == [home, unit])
    })
}

/// No living process is in it, or below it. A group that is gone is empty.
pub(super) fn is_empty(path: &Path) -> bool {
    look(path).0
}

/// Whether it is empty, and a descriptor that tells of the next change (POLLPRI).
pub(super) fn look(path: &Path) -> (bool, Option<File>) {
    // Two short lines, of which the kernel gives all at once.
    let mut text = [0_u8; 256];
    let read = File::open(path.join("cgroup.events"))
        .and_then(|mut file| file.read(&mut text).map(|read| (read, file)));
    match read {
        Ok((read, file)) => {
            let mut lines = text.get(..read).unwrap_or(&[]).split(|byte| *byte == b'\n');
            (lines.any(|line| line == b"populated 0"), Some(file))
        }
        Err(e) => {
            let gone =
                e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ENODEV);
            (gone, None)
        }
    }
}

/// Ends everything in it at once (Linux 5.14). False: this kernel cannot.
pub(super) fn kill(path: &Path) -> bool {
    match std::fs::write(path.join("cgroup.kill"), "1") {
        Ok(()) => true,
        // No file to write: an older kernel. No directory: nothing to kill.
        Err(e) => e.kind() != io::ErrorKind::PermissionDenied && !path.exists(),
    }
}
