//! Readiness by a descriptor: a program writes a newline to a pipe that it inherits at a number of its
//! choice (s6's notification-fd).

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{pipe, read};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{pipe, read};

/// What a program has said so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// Nothing yet, or nothing that counts.
    Nothing,
    /// That it is ready.
    Ready,
    /// It has closed the pipe, and will never say so.
    Closed,
}
