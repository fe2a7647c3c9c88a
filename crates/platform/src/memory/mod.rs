//! What this process keeps of the machine's memory while it has nothing to do.
//!
//! A supervisor is at work for milliseconds and idle for days. What it needed meanwhile (the text of a
//! parser, the arena of a thread that ended) belongs to the machine, not to it: whoever was busy calls
//! [`release`] once when it has not been for a while.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{configure, release, release_stack};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{configure, release, release_stack};
