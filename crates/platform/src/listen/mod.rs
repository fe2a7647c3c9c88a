//! Sockets that abide listens on for a program: the daemon makes and watches them, the keeper holds
//! them, runs inherit them. While one program ends and the next starts, whoever connects waits in
//! the kernel's queue.
//!
//! They are blocking, as those of systemd are (`Accept=no`), since programs expect it. Being one open
//! file description for all who have them, they must not be set otherwise; the daemon watches them
//! with epoll and never accepts.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{address_of, bind, connected, from_held, held_by, to_hold};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{address_of, bind, connected, from_held, held_by, listeners, to_hold};

/// Why a socket was not made. Reads after "cannot": "listen on 127.0.0.1:80: …; …".
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("listen on {address}: {why}")]
pub struct ListenError {
    /// Where, as in the configuration.
    pub address: String,
    /// Why not, and the way out.
    pub why: String,
    /// The error number, if the system gave one.
    pub errno: Option<i32>,
}
