//! The keeper's children: who has ended, and how, and who was stopped.

#![allow(unsafe_code)]

use abide_model::Signal;

/// What became of a child that has not ended.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Stopped(Signal),
    Continued,
}

/// Of some child: its pid, si_code and si_status.
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

/// Some child that has ended. It is not reaped yet.
pub(super) fn next_ended() -> Option<u32> {
    peek(libc::WEXITED | libc::WNOWAIT).map(|(pid, _, _)| pid)
}

/// Reaps a child that has ended; its status as wait(2) gives it.
pub(super) fn reap(pid: u32) -> Option<i32> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let mut status = 0;
    // SAFETY: waitpid writes one int.
    let reaped = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
    (reaped == pid).then_some(status)
}

/// A child that was stopped or continued since it was last told here. Only the last change of each child
/// is kept by the kernel.
pub(super) fn next_change() -> Option<(u32, Change)> {
    let (pid, code, status) = peek(libc::WSTOPPED | libc::WCONTINUED)?;
    let change = if code == libc::CLD_CONTINUED {
        Change::Continued
    } else {
        Change::Stopped(Signal(status))
    };
    Some((pid, change))
}

/// There is such a process: alive, or ended and not reaped.
pub(super) fn exists(pid: u32) -> bool {
    let Some(pid) = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 1) else {
        return false;
    };
    // SAFETY: kill takes numbers; signal 0 only looks.
    let result = unsafe { libc::kill(pid, 0) };
    result == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}
