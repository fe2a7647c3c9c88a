//! Which file exactly, whatever it is called now; and how a name is given to another one.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{is_same, number, replace};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{is_same, number, replace};
