//! Descriptors and settings that a process of ours was born with.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the keeper was started with, and has changed for itself and its daemon: programs get these.
pub(super) const BASE: &str = "ABIDE_BASE";

/// More descriptors than any daemon needs.
const MOST_DESCRIPTORS: u64 = 1 << 20;

/// The hard limit of the first process, which most processes still have (`INR_OPEN_MAX` of the kernel).
const DEFAULT_HARD: u64 = 4096;

/// Takes over a descriptor that was passed by number, and lets no program inherit it. `None`: that
/// number is not open.
///
/// To be called once for each number: the caller has to know that nobody else owns it.
pub(super) fn descriptor(number: &str) -> Option<OwnedFd> {
    let fd: RawFd = number.parse().ok().filter(|fd| *fd > 2)?;
    close_on_exec(fd).then(|| {
        // SAFETY: it is open, it was passed to this process for just this use, and each
        // number is taken once.
        unsafe { OwnedFd::from_raw_fd(fd) }
    })
}

/// A descriptor of our own for what was passed by number.
pub(super) fn duplicate(number: &str) -> Option<OwnedFd> {
    let fd: RawFd = number.parse().ok().filter(|fd| *fd > 2)?;
    // SAFETY: fcntl takes numbers; what it returns belongs to nobody else.
    unsafe {
        let copy = libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3);
        (copy >= 0).then(|| OwnedFd::from_raw_fd(copy))
    }
}

/// False: that number is not open.
pub(super) fn close_on_exec(fd: RawFd) -> bool {
    // SAFETY: fcntl takes numbers; on a number that is not open it fails.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) != -1 }
}

/// Children are reaped by us, also when we were started with SIGCHLD ignored.
pub(super) fn expect_children() {
    // SAFETY: sets a disposition to its default.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Settings of the keeper that are not those of the programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Base {
    /// `oom_score_adj`.
    pub oom_score: Option<i32>,
    /// The limits of open files, soft and hard.
    pub open_files: Option<(u64, u64)>,
}

impl Base {
    /// As the keeper passes it to its daemon.
    pub(super) fn to_variable(self) -> String {
        let oom = self.oom_score.map_or(String::new(), |n| n.to_string());
        let files = self.open_files;
        let files = files.map_or(String::new(), |(soft, hard)| format!("{soft}/{hard}"));
        format!("{BASE}={oom}:{files}")
    }

    pub(super) fn from_environment() -> Option<Self> {
        let value = std::env::var(BASE).ok()?;
        let (oom, files) = value.split_once(':')?;
        Some(Self {
            oom_score: oom.parse().ok(),
            open_files: files
                .split_once('/')
                .and_then(|(soft, hard)| Some((soft.parse().ok()?, hard.parse().ok()?))),
        })
    }

    /// Protects this process from the out-of-memory killer as far as it may, and gives it as many
    /// descriptors as it may have. Tells what was there before, and the daemon's own `oom_score_adj` where
    /// it is not to be this process's.
    pub(super) fn raise() -> (Self, Option<&'static CStr>) {
        let inherited = Self::from_environment();
        let before = oom_score();
        let lowest = before.map(lower_oom_score);
        let files = getrlimit(Resource::Nofile);
        let raise = |most: u64, hard: u64| {
            let limit = Rlimit {
                current: Some(most),
                maximum: Some(hard),
            };
            setrlimit(Resource::Nofile, limit).is_ok()
        };
        // Without a limit, as the kernel tells it; it allows no number above `fs.nr_open`, whoever asks.
        let hard = files.maximum.unwrap_or(u64::MAX);
        let most = hard.min(MOST_DESCRIPTORS);
        // Who may raise the hard limit (CAP_SYS_RESOURCE) has room for units without being told. One that is lower than
        // what every system begins with is somebody's will.
        let raised = files.current.is_some_and(|soft| soft < MOST_DESCRIPTORS)
            && ((DEFAULT_HARD..MOST_DESCRIPTORS).contains(&hard)
                && raise(MOST_DESCRIPTORS, MOST_DESCRIPTORS)
                || raise(most, hard));
        let base = inherited.unwrap_or(Self {
            oom_score: before.filter(|_| lowest != before),
            open_files: files.current.map(|soft| (soft, hard)).filter(|_| raised),
        });
        let daemon = lowest.is_some_and(|score| score < -900).then_some(c"-900");
        (base, daemon)
    }
}

const OOM_SCORE: &str = "/proc/self/oom_score_adj";

fn oom_score() -> Option<i32> {
    std::fs::read_to_string(OOM_SCORE).ok()?.trim().parse().ok()
}

/// Sets the lowest `oom_score_adj` that is allowed: to root every one, to others down to what a privileged
/// process set last (proc_pid_oom_score_adj(5)). Returns it.
fn lower_oom_score(now: i32) -> i32 {
    // What is refused, and what is allowed.
    let (mut refused, mut allowed) = (-1001, now);
    while allowed - refused > 1 {
        // The lowest one first.
        let score = if refused == -1001 && allowed == now {
            -1000.min(now)
        } else {
            i32::midpoint(refused, allowed)
        };
        if score < allowed && std::fs::write(OOM_SCORE, score.to_string()).is_ok() {
            allowed = score;
        } else {
            refused = score;
        }
    }
    allowed
}
