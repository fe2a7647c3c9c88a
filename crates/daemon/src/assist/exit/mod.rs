//! Waiting for the end of a command's process, as the async runtime can on each system.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::Exit;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::Exit;
