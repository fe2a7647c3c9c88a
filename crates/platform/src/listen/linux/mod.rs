mod bind;
mod explain;
mod table;

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;

use abide_model::ListenAddress;
use rustix::net::{SocketAddrUnix, SocketType, getsockname, sockopt};

pub use bind::bind;
pub use table::connected;

/// Where a socket that the keeper held listens. `None`: it is not one of these.
#[must_use]
pub fn address_of(socket: impl AsFd) -> Option<ListenAddress> {
    let socket = socket.as_fd();
    let kind = sockopt::socket_type(socket).ok()?;
    let listens = sockopt::socket_acceptconn(socket).ok()?;
    let address = getsockname(socket).ok()?;
    let internet = SocketAddr::try_from(address.clone()).ok();
    match (kind, listens, internet) {
        (SocketType::STREAM, true, Some(address)) => Some(ListenAddress::Tcp(address)),
        (SocketType::DGRAM, _, Some(address)) => {
            (address.port() != 0).then_some(ListenAddress::Udp(address))
        }
        (SocketType::STREAM, true, None) => {
            use std::os::unix::ffi::OsStrExt;
            let address = SocketAddrUnix::try_from(address).ok()?;
            let path = std::ffi::OsStr::from_bytes(address.path_bytes()?);
            Some(ListenAddress::Unix(PathBuf::from(path)))
        }
        _ => None,
    }
}
