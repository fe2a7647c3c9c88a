//! The code pages of the machine: what bytes say that are neither UTF-8 nor UTF-16.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{can_read, read};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{can_read, read};
