use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use abide_platform::identity::Handle;

use super::PAUSE;
use crate::readable::Readable;

/// A process of the abide that serves a home; `None`: it is not there, or none of that home.
pub fn open(pid: u32, home: &Path) -> Option<Handle> {
    // A daemon in a container tells the numbers that its processes have there; here they
    // are somebody else's. Both have their home among their arguments.
    let home = home.as_os_str().as_bytes();
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    arguments
        .split(|b| *b == 0)
        .find(|argument| *argument == home)?;
    Handle::open(pid).ok()
}

/// Waits until it has ended.
///
/// # Errors
/// It cannot be watched.
pub async fn ended(process: &Handle) -> io::Result<()> {
    if let Some(pidfd) = process.pidfd() {
        return Readable::new(pidfd)?.take(|_| Ok(Some(()))).await;
    }
    // Linux before 5.3.
    while process.alive() {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
