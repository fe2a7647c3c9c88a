//! Looks at the machine. The only part of the doctor that does.

#[cfg(target_os = "linux")]
mod accounts;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
pub(super) use linux::{facts, listeners};
#[cfg(target_os = "linux")]
pub use machine::machine;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::machine;
#[cfg(windows)]
pub(super) use windows::{facts, listeners, service, unit};

#[cfg(not(windows))]
mod elsewhere;
#[cfg(not(windows))]
pub(super) use elsewhere::{service, unit};
