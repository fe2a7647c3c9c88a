use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use abide_platform::control::{Address, check_server};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient};

pub type Stream = NamedPipeClient;

/// Who may ask beside the owner.
pub const MASTER: &str = "administrators";

/// What a person types to end a process at once.
pub fn kill(pid: u32) -> String {
    format!("taskkill /F /PID {pid}")
}

/// `ERROR_PIPE_BUSY`: the pipe is there, and nobody takes connections just now.
const BUSY: i32 = 231;

/// How long such a one is waited for: its name is held, so a daemon is on its way, which may take as long as the
/// keeper gives one that takes over.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two tries: nothing tells that an instance is there, but for a call that blocks.
const PAUSE: Duration = Duration::from_millis(5);

/// Connects to the daemon of a home. It may know who asks, and not act in their name.
///
/// # Errors
/// `NotFound`, `ConnectionRefused`: none is there. `PermissionDenied`: it is somebody else's.
pub async fn connect(home: &Path) -> io::Result<Stream> {
    let address = Address::of(home)?;
    let begun = Instant::now();
    loop {
        // By itself it asks for identification and no more.
        match ClientOptions::new().open(address.name()) {
            Ok(stream) => {
                check_server(&stream, home)?;
                return Ok(stream);
            }
            Err(error) if error.raw_os_error() != Some(BUSY) => return Err(error),
            Err(error) if begun.elapsed() >= PATIENCE => {
                return Err(io::Error::new(io::ErrorKind::ConnectionRefused, error));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Whether a daemon that is not there is on its way. What of it the keeper holds answers that it is busy, which
/// [`connect`] waits for.
pub fn keeper_lives(_home: &Path) -> bool {
    false
}
