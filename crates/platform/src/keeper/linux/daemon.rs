//! The keeper's daemon: started, brought back, left alone.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, OsString};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use abide_model::{Mono, Signal};

use super::socket::pair;
use super::{KEEPER_FD, READY_FD, SAFE_MODE};
use crate::clock::now;
use crate::fault::point;
use crate::keeper::EXIT_REFUSED;

/// The exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// This many crashes within [`WINDOW`] lead to safe mode.
const CRASHES: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// The wait before the third start in a row; it doubles up to [`LONGEST`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

pub(super) enum Ended {
    /// The keeper is to exit with this code.
    Leave(i32),
    Restart,
}

pub(super) enum Next {
    Nothing,
    /// It runs; this is the keeper's end of the socket.
    Started(OwnedFd),
}

pub(super) struct Daemon {
    argv: Vec<CString>,
    /// `NAME=value`, without the variables that are set anew for each start.
    environment: Vec<CString>,
    /// Where the starter waits for "ready"; dropped when that was said.
    starter: Option<OwnedFd>,
    pid: Option<u32>,
    /// When it is to be started, while it does not run.
    due: Mono,
    starts: u32,
    /// Some daemon of this keeper was ready.
    was_ready: bool,
    /// The current one is.
    is_ready: bool,
    leaving: bool,
    /// Crashes in a row.
    row: u32,
    /// When the last ones were, oldest first.
    crashes: Vec<Mono>,
}

impl Daemon {
    /// `base`: one more `NAME=value` for its environment.
    pub(super) fn new(arguments: Vec<OsString>, base: &str, starter: Option<OwnedFd>) -> Self {
        let name = std::env::args_os().next().unwrap_or_else(|| "abide".into());
        let argv = std::iter::once(name)
            .chain(arguments)
            .filter_map(|argument| CString::new(argument.into_vec()).ok())
            .collect();
        let own = [
            KEEPER_FD,
            READY_FD,
            SAFE_MODE,
            base.split('=').next().unwrap_or(base),
        ];
        let environment = std::env::vars_os()
            .filter(|(name, _)| !own.iter().any(|own| name == own))
            .filter_map(|(name, value)| {
                let mut line = name.into_vec();
                line.push(b'=');
                line.extend_from_slice(value.as_bytes());
                CString::new(line).ok()
            })
            .chain(CString::new(base))
            .collect();
        Self {
            argv,
            environment,
            starter,
            pid: None,
            due: now().mono,
            starts: 0,
            was_ready: false,
            is_ready: false,
            leaving: false,
            row: 0,
            crashes: Vec::new(),
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.pid
    }

    pub(super) fn starts(&self) -> u32 {
        self.starts
    }

    pub(super) fn was_ready(&self) -> bool {
        self.was_ready
    }

    pub(super) fn safe_mode(&self) -> bool {
        self.crashes.len() >= CRASHES
    }

    pub(super) fn ready(&mut self) {
        self.was_ready = true;
        self.is_ready = true;
        // From here on it only waits: what it needed to come up is not needed again.
        crate::memory::release();
        self.starter = None;
    }

    pub(super) fn leaving(&mut self) {
        self.leaving = true;
    }

    /// When to wake for it.
    pub(super) fn due(&self) -> Option<Mono> {
        self.pid.is_none().then_some(self.due)
    }

    /// Does not wait any longer.
    pub(super) fn hurry(&mut self) {
        self.due = Mono(0);
    }

    pub(super) fn signal(&self, signal: Signal) {
        let Some(pid) = self.pid.and_then(|pid| libc::pid_t::try_from(pid).ok()) else {
            return;
        };
        // SAFETY: kill takes numbers; the process is our own child and not reaped, so the number
        // is still its.
        unsafe { libc::kill(pid, signal.0) };
    }

    /// The daemon was reaped.
    pub(super) fn ended(&mut self, wait_status: i32) -> Ended {
        self.pid = None;
        let killed_by = wait_status & 0x7f;
        let code = if killed_by == 0 {
            (wait_status >> 8) & 0xff
        } else {
            128 + killed_by
        };
        let on_purpose = killed_by == 0
            && if self.was_ready {
                code == 0 || code == EXIT_REFUSED
            } else {
                code != PANICKED
            };
        if self.leaving || on_purpose {
            return Ended::Leave(code);
        }
        let at = now().mono;
        if self.is_ready && killed_by == Signal::KILL.0 {
            // Somebody killed a daemon that worked: nothing to be wary of.
            self.row = 0;
        } else {
            self.row = self.row.saturating_add(1);
            self.crashes.push(at);
        }
        self.crashes.retain(|crash| at.since(*crash) < WINDOW);
        if self.crashes.is_empty() {
            self.row = 0;
        }
        let wait = match self.row {
            0 | 1 => Duration::ZERO,
            n => FIRST_WAIT.saturating_mul(1 << (n - 2).min(10)).min(LONGEST),
        };
        self.due = at.after(wait);
        Ended::Restart
    }

    pub(super) fn start_if_due(&mut self) -> Next {
        if self.pid.is_some() || now().mono < self.due {
            return Next::Nothing;
        }
        self.is_ready = false;
        point("keeper.fork");
        match self.start() {
            Some(socket) => {
                point("keeper.forked");
                self.starts = self.starts.saturating_add(1);
                Next::Started(socket)
            }
            None => {
                // No process or no descriptor to be had: the machine is short of something.
                self.due = now().mono.after(Duration::from_secs(1));
                Next::Nothing
            }
        }
    }

    fn start(&mut self) -> Option<OwnedFd> {
        let (ours, theirs) = pair().ok()?;
        let mut environment = self.environment.clone();
        let mut set = |name: &str, value: RawFd| {
            environment.extend(CString::new(format!("{name}={value}")).ok());
        };
        set(KEEPER_FD, theirs.as_raw_fd());
        if let Some(starter) = &self.starter {
            set(READY_FD, starter.as_raw_fd());
        }
        if self.safe_mode() {
            set(SAFE_MODE, 1);
        }
        let argv = pointers(&self.argv);
        let envp = pointers(&environment);
        let passed = [
            Some(theirs.as_raw_fd()),
            self.starter.as_ref().map(AsRawFd::as_raw_fd),
        ];
        // SAFETY: this process has one thread, so the child of the fork may do what any program may.
        // argv and envp are null-terminated arrays of strings that live until execve returns.
        unsafe {
            match libc::fork() {
                -1 => None,
                0 => {
                    // A session of its own: what a terminal sends goes to the keeper alone, which
                    // passes it on.
                    libc::setsid();
                    let mut nothing: libc::sigset_t = std::mem::zeroed();
                    libc::sigemptyset(&raw mut nothing);
                    libc::sigprocmask(libc::SIG_SETMASK, &raw const nothing, std::ptr::null_mut());
                    for fd in passed.into_iter().flatten() {
                        libc::fcntl(fd, libc::F_SETFD, 0);
                    }
                    // The very file that the keeper runs, also after it was replaced or removed.
                    libc::execve(c"/proc/self/exe".as_ptr(), argv.as_ptr(), envp.as_ptr());
                    if let Some(name) = self.argv.first() {
                        libc::execve(name.as_ptr(), argv.as_ptr(), envp.as_ptr());
                    }
                    libc::_exit(127)
                }
                pid => {
                    self.pid = u32::try_from(pid).ok();
                    Some(ours)
                }
            }
        }
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings
        .iter()
        .map(|s| CStr::as_ptr(s))
        .chain([std::ptr::null()])
        .collect()
}
