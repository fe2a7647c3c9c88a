//! Where a home's daemon is asked: the home's socket `abide.sock`, on Windows a named pipe whose name follows
//! from the home. Here is the address, and what makes it ours; bytes are read and written by whoever has a runtime
//! for it.
//!
//! ```text
//!  daemon: Place::take(home) ──► accept … ──► Account of the peer ──► may it command?
//!  client: Address::of(home) ──► connect ──► check_server: is it the home's own daemon?
//! ```
//!
//! A place can be held by the keeper too, so that it is nobody else's while there is no daemon: on Linux whoever
//! connects then waits in the kernel's queue, on Windows they are told that it is busy, and ask again.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{Address, Place, remove};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Address, Place, check_server, remove};
