//! What the daemon itself is told to do: signals, on Windows the events of its console; to be waited for with
//! everything else ([`crate::poll`]).

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::Signals;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::Signals;
