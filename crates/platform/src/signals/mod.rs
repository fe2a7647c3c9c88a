//! Signals to the daemon, as a descriptor for its epoll.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::Signals;
