mod table;

pub use table::listeners;

use std::io;
use std::net::TcpListener;

use abide_model::{Listen, ListenAddress, SocketSpec};

use super::ListenError;
use crate::absent;
use crate::handle::{Handle, Lend};
use crate::identity;
use crate::logon::Owner;

/// No socket is held here.
#[must_use]
pub fn address_of(_: impl Lend) -> Option<ListenAddress> {
    None
}

/// Listens for nobody.
///
/// # Errors
/// Always, with the reason.
pub fn bind(_: &SocketSpec, listen: &Listen, _: Option<&Owner>) -> Result<Handle, ListenError> {
    Err(ListenError {
        address: listen.address.to_string(),
        why: absent::SOCKETS.reason.to_owned(),
        errno: None,
    })
}

/// How many are connected to these addresses.
///
/// # Errors
/// `Unsupported`, if there are any addresses.
pub fn connected(addresses: &[ListenAddress]) -> io::Result<usize> {
    if addresses.is_empty() {
        return Ok(0);
    }
    Err(absent::SOCKETS.error())
}

/// The listening sockets of a process that abide made: none.
#[must_use]
pub fn held_by(_: &identity::Handle) -> Vec<(ListenAddress, Handle)> {
    Vec::new()
}

/// A duplicate of a listening socket of abide's own, for the keeper to hold.
///
/// # Errors
/// Always `Unsupported`: a socket is no plain handle.
pub fn to_hold(_: &TcpListener) -> io::Result<Handle> {
    Err(absent::HELD_SOCKETS.error())
}

/// What the keeper held, again as a socket.
///
/// # Errors
/// Always `Unsupported`, as [`to_hold`].
pub fn from_held(_: Handle) -> io::Result<TcpListener> {
    Err(absent::HELD_SOCKETS.error())
}
