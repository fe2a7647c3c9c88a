//! What this machine is short of, and whether a home is in order.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::finding::{Check, Finding};

/// A machine is full before the last piece is used.
const FULL_PERCENT: u64 = 90;

/// What abide and its units cannot work with.
const FEW_FILES: u64 = 256;
const LITTLE_DISK: u64 = 16 << 20;
const LITTLE_MEMORY: u64 = 32 << 20;

/// What programs may still ask for, before starts fail.
const LITTLE_COMMIT: u64 = 128 << 20;

/// A home with a longer path, in units of UTF-16, leaves less than 60 for names of units and logs.
const LONG_HOME: usize = 200;

/// A clock that differs so much from what was written earlier was set back.
const A_DAY: u64 = 86_400;

/// What was read of the machine and of a home.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Machine {
    /// The home.
    pub home: PathBuf,
    /// The longest name, in bytes, that the socket in it may have; `None`: there is no socket in a home here.
    pub socket: Option<usize>,
    /// Whether Windows lets programs that are prepared for it use long paths; `None`: no such limit, or it is not known.
    pub long_paths: Option<bool>,
    /// Its folder, if it is there.
    pub home_folder: Option<Folder>,
    /// The disk that the home is on, or will be.
    pub disk: Option<Disk>,
    /// What the clock says.
    pub clock: Clock,
    /// The kernel's limits.
    pub kernel: Kernel,
}

/// Whose a home is, and who may write to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Folder {
    /// By numbers.
    Modes {
        /// Permissions, `0o7777`.
        mode: u32,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// By an access list.
    List {
        /// Whose it is, if neither who asks nor the machine.
        other_owner: Option<String>,
        /// Who else may write to it, but the machine's administrators.
        changers: Vec<String>,
    },
}

/// A file system.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Disk {
    /// Bytes that are left for this account.
    pub free: u64,
    /// Files that can still be made; `None`: as many as there is room for.
    pub free_files: Option<u64>,
    /// Nothing can be written.
    pub read_only: bool,
    /// It lies on another machine: its name.
    pub network: Option<String>,
}

/// Seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Clock {
    /// Now.
    pub now: u64,
    /// The latest that something was written which the clock of this machine dated.
    pub newest: u64,
}

/// What the kernel and this process's limits allow. `None`: it could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kernel {
    /// How many files a process may open: soft and hard; `None`: any number.
    pub open_files: (Option<u64>, Option<u64>),
    /// How large a file may be that a process writes; `None`: any size.
    pub file_size: Option<u64>,
    /// Open files of the whole machine.
    pub files: Option<Use>,
    /// Threads of the whole machine.
    pub threads: Option<Use>,
    /// Processes of this process's control group.
    pub group_processes: Option<Use>,
    /// Memory: bytes that are available, and all of it.
    pub memory: Option<(u64, u64)>,
    /// Memory that programs have asked for, and as much as they may, where that is limited.
    pub commit: Option<Use>,
    /// Watchers of files that this account may have.
    pub inotify_instances: Option<u64>,
    /// None of them is left.
    pub inotify_used_up: bool,
    /// `v2`, `v1`, or none.
    pub control_groups: Option<&'static str>,
}

/// How much of something is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Use {
    /// So much.
    pub used: u64,
    /// Of so much.
    pub of: u64,
}

impl Use {
    fn nearly_full(self) -> bool {
        self.of > 0 && self.used.saturating_mul(100) / self.of >= FULL_PERCENT
    }
}

/// All that is wrong with it.
#[must_use]
pub fn judge(machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    home(machine, &mut findings);
    clock(machine.clock, &mut findings);
    kernel(&machine.kernel, &mut findings);
    super::judge::in_order(findings)
}

fn home(machine: &Machine, findings: &mut Vec<Finding>) {
    let home = &machine.home;
    let shown = home.display();
    let fault = |check, what: String, fix: String| Finding::fault(check, what, fix).about(home);
    let socket = home.join("abide.sock").as_os_str().len();
    if let Some(most) = machine.socket.filter(|most| socket > *most) {
        findings.push(fault(
            Check::Home,
            format!(
                "the path of the home, {shown}, is too long for the socket in it, by {} bytes",
                socket - most
            ),
            "name a shorter one with --home".to_owned(),
        ));
    }
    let length = home.to_string_lossy().encode_utf16().count();
    if machine.long_paths == Some(false) && length > LONG_HOME {
        findings.push(
            Finding::warning(
                Check::Home,
                format!("the path of the home, {shown}, has {length} characters: with names of units and logs it has more than the 259 that most programs can open"),
                "name a shorter one with --home, or set LongPathsEnabled (HKLM\\SYSTEM\\CurrentControlSet\\Control\\FileSystem) to 1",
            )
            .about(home),
        );
    }
    match &machine.home_folder {
        Some(Folder::Modes { mode, owner, user }) => {
            by_modes(home, (*mode, *owner, *user), findings);
        }
        Some(Folder::List {
            other_owner,
            changers,
        }) => by_list(home, other_owner.as_deref(), changers, findings),
        None => {}
    }
    disk(machine, findings);
}

fn by_modes(home: &Path, (mode, owner, user): (u32, u32, u32), findings: &mut Vec<Finding>) {
    let shown = home.display();
    let mut fault = |what: String, fix: String| {
        findings.push(Finding::fault(Check::Home, what, fix).about(home))
    };
    if mode & 0o002 != 0 {
        fault(
            format!(
                "the home, {shown}, can be written to by everyone ({mode:04o}): they decide what abide runs"
            ),
            format!("`chmod o-w {shown}`"),
        );
    }
    if owner != user && owner != 0 && user != 0 {
        fault(
            format!("the home, {shown}, belongs to another account ({owner})"),
            "run abide as that one, or name another home with --home".to_owned(),
        );
    } else if owner != user && user == 0 {
        fault(
            format!(
                "the home, {shown}, belongs to account {owner}, who decides what this root's abide runs"
            ),
            format!("run abide as that one, or `chown -R root {shown}`"),
        );
    }
}

fn by_list(home: &Path, owner: Option<&str>, changers: &[String], findings: &mut Vec<Finding>) {
    let shown = home.display();
    let mut fault = |what: String, fix: String| {
        findings.push(Finding::fault(Check::Home, what, fix).about(home))
    };
    if let Some(owner) = owner {
        fault(
            format!("the home, {shown}, belongs to another account ({owner})"),
            "run abide as that one, or name another home with --home".to_owned(),
        );
    }
    if !changers.is_empty() {
        fault(
            format!(
                "the home, {shown}, can be written to by {}: they decide what abide runs",
                changers.join(", ")
            ),
            format!(
                "`icacls \"{shown}\"` shows who may; or name as --home a folder that is not there yet, which is then made for you alone"
            ),
        );
    }
}

fn disk(machine: &Machine, findings: &mut Vec<Finding>) {
    let home = &machine.home;
    let shown = home.display();
    let fault = |check, what: String, fix: String| Finding::fault(check, what, fix).about(home);
    let Some(disk) = &machine.disk else { return };
    if disk.read_only {
        findings.push(fault(
            Check::Disk,
            format!("the disk of the home, {shown}, can only be read"),
            "let it be written to (`mount -o remount,rw`, `diskpart`), or name another home"
                .to_owned(),
        ));
    } else if disk.free < LITTLE_DISK || disk.free_files.is_some_and(|files| files < 100) {
        let left = match disk.free_files {
            Some(files) if files < 100 => format!("room for {files} files"),
            _ => format!("{} KiB", disk.free >> 10),
        };
        findings.push(fault(
            Check::Disk,
            format!(
                "{left} are left on the disk of the home, {shown}: output of programs will be lost"
            ),
            "make room there, or bound logs with `log.max_size` and `log.keep`".to_owned(),
        ));
    }
    if let Some(kind) = &disk.network {
        findings.push(
            Finding::warning(
                Check::Disk,
                format!("the home, {shown}, lies on another machine's disk ({kind}): when that is away, abide waits"),
                "name a home on a disk of this machine with --home",
            )
            .about(home),
        );
    }
}

fn clock(clock: Clock, findings: &mut Vec<Finding>) {
    if clock.now + A_DAY < clock.newest {
        findings.push(Finding::fault(
            Check::Clock,
            format!(
                "the clock is {} days behind what was written on this machine before",
                (clock.newest - clock.now) / A_DAY
            ),
            "set it (`timedatectl set-ntp true`, `date -s`; `w32tm /resync`): times in logs and schedules are wrong until then",
        ));
    }
}

fn kernel(kernel: &Kernel, findings: &mut Vec<Finding>) {
    if let (_, Some(hard)) = kernel.open_files
        && hard < FEW_FILES
    {
        findings.push(Finding::fault(
            Check::OpenFiles,
            format!("a process may open {hard} files at most (hard limit): abide needs about 50, and two for each unit"),
            "raise it: `ulimit -Hn` in the shell, LimitNOFILE= in a systemd unit, /etc/security/limits.conf for logins",
        ));
    }
    if let Some(size) = kernel.file_size {
        findings.push(Finding::warning(
            Check::OpenFiles,
            format!("files that a process writes may have {size} bytes at most (RLIMIT_FSIZE)"),
            "raise it (`ulimit -f unlimited`), or keep `log.max_size` below it",
        ));
    }
    let full = [
        (
            Check::OpenFiles,
            kernel.files,
            "open files of this machine",
            "`sysctl fs.file-max` raises the limit",
        ),
        (
            Check::Processes,
            kernel.threads,
            "threads of this machine",
            "`sysctl kernel.threads-max` and `kernel.pid_max` raise the limit",
        ),
        (
            Check::Processes,
            kernel.group_processes,
            "processes of this control group",
            "raise its `pids.max` (TasksMax= of a systemd unit)",
        ),
    ];
    for (check, figure, what, fix) in full {
        if let Some(figure) = figure.filter(|figure| figure.nearly_full()) {
            findings.push(Finding::fault(
                check,
                format!("{} of {} {what} are used", figure.used, figure.of),
                fix,
            ));
        }
    }
    if kernel.inotify_used_up {
        findings.push(Finding::fault(
            Check::Inotify,
            format!(
                "none of the {} inotify instances of this account is left: programs cannot watch files",
                kernel.inotify_instances.unwrap_or_default()
            ),
            "`sysctl fs.inotify.max_user_instances` raises the limit; `find /proc/*/fd -lname anon_inode:inotify` shows who has them",
        ));
    }
    if let Some(commit) = kernel.commit
        && commit.of.saturating_sub(commit.used) < LITTLE_COMMIT
    {
        findings.push(Finding::warning(
            Check::Memory,
            format!(
                "{} MiB of {} MiB that programs may ask for are left, page files counted: starts begin to fail",
                commit.of.saturating_sub(commit.used) >> 20,
                commit.of >> 20
            ),
            "end something, or make the page file larger",
        ));
    }
    if let Some((available, all)) = kernel.memory
        && available < LITTLE_MEMORY
    {
        findings.push(Finding::warning(
            Check::Memory,
            format!(
                "{} MiB of {} MiB of memory are left",
                available >> 20,
                all >> 20
            ),
            "end something, or bound units with `limits.memory`",
        ));
    }
}
