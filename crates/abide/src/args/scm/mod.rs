//! Options of `install` that only the system's own manager knows.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::ScmArgs;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::ScmArgs;
