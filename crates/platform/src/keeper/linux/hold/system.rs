//! What the keeper asks of the kernel about processes, and its daemon's start.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use abide_model::{Mono, Signal};
use rustix::io::Errno;

use super::super::socket::send;
use super::super::{KEEPER_FD, READY_FD, SAFE_MODE, SUCCESSOR};
use super::program::{Change, How, Program};
use crate::keeper::wire::{Frame, Kind};
use crate::signals::Signals;

pub fn now() -> Mono {
    crate::clock::now().mono
}

/// The next signal that came.
pub fn next_signal(signals: &Signals) -> Option<Signal> {
    signals.take()
}

/// Of some child: its pid, `si_code` and `si_status`.
fn peek(options: i32) -> Option<(u32, i32, i32)> {
    // SAFETY: siginfo_t is plain data that waitid fills; its fields are read as waitid(2) says,
    // and pid 0 (nothing to report) is what the zeroed value holds.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        if libc::waitid(libc::P_ALL, 0, &raw mut info, options | libc::WNOHANG) != 0 {
            return None;
        }
        let pid = u32::try_from(info.si_pid()).ok().filter(|pid| *pid != 0)?;
        Some((pid, info.si_code, info.si_status()))
    }
}

/// Some child that has ended, and whether by the exit code of one that could not execute its program. It
/// is not reaped yet.
pub fn next_ended() -> Option<(u32, bool)> {
    let (pid, code, status) = peek(libc::WEXITED | libc::WNOWAIT)?;
    Some((pid, code == libc::CLD_EXITED && status == 127))
}

/// Reaps a child that has ended; its status as wait(2) gives it.
pub fn reap(pid: u32) -> Option<i32> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let mut status = 0;
    // SAFETY: waitpid writes one int.
    let reaped = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
    (reaped == pid).then_some(status)
}

/// A child that was stopped or continued since it was last told here. Only the last change of each child
/// is kept by the kernel.
pub fn next_change() -> Option<(u32, Change)> {
    let (pid, code, status) = peek(libc::WSTOPPED | libc::WCONTINUED)?;
    let change = match code {
        libc::CLD_CONTINUED => Change::Continued,
        _ => Change::Stopped(Signal(status)),
    };
    Some((pid, change))
}

/// There is such a process: alive, or ended and not reaped.
pub fn exists(pid: u32) -> bool {
    kill(pid, 0) || Errno::from_io_error(&std::io::Error::last_os_error()) != Some(Errno::SRCH)
}

/// To a child that was not reaped, so that the number is still its.
pub fn signal(pid: u32, signal: Signal) {
    kill(pid, signal.0);
}

fn kill(pid: u32, signal: i32) -> bool {
    let pid = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 1);
    // SAFETY: kill takes numbers; none of them means more than one process.
    pid.is_some_and(|pid| unsafe { libc::kill(pid, signal) } == 0)
}

/// Starts a daemon, whose end of the socket is `theirs`. Its pid.
pub fn start(program: &Program, how: &How<'_>, theirs: &OwnedFd) -> Result<u32, Errno> {
    // SAFETY: this process has one thread, so the child of the fork may do what any program may, and
    // what goes wrong in it harms nobody else.
    match unsafe { libc::fork() } {
        -1 => Err(last_error()),
        0 => {
            let error = become_daemon(program, how, theirs);
            let errno = error.raw_os_error().cast_unsigned();
            let _ = send(
                theirs.as_fd(),
                Frame::new(Kind::NOT_STARTED, errno, [0; 4]),
                None,
            );
            // SAFETY: ends this process.
            unsafe { libc::_exit(127) }
        }
        pid => u32::try_from(pid).map_err(|_| Errno::RANGE),
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// Returns only when it cannot be executed.
fn become_daemon(program: &Program, how: &How<'_>, theirs: &OwnedFd) -> Errno {
    if let Some(score) = program.oom_score {
        // Better a daemon that is too safe than none.
        let _ = std::fs::write("/proc/self/oom_score_adj", score.to_bytes());
    }
    // SAFETY: plain system calls, on numbers and on memory of this function.
    unsafe {
        // A session of its own: what a terminal sends goes to the keeper alone, which passes it on.
        libc::setsid();
        let mut nothing: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut nothing);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const nothing, std::ptr::null_mut());
    }
    let mut environment = program.environment.clone();
    let mut set = |name: &str, value: i32| {
        environment.extend(CString::new(format!("{name}={value}")).ok());
    };
    for (name, fd) in [(KEEPER_FD, Some(theirs)), (READY_FD, how.starter)] {
        if let Some(fd) = fd {
            inherit(fd, true);
            set(name, fd.as_raw_fd());
        }
    }
    if how.safe_mode {
        set(SAFE_MODE, 1);
    }
    if how.successor {
        set(SUCCESSOR, 1);
    }
    execute(how.exe.map(AsFd::as_fd), &program.argv, &environment)
}

/// Whether the program that this process executes has a descriptor.
pub fn inherit(fd: &OwnedFd, inherits: bool) {
    let flags = if inherits { 0 } else { libc::FD_CLOEXEC };
    // SAFETY: fcntl takes numbers.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, flags) };
}

/// Returns only when it cannot be executed. `exe`, or else the very file that this process runs, also after
/// it was replaced or removed.
pub fn execute(exe: Option<BorrowedFd<'_>>, argv: &[CString], environment: &[CString]) -> Errno {
    let pointers = |strings: &[CString]| -> Option<Vec<*const libc::c_char>> {
        let mut pointers = Vec::new();
        pointers
            .try_reserve_exact(strings.len().saturating_add(1))
            .ok()?;
        pointers.extend(strings.iter().map(|s| CStr::as_ptr(s)));
        pointers.push(std::ptr::null());
        Some(pointers)
    };
    let (Some(argv), Some(envp)) = (pointers(argv), pointers(environment)) else {
        return Errno::NOMEM;
    };
    let (argv, envp) = (argv.as_ptr(), envp.as_ptr());
    // SAFETY: argv and envp are null-terminated arrays of strings that live until execve returns, and
    // so does the empty path. The raw call, since not every C library has a function for it.
    unsafe {
        if let Some(exe) = exe {
            libc::syscall(
                libc::SYS_execveat,
                exe.as_raw_fd(),
                c"".as_ptr(),
                argv,
                envp,
                libc::AT_EMPTY_PATH,
            );
        } else {
            libc::execve(c"/proc/self/exe".as_ptr(), argv, envp);
        }
    }
    last_error()
}
