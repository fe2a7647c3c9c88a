use std::io;
use std::path::Path;

use abide_platform::control::Address;
use rustix::fs::FlockOperation;
use tokio::net::UnixStream;

pub type Stream = UnixStream;

/// Who may ask beside the owner.
pub const MASTER: &str = "root";

/// What a person types to end a process at once.
pub fn kill(pid: u32) -> String {
    format!("kill -9 {pid}")
}

/// Connects to the daemon of a home.
///
/// # Errors
/// `NotFound`, `ConnectionRefused`: none is there. `PermissionDenied`: it is somebody else's.
pub async fn connect(home: &Path) -> io::Result<Stream> {
    // A socket's address is short; a home's path need not be.
    let address = Address::of(home)?;
    UnixStream::connect(address.path()).await
}

/// Somebody holds the keeper's lock of the home.
pub fn keeper_lives(home: &Path) -> bool {
    let Ok(file) = std::fs::File::open(home.join("keeper.lock")) else {
        return false;
    };
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared)
        == Err(rustix::io::Errno::WOULDBLOCK)
}
