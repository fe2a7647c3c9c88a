use std::os::fd::OwnedFd;

use abide_platform::spawn::Auxiliary;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The end of a process.
pub struct Exit(Option<AsyncFd<OwnedFd>>);

impl Exit {
    /// That of this command. To be called in a runtime.
    pub fn of(child: &Auxiliary) -> Self {
        let pidfd = child.waitable().and_then(|fd| fd.try_clone_to_owned().ok());
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe; an OwnedFd is what that wants: it stays open for as long as it is watched"
        )]
        Self(pidfd.and_then(|fd| AsyncFd::with_interest(fd, Interest::READABLE).ok()))
    }

    /// Returns when it may have ended. False at once: nothing tells (before Linux 5.3, or without descriptors).
    pub async fn wait(&self) -> bool {
        let Some(pidfd) = &self.0 else { return false };
        match pidfd.readable().await {
            Ok(mut ready) => {
                ready.clear_ready();
                true
            }
            Err(_) => false,
        }
    }
}
