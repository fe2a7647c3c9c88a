//! Bytes that nobody can guess.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::fill;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::fill;
