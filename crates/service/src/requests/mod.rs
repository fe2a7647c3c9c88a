//! How requests to stop and to reload reach the program.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub(crate) use linux::{begin, end};
#[cfg(windows)]
pub(crate) use windows::{begin, end};
