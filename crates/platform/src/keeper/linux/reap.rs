//! The keeper's children: who has ended, and how.

#![allow(unsafe_code)]

/// What stopped or went on.
pub(super) enum Child {
    Stopped,
    Continued,
}

fn peek(kind: libc::idtype_t, id: u32, options: i32) -> Option<(u32, i32)> {
    // SAFETY: siginfo_t is plain data that waitid fills; its fields are read as waitid(2) says,
    // and pid 0 (nothing to report) is what the zeroed value holds.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        if libc::waitid(kind, id, &raw mut info, options | libc::WNOHANG) != 0 {
            return None;
        }
        let pid = u32::try_from(info.si_pid()).ok().filter(|pid| *pid != 0)?;
        Some((pid, info.si_code))
    }
}

/// Some child that has ended. It is not reaped yet.
pub(super) fn next_ended() -> Option<u32> {
    peek(libc::P_ALL, 0, libc::WEXITED | libc::WNOWAIT).map(|(pid, _)| pid)
}

/// Reaps a child that has ended; its status as wait(2) gives it.
pub(super) fn reap(pid: u32) -> Option<i32> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let mut status = 0;
    // SAFETY: waitpid writes one int.
    let reaped = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
    (reaped == pid).then_some(status)
}

/// Whether this child was stopped or continued since the last call.
pub(super) fn stop_changes(pid: u32) -> Option<Child> {
    let (_, code) = peek(libc::P_PID, pid, libc::WSTOPPED | libc::WCONTINUED)?;
    Some(if code == libc::CLD_CONTINUED {
        Child::Continued
    } else {
        Child::Stopped
    })
}
