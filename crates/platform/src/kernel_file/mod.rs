//! Small files that a kernel makes as they are read.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{bytes, text};
