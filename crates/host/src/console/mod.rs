//! What a person says to a program of Windows in a console: Ctrl-C, Ctrl-Break, the closing of the window. On Unix
//! these are signals.

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Heard, listen};
