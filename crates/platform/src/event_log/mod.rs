//! The Event Log of Windows: a source, and what is reported by it. Linux has no counterpart in this crate: its logs are
//! sockets.

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Source, text};
