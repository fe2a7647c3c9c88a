use std::io;
use std::path::Path;

use abide_platform::identity::Handle;

use super::PAUSE;

/// A process of the abide that serves a home; `None`: it is not there.
pub fn open(pid: u32, _home: &Path) -> Option<Handle> {
    Handle::open(pid).ok()
}

/// Waits until it has ended.
///
/// # Errors
/// None.
pub async fn ended(process: &Handle) -> io::Result<()> {
    // The runtime has no word for a process that is not its own child.
    while process.alive() {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
