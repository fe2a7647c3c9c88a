#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use abide_model::{ExitStatus, Signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{Identity, Probe, Record};
use crate::clock::boot;
use crate::exit::from_wait_status;
use crate::kernel_file;

/// A hold on one process that never means another one, where the kernel has pidfds (5.3 and later);
/// else its identity, compared anew before each use. The same after [`Handle::let_go`], by a pidfd.
#[derive(Debug)]
pub struct Handle {
    identity: Identity,
    pidfd: Option<OwnedFd>,
}

impl Handle {
    /// A hold on the process that has this number now.
    ///
    /// # Errors
    /// `ESRCH` when there is none, or when it has ended.
    pub fn open(pid: u32) -> io::Result<Self> {
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let pidfd = match open(pid) {
            Ok(fd) => Some(fd),
            Err(e) if matches!(e.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => None,
            // EINVAL: the number of a thread.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => return Err(gone()),
            Err(e) => return Err(e),
        };
        let handle = Self::new(identity_of(pid, pidfd.as_ref().map(AsFd::as_fd)), pidfd);
        if handle.alive() {
            Ok(handle)
        } else {
            Err(gone())
        }
    }

    pub(crate) fn new(identity: Identity, pidfd: Option<OwnedFd>) -> Self {
        Self { identity, pidfd }
    }

    /// Which process.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Readable once the process ended. `None` on kernels without pidfds, and after [`Handle::let_go`].
    #[must_use]
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// To wait for its end. `None`: there is no such thing on this kernel, or it was let go of.
    #[must_use]
    pub fn waitable(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd()
    }

    /// Holds no pidfd any more, to spare the descriptor: from now on one is opened, and compared, for
    /// each use. For a process whose end somebody else tells.
    pub fn let_go(&mut self) {
        self.pidfd = None;
    }

    /// A pidfd of this process, opened for this moment; `None`: there are none on this kernel.
    ///
    /// # Errors
    /// `ESRCH` when it is gone; no descriptor is to be had.
    fn opened(&self) -> io::Result<Option<OwnedFd>> {
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let pidfd = match open(self.identity.pid) {
            Ok(pidfd) => pidfd,
            Err(e) => {
                return match e.raw_os_error() {
                    Some(libc::ENOSYS | libc::EPERM) => Ok(None),
                    Some(libc::EINVAL) => Err(gone()),
                    _ => Err(e),
                };
            }
        };
        let same = match (self.identity.inode, inode(pidfd.as_fd())) {
            (Some(then), Some(now)) => then == now,
            _ => same_by_start_time(&self.identity),
        };
        if same { Ok(Some(pidfd)) } else { Err(gone()) }
    }

    /// It has not ended.
    #[must_use]
    pub fn alive(&self) -> bool {
        if let Some(fd) = &self.pidfd {
            return !ended(fd.as_fd());
        }
        match self.opened() {
            Ok(Some(fd)) => !ended(fd.as_fd()),
            Ok(None) => {
                same_by_start_time(&self.identity)
                    && stat(self.identity.pid).is_some_and(|s| !matches!(s.state, b'Z' | b'X'))
            }
            // Without a descriptor nobody can tell; its end will be told.
            Err(error) => error.raw_os_error() != Some(libc::ESRCH),
        }
    }

    /// Sends a signal to this process alone.
    ///
    /// # Errors
    /// `ESRCH` when it is gone, `EPERM` when it may not be signalled.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if let Some(fd) = &self.pidfd {
            return send_through(fd.as_fd(), signal);
        }
        if let Some(fd) = self.opened()? {
            return send_through(fd.as_fd(), signal);
        }
        if !same_by_start_time(&self.identity) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let pid = i32::try_from(self.identity.pid).unwrap_or(0);
        if pid <= 0 {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        // SAFETY: kill takes numbers only; pid is positive, so it names one process.
        if unsafe { libc::kill(pid, signal.0) } == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

pub(crate) fn send_through(pidfd: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
    // SAFETY: pidfd_send_signal(2) takes numbers and a null pointer for "as kill would".
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal.0,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Opens a process. Also works for one that has ended and was not reaped.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

pub(crate) fn ended(pidfd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    matches!(poll(&mut fds, Some(&at_once)), Ok(n) if n > 0)
}

/// The inode of a pidfd, where each process has one of its own: on pidfs. Before Linux 6.9 all pidfds
/// are one anonymous inode.
pub(crate) fn inode(pidfd: BorrowedFd<'_>) -> Option<u64> {
    const PID_FS_MAGIC: i64 = 0x5049_4446; // linux/magic.h
    static PIDFS: OnceLock<bool> = OnceLock::new();
    let pidfs = *PIDFS.get_or_init(|| {
        rustix::fs::fstatfs(pidfd).is_ok_and(|s| i128::from(s.f_type) == i128::from(PID_FS_MAGIC))
    });
    if !pidfs {
        return None;
    }
    rustix::fs::fstat(pidfd).ok().map(|s| s.st_ino)
}

/// Pidfds have inodes of their own here.
pub(crate) fn inodes_tell() -> bool {
    static TELL: OnceLock<bool> = OnceLock::new();
    *TELL.get_or_init(|| open(std::process::id()).is_ok_and(|fd| inode(fd.as_fd()).is_some()))
}

/// What `/proc/PID/stat` says (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub state: u8,
    pub parent: i32,
    pub session: i32,
    /// utime + stime + cutime + cstime, in clock ticks.
    pub ticks: u64,
    pub threads: i64,
    pub start: u64,
    /// Pages.
    pub resident: u64,
    /// Field 52; 0 also when we may not see it.
    pub exit: i32,
}

pub(crate) fn stat(pid: u32) -> Option<Stat> {
    look(pid).ok().flatten()
}

/// The same, telling "there is no such process" from "it cannot be looked at".
fn look(pid: u32) -> io::Result<Option<Stat>> {
    match kernel_file::bytes(Path::new(&format!("/proc/{pid}/stat"))) {
        Ok(text) => Ok(parse_stat(&text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        // It ended while it was read.
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(e) => Err(e),
    }
}

pub(crate) fn parse_stat(text: &[u8]) -> Option<Stat> {
    // The name, in parentheses, may hold anything, parentheses and blanks too: its end is the last one.
    let end = text.iter().rposition(|b| *b == b')')?;
    let text = std::str::from_utf8(text.get(end + 2..)?).ok()?;
    let mut stat = Stat {
        state: 0,
        parent: 0,
        session: 0,
        ticks: 0,
        threads: 0,
        start: 0,
        resident: 0,
        exit: 0,
    };
    // The state is field 3.
    for (field, word) in text
        .split_ascii_whitespace()
        .enumerate()
        .map(|(i, w)| (i + 3, w))
    {
        match field {
            3 => stat.state = *word.as_bytes().first()?,
            4 => stat.parent = word.parse().ok()?,
            6 => stat.session = word.parse().ok()?,
            14..=17 => stat.ticks = stat.ticks.saturating_add(word.parse().unwrap_or(0)),
            20 => stat.threads = word.parse().ok()?,
            22 => stat.start = word.parse().ok()?,
            24 => stat.resident = word.parse().unwrap_or(0),
            52 => stat.exit = word.parse().unwrap_or(0),
            _ => {}
        }
    }
    (stat.start != 0 || stat.state != 0).then_some(stat)
}

fn same_by_start_time(identity: &Identity) -> bool {
    match (identity.start, stat(identity.pid)) {
        (Some(start), Some(now)) => start == now.start,
        (None, Some(_)) => identity.inode.is_none(),
        (_, None) => false,
    }
}

/// Who this process is now. `None`: there is none of that number.
#[must_use]
pub fn identify(pid: u32) -> Option<Identity> {
    let identity = identity_of(pid, open(pid).ok().as_ref().map(AsFd::as_fd));
    (identity.inode.is_some() || identity.start.is_some()).then_some(identity)
}

fn identity_of(pid: u32, pidfd: Option<BorrowedFd<'_>>) -> Identity {
    Identity {
        pid,
        boot: boot(),
        inode: pidfd.and_then(inode),
        start: stat(pid).map(|s| s.start),
    }
}

/// The parent of a process: who reaps it, unless it ends before. `None`: there is no such process.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid).and_then(|stat| u32::try_from(stat.parent).ok())
}

/// Finds a recorded process again. What differs is not ours.
#[must_use]
pub fn probe(record: &Record) -> Probe {
    let recorded = record.process;
    if recorded.boot != boot() {
        return Probe::Gone(None);
    }
    let pidfd = match open(recorded.pid) {
        Ok(fd) => Ok(fd),
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => return Probe::Gone(None),
        Err(e) => Err(e), // no pidfds here, or none just now
    };
    let now_inode = pidfd.as_ref().ok().and_then(|fd| inode(fd.as_fd()));
    let same = match (recorded.inode, now_inode) {
        (Some(then), Some(now)) => then == now,
        _ => {
            let now = match look(recorded.pid) {
                Ok(Some(stat)) => stat,
                Ok(None) => return Probe::Gone(None),
                Err(error) => return Probe::Doubtful(error),
            };
            match (recorded.start, pidfd.as_ref().err()) {
                (Some(start), _) => start == now.start,
                // There is nothing to compare but what cannot be had.
                (None, Some(error)) if recorded.inode.is_some() => {
                    let again = error.raw_os_error().unwrap_or(libc::EMFILE);
                    return Probe::Doubtful(io::Error::from_raw_os_error(again));
                }
                (None, _) => recorded.inode.is_none(),
            }
        }
    };
    if !same {
        return Probe::NotOurs;
    }
    let pidfd = pidfd.ok();
    let handle = Handle::new(recorded, pidfd);
    if handle.alive() {
        Probe::Alive(handle)
    } else {
        Probe::Gone(exit_of_stranger(&handle))
    }
}

/// How a process ended that is not our child, where that can be known: from its pidfd once it was
/// reaped (`PIDFD_GET_INFO`, Linux 6.15), before that from `/proc/PID/stat`. `None`: it lives, or
/// nobody can tell.
#[must_use]
pub fn exit_of_stranger(handle: &Handle) -> Option<ExitStatus> {
    // Known of one that was reaped, so of none that lives.
    if let Some(status) = handle.pidfd().and_then(exit_info) {
        return Some(from_wait_status(status));
    }
    if handle.alive() {
        return None;
    }
    let pid = handle.identity.pid;
    let zombie = stat(pid).filter(|s| s.state == b'Z')?;
    if handle
        .identity
        .start
        .is_some_and(|start| start != zombie.start)
        || !may_see_exit(pid)
    {
        return None;
    }
    // Reaped and gone in between, and the number given to another: then it is not a zombie of ours.
    Some(from_wait_status(zombie.exit))
}

/// Field 52 of a process of another user is shown as 0 (proc_pid_stat(5)).
fn may_see_exit(pid: u32) -> bool {
    use std::os::unix::fs::MetadataExt;
    let me = rustix::process::geteuid().as_raw();
    me == 0 || std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|m| m.uid() == me)
}

fn exit_info(pidfd: BorrowedFd<'_>) -> Option<i32> {
    // linux/pidfd.h
    #[repr(C)]
    #[derive(Default)]
    struct PidfdInfo {
        mask: u64,
        cgroup: u64,
        numbers: [u32; 11],
        exit_code: i32,
        rest: [u32; 2],
    }
    const SIZE: usize = 72;
    const EXIT: u64 = 1 << 3;
    // _IOWR(0xFF, 11, struct pidfd_info), of the size that Linux 6.15 and later know
    const GET_INFO: u64 = (3 << 30) | ((SIZE as u64) << 16) | (0xff << 8) | 11;
    let mut info = PidfdInfo {
        mask: EXIT,
        ..PidfdInfo::default()
    };
    // SAFETY: the kernel writes at most the size that is coded in the request, which is that of `info`.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO as libc::Ioctl, &raw mut info) };
    const { assert!(size_of::<PidfdInfo>() == SIZE) };
    (result == 0 && info.mask & EXIT != 0).then_some(info.exit_code)
}
