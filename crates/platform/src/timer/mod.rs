//! Deadlines as descriptors, for the driver's epoll.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{CalendarEvent, CalendarWatch, Timer};
