use std::os::windows::io::AsHandle;

/// A handle of this process, closed when it is dropped.
pub use std::os::windows::io::OwnedHandle as Handle;

/// A handle that somebody else closes.
pub use std::os::windows::io::BorrowedHandle as Borrowed;

/// What has a handle.
pub trait Lend {
    /// For a call that does not keep it.
    fn lend(&self) -> Borrowed<'_>;
}

impl<T: AsHandle> Lend for T {
    fn lend(&self) -> Borrowed<'_> {
        self.as_handle()
    }
}
