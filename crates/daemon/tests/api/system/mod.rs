//! What differs from system to system.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{SLEEP, is_there, socket};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{SLEEP, is_there, socket};

/// A configuration with a program that is there.
pub fn native(text: &str) -> String {
    text.replace("/bin/sleep", SLEEP)
}
