//! Limits of a whole tree, through its control group. (Limits of each process are set by
//! [`crate::spawn`].)

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{apply, unsupported};
