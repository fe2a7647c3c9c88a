//! What an account may do with a file or a folder: given, and taken away again. Linux has no counterpart in this crate:
//! there a program of another account is started by an abide that is root.

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Access, Entry, Security, allow, forbid};
