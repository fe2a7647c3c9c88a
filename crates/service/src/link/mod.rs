//! What the program tells its manager, and how it gets there.

use std::time::Duration;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub(crate) use linux::Link;
#[cfg(windows)]
pub(crate) use windows::Link;

/// One thing to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word<'a> {
    /// It is up, or through with a reload.
    Ready,
    /// It reads its configuration again.
    Reloading,
    /// It is on its way down.
    Stopping,
    /// One line for people.
    Status(&'a str),
    /// It lives.
    Beat,
    /// It starts, stops or reloads, and needs this long from now on.
    Extend(Duration),
}
