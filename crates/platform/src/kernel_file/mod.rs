//! Small files that a kernel makes as they are read.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(test, target_os = "linux"))]
pub(crate) use linux::reads;
#[cfg(target_os = "linux")]
pub(crate) use linux::{bytes, bytes_at, text};
