//! The console of a command: what it understands, how large it is, keys one by one. On Unix the terminal's own
//! interface (termios(3)) is enough for that, and safe.

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{KeyMode, enable_sequences, read_unseen, size};
