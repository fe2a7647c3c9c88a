//! Waiting until a descriptor can be read: signals, keys, the end of a process.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor whose readability can be waited for.
#[derive(Debug)]
pub struct Readable<T: AsFd> {
    fd: AsyncFd<Owner<T>>,
}

/// Keeps the descriptor's owner where nobody can exchange or close it.
#[derive(Debug)]
struct Owner<T>(T);

impl<T: AsFd> AsRawFd for Owner<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl<T: AsFd> Readable<T> {
    /// Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// When the descriptor cannot be watched (a file).
    pub fn new(owner: T) -> io::Result<Self> {
        // Deprecated because a descriptor could be closed behind tokio's back; the owner is ours,
        // private, and lives exactly as long. The replacement is `unsafe`, which this crate is not.
        #[allow(deprecated)]
        let fd = AsyncFd::with_interest(Owner(owner), Interest::READABLE)?;
        Ok(Self { fd })
    }

    /// Waits until `take` finds something. It is called again whenever there is something to read.
    ///
    /// # Errors
    /// When waiting fails, or what `take` fails with.
    pub async fn take<R>(
        &self,
        mut take: impl FnMut(&T) -> io::Result<Option<R>>,
    ) -> io::Result<R> {
        loop {
            let mut ready = self.fd.readable().await?;
            if let Some(found) = take(&ready.get_inner().0)? {
                return Ok(found);
            }
            ready.clear_ready();
        }
    }
}
