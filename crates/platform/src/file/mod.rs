//! Which file exactly, whatever it is called now.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{is_same, number};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{is_same, number};
