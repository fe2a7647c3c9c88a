//! The way to a receiver: connecting, handing over, and finding out that it is gone.
//!
//! Nothing here waits for longer than it is told to. A link that reports an error other than `WouldBlock` is of no
//! use any more; a new one is opened by [`super::Client`], which knows when.

#[cfg(unix)]
mod sealed;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::{Link, of_this_machine};
#[cfg(windows)]
pub(super) use windows::{Link, of_this_machine};
