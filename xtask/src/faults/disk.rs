//! Disks that hang: file systems of a home's own, where this machine lets them be had (root, loop devices,
//! FUSE).
//!
//! What lies under the state and under the segments is frozen (FIFREEZE), so that every write and every sync
//! waits, in the kernel, where no signal reaches it. What programs are executed from is covered by a file
//! system whose server never answers.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use abide_e2e::{skip, wait};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// What hangs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    State,
    Segments,
    Programs,
}

impl Place {
    pub const ALL: [Self; 3] = [Self::State, Self::Segments, Self::Programs];

    pub fn told(self) -> &'static str {
        match self {
            Self::State => "disk under the state",
            Self::Segments => "disk under the segments",
            Self::Programs => "disk under the programs",
        }
    }
}

/// The file systems of one home. Unmounted at its end.
pub struct Disks {
    state: PathBuf,
    logs: PathBuf,
    programs: PathBuf,
    frozen: Option<PathBuf>,
    /// Its server, which says nothing.
    silent: Option<File>,
}

impl Disks {
    /// Tries it. Errors: why no home can be given such disks, in words.
    pub fn can_be_had() -> Result<(), String> {
        let made = tempfile::tempdir();
        let dir = made.map_err(|error| format!("cannot make a folder: {error}"))?;
        let programs = dir.path().join("tools");
        let made = fs::create_dir(&programs);
        made.map_err(|error| format!("cannot make {}: {error}", programs.display()))?;
        let mut disks = Self::make(dir.path(), dir.path(), &programs)?;
        for place in Place::ALL {
            disks.hang(place)?;
            disks.thaw();
        }
        Ok(())
    }

    /// Errors: why there are none, in words.
    pub fn make(folder: &Path, home: &Path, programs: &Path) -> Result<Self, String> {
        if !skip::is_root() {
            return Err("mounting needs root".into());
        }
        let disks = Self {
            state: home.join("state"),
            logs: home.join("logs"),
            programs: programs.to_owned(),
            frozen: None,
            silent: None,
        };
        for (place, size) in [(&disks.state, "64M"), (&disks.logs, "512M")] {
            let failed = |error| format!("cannot make {}: {error}", place.display());
            fs::create_dir_all(place).map_err(failed)?;
            let name = place.file_name().unwrap_or_default().to_string_lossy();
            let (image, place) = (folder.join(format!("{name}.img")), place.display());
            let image = image.display();
            sh(&format!(
                "truncate -s {size} {image}; mkfs.ext4 -q -F -E lazy_itable_init=1 {image}; \
                 mount -o loop {image} {place}; rmdir {place}/lost+found"
            ))?;
        }
        Ok(disks)
    }

    pub fn hang(&mut self, place: Place) -> Result<(), String> {
        match place {
            Place::State => self.freeze(self.state.clone()),
            Place::Segments => self.freeze(self.logs.clone()),
            Place::Programs => self.cover(),
        }
    }

    fn freeze(&mut self, place: PathBuf) -> Result<(), String> {
        sh(&format!("fsfreeze -f {}", place.display()))?;
        self.frozen = Some(place);
        Ok(())
    }

    fn cover(&mut self) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot mount a silent file system: {error}");
        let server = OpenOptions::new().read(true).write(true).open("/dev/fuse");
        let server = server.map_err(failed)?;
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0,allow_other",
            server.as_raw_fd()
        );
        let options = CString::new(options).map_err(|error| failed(error.into()))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("silent", &self.programs, "fuse", flags, Some(&*options))
            .map_err(|error| failed(error.into()))?;
        self.silent = Some(server);
        Ok(())
    }

    /// All of them answer again.
    pub fn thaw(&mut self) {
        if let Some(place) = self.frozen.take()
            && let Err(why) = sh(&format!("fsfreeze -u {}", place.display()))
        {
            eprintln!("{why}");
        }
        if let Some(server) = self.silent.take() {
            // Whoever waits is told that there is no such file system any more.
            drop(server);
            if let Err(error) = unmount(&self.programs, UnmountFlags::DETACH) {
                eprintln!("cannot unmount {}: {error}", self.programs.display());
            }
        }
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        self.thaw();
        for place in [&self.state, &self.logs] {
            let gone = || match unmount(place, UnmountFlags::empty()) {
                // Not mounted.
                Err(rustix::io::Errno::INVAL) | Ok(()) => Some(()),
                Err(_) => None,
            };
            if wait::try_until("it can be unmounted", Duration::from_secs(10), gone).is_err() {
                let _ = unmount(place, UnmountFlags::DETACH);
            }
        }
    }
}

fn sh(line: &str) -> Result<(), String> {
    let output = Command::new("sh").args(["-ec", line]).output();
    let output = output.map_err(|error| format!("cannot run sh: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("cannot `{line}`: {}", said.trim()))
    }
}
