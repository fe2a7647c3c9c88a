//! The process's connection to the manager that started it.

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Connection, connect, started_by_manager};

#[cfg(not(windows))]
mod other;
#[cfg(not(windows))]
pub use other::{Connection, connect, started_by_manager};
