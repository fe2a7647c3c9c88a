//! The sockets that the API listens on: held by the keeper as well, so that whoever connects while there
//! is no daemon waits in the kernel's queue, and is answered by the next one.
//!
//! A door is known by a number, which is its place in the keeper's table: the home's socket by the inode
//! of its file, so that a daemon sees whether the file still leads to it; a TCP address by itself.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One place that the API listens at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Door {
    /// The home's socket; its file has this inode.
    Socket(u64),
    /// The address that was asked for; its port may be 0.
    Tcp(SocketAddr),
}

/// The listening sockets of an API that is brought up again, or of a daemon before this one.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// `None`: the API makes its own.
    pub socket: Option<Arc<UnixListener>>,
    /// By the address that was asked for.
    pub tcp: Arc<Mutex<BTreeMap<SocketAddr, TcpListener>>>,
}

impl Doors {
    pub(super) fn tcp(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, TcpListener>> {
        self.tcp.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Set in the number of an IPv6 address; of those only the loopback is listened on.
const V6: u64 = 1 << 63;

impl Door {
    /// A TCP address as a number. `None`: it is none of those that the API listens on.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Socket(inode) => Some(*inode),
            Self::Tcp(address) => match address.ip() {
                IpAddr::V4(ip) => Some(u64::from(u32::from(ip)) << 16 | u64::from(address.port())),
                IpAddr::V6(Ipv6Addr::LOCALHOST) => Some(V6 | u64::from(address.port())),
                IpAddr::V6(_) => None,
            },
        }
    }

    /// The TCP address of a number.
    #[must_use]
    pub fn tcp(number: u64) -> Self {
        let port = u16::try_from(number & 0xffff).unwrap_or(0);
        let ip: IpAddr = if number & V6 != 0 {
            Ipv6Addr::LOCALHOST.into()
        } else {
            let ip = u32::try_from(number >> 16 & 0xffff_ffff).unwrap_or(0);
            Ipv4Addr::from(ip).into()
        };
        Self::Tcp(SocketAddr::new(ip, port))
    }
}

/// Makes the home's socket; what another daemon left at the path is replaced.
///
/// # Errors
/// The file cannot be made.
pub fn open_socket(path: &Path) -> io::Result<(Door, UnixListener)> {
    let listener = super::socket::listen(path)?;
    let inode = std::fs::symlink_metadata(path)?.ino();
    Ok((Door::Socket(inode), listener))
}

/// Goes on with a socket that the keeper held, if the file at the path still leads to it.
///
/// # Errors
/// It does not.
pub fn adopt_socket(path: &Path, number: u64, held: OwnedFd) -> io::Result<UnixListener> {
    let meta = std::fs::symlink_metadata(path)?;
    if !meta.file_type().is_socket() || meta.ino() != number {
        return Err(io::Error::other("its file is gone or another one"));
    }
    let listener = UnixListener::from(held);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_again_by_its_number() {
        for text in [
            "127.0.0.1:7878",
            "127.255.3.4:65535",
            "[::1]:1",
            "127.0.0.1:0",
        ] {
            let door = Door::Tcp(text.parse().expect("an address"));
            let number = door.number().expect("a number");
            assert_eq!(Door::tcp(number), door, "{text}");
        }
        let elsewhere = Door::Tcp("[::2]:1".parse().expect("an address"));
        assert_eq!(elsewhere.number(), None);
    }

    #[test]
    fn a_socket_whose_file_was_replaced_is_not_gone_on_with() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("abide.sock");
        let (door, listener) = open_socket(&path).expect("opens");
        let number = door.number().expect("a number");
        let copy = listener.try_clone().expect("copy");
        adopt_socket(&path, number, copy.into()).expect("the same");
        std::fs::remove_file(&path).expect("remove");
        let copy = listener.try_clone().expect("copy");
        assert!(adopt_socket(&path, number, copy.into()).is_err());
    }
}
