//! Deadlines as things to wait for, for the driver: descriptors for epoll, or handles.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{CalendarEvent, CalendarWatch, Timer};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{CalendarEvent, CalendarWatch, Timer};
