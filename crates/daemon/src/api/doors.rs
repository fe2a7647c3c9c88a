//! The sockets that the API listens on: held by the keeper as well, so that whoever connects while there
//! is no daemon waits in the kernel's queue, and is answered by the next one.
//!
//! A door is known by a number, which is its place in the keeper's table: the home's socket by what
//! `abide_platform::control` knows it by, a TCP address by itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use abide_platform::control::Place;

/// One place that the API listens at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Door {
    /// The home's socket, by its number.
    Socket(u64),
    /// The address that was asked for; its port may be 0.
    Tcp(SocketAddr),
}

/// The listening sockets of an API that is brought up again, or of a daemon before this one.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// `None`: the API makes its own.
    pub socket: Option<Arc<Place>>,
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
}
