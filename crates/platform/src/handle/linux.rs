use std::os::fd::AsFd;

/// A descriptor of this process, closed when it is dropped.
pub use std::os::fd::OwnedFd as Handle;

/// A descriptor that somebody else closes.
pub use std::os::fd::BorrowedFd as Borrowed;

/// What has a descriptor.
pub trait Lend {
    /// For a call that does not keep it.
    fn lend(&self) -> Borrowed<'_>;
}

impl<T: AsFd> Lend for T {
    fn lend(&self) -> Borrowed<'_> {
        self.as_fd()
    }
}
