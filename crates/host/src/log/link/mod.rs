//! The way to a receiver: connecting, handing over, and finding out that it is gone.
//!
//! Nothing here waits for longer than it is told to. A link that reports an error other than `WouldBlock` is of no
//! use any more; a new one is opened by [`super::Client`], which knows when.

#[cfg(not(unix))]
mod absent;
#[cfg(unix)]
mod sealed;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(super) use absent::Link;
#[cfg(unix)]
pub(super) use unix::Link;
