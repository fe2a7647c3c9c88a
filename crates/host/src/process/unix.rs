use rustix::process::{Pid, WaitId, WaitIdOptions, geteuid, waitid};

/// Waits until this child has ended, and does not take its status.
pub(crate) fn wait_and_leave(child: u32) {
    let pid = i32::try_from(child).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else { return };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(
        waitid(WaitId::Pid(pid), options),
        Err(rustix::io::Errno::INTR)
    ) {}
}

/// The number of this process's account.
pub(crate) fn user() -> u32 {
    geteuid().as_raw()
}
