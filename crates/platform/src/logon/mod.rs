//! As whom a unit runs where that asks for a logon: what is known beforehand of an account and the file with its
//! password, and the logon itself.
//!
//! On Linux the superuser changes to any account ([`crate::spawn`]), and files say which there are.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{Owner, known};

#[cfg(windows)]
mod windows;
#[cfg(all(test, windows))]
pub(crate) use windows::tests;
#[cfg(windows)]
pub(crate) use windows::{Calls, Machine, Refused, Sessions, Whom, owner, sessions};
#[cfg(windows)]
pub use windows::{Owner, known};
