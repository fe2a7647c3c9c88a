mod bind;
mod explain;
mod table;
mod take;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::path::PathBuf;

use abide_model::ListenAddress;
use rustix::net::{SocketAddrUnix, SocketType, getsockname, sockopt};

use crate::handle::Handle;

pub use bind::bind;
pub use table::connected;
pub use take::held_by;

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

/// A duplicate of a listening socket of abide's own, for the keeper to hold.
///
/// # Errors
/// Those of dup(2); `Unsupported` where no other process can hold a socket.
pub fn to_hold(listener: &TcpListener) -> io::Result<Handle> {
    listener.as_fd().try_clone_to_owned()
}

/// What the keeper held, again as a socket.
///
/// # Errors
/// None here.
pub fn from_held(held: Handle) -> io::Result<TcpListener> {
    Ok(held.into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream, UdpSocket};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    use abide_model::{Listen, SocketPass, SocketSpec};
    use rustix::fs::OFlags;

    use super::*;
    use crate::listen::ListenError;

    fn spec(addresses: &[ListenAddress]) -> SocketSpec {
        let listen = addresses.iter().map(|address| Listen {
            address: address.clone(),
            name: "web".into(),
        });
        SocketSpec {
            listen: listen.collect(),
            pass: SocketPass::Fds,
            backlog: 16,
            mode: 0o640,
            owner: None,
            group: None,
        }
    }

    fn made(address: ListenAddress) -> Result<OwnedFd, ListenError> {
        let spec = spec(&[address]);
        bind(&spec, &spec.listen[0], None)
    }

    fn refused(address: ListenAddress, parts: &[&str]) {
        let error = made(address).expect_err("it cannot be had").to_string();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }

    fn tcp(port: u16) -> ListenAddress {
        ListenAddress::Tcp((Ipv4Addr::LOCALHOST, port).into())
    }

    #[test]
    fn a_listener_is_found_again_by_its_address_and_is_as_programs_expect_it() {
        let fd = made(tcp(0)).expect("some port is free");
        let Some(ListenAddress::Tcp(address)) = address_of(&fd) else {
            panic!("it listens")
        };
        TcpStream::connect(address).expect("it listens");
        let flags = rustix::fs::fcntl_getfl(&fd).expect("open");
        assert!(!flags.contains(OFlags::NONBLOCK));
        let flags = rustix::io::fcntl_getfd(&fd).expect("open");
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));

        let place = tempfile::tempdir().expect("a directory");
        let path = ListenAddress::Unix(place.path().join("a socket"));
        let fd = made(path.clone()).expect("nothing is in the way");
        assert_eq!(address_of(&fd), Some(path));
        let stream = UnixStream::connect(place.path().join("a socket")).expect("it listens");
        assert_eq!(address_of(&stream), None);
        assert_eq!(address_of(io::stdin()), None);
    }

    #[test]
    fn an_address_that_is_taken_is_refused_with_who_has_it() {
        let first = made(tcp(0)).expect("some port is free");
        let address = address_of(&first).expect("it listens");
        let us = format!("process {} (", std::process::id());
        let text = format!("listen on {address}: {us}");
        refused(address.clone(), &[&text, "stop it"]);
        if let ListenAddress::Tcp(address) = address {
            let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            refused(ListenAddress::Tcp(any), &[&us]);
        }
        let first = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        let address = ListenAddress::Udp(first.local_addr().expect("bound"));
        refused(address, &["listen on udp://127.0.0.1:", &us]);
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        // For documentation (RFC 5737): nobody has it.
        let address = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 8080));
        refused(
            ListenAddress::Tcp(address),
            &["no address 192.0.2.1", "0.0.0.0:8080"],
        );
    }

    #[test]
    fn any_of_ipv6_takes_ipv4_unless_another_socket_is_for_that() {
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let Ok(fd) = made(ListenAddress::Tcp(any(0))) else {
            return; // no IPv6 here
        };
        let Some(ListenAddress::Tcp(address)) = address_of(&fd) else {
            panic!("it listens")
        };
        let port = address.port();
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("IPv4, too");
        let count = connected(&[ListenAddress::Tcp(address)]);
        assert_eq!(count.expect("proc can be read"), 1);
        drop((fd, client));
        let both = spec(&[
            ListenAddress::Tcp(any(port)),
            ListenAddress::Tcp((Ipv4Addr::UNSPECIFIED, port).into()),
        ]);
        let _six = bind(&both, &both.listen[0], None).expect("it is free");
        let _four = bind(&both, &both.listen[1], None).expect("it was left free");
    }

    #[test]
    fn a_socket_file_that_nobody_answers_on_makes_way_and_others_stay() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("socket");
        let address = || ListenAddress::Unix(path.clone());
        drop(UnixListener::bind(&path).expect("nothing is there"));
        let listener = made(address()).expect("the old one goes");
        let mode = std::fs::metadata(&path).expect("there").permissions();
        assert_eq!(mode.mode() & 0o777, 0o640);
        let us = format!("process {} (", std::process::id());
        refused(address(), &[&us, "stop it"]);
        UnixStream::connect(&path).expect("it was left alone");
        drop(listener);
        std::fs::remove_file(&path).expect("there");
        std::fs::write(&path, "precious").expect("a file");
        refused(address(), &["no socket is in its place"]);
        assert_eq!(
            std::fs::read_to_string(&path).expect("left alone"),
            "precious"
        );
    }

    #[test]
    fn a_path_that_cannot_be_is_refused_in_words() {
        let long = Path::new("/tmp").join("x".repeat(120));
        refused(ListenAddress::Unix(long), &["125 bytes long", "107"]);
        refused(
            ListenAddress::Unix("/no/such/folder/socket".into()),
            &["the folder /no/such/folder does not exist; make it"],
        );
        refused(
            ListenAddress::Unix("/etc/passwd/socket".into()),
            &["/etc/passwd is not a folder"],
        );
    }

    #[test]
    fn a_socket_file_that_cannot_be_given_away_is_not_left_behind() {
        if rustix::process::geteuid().is_root() {
            return; // who may do everything
        }
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("socket");
        let spec = spec(&[ListenAddress::Unix(path.clone())]);
        let error = bind(&spec, &spec.listen[0], Some(&(0, 0))).expect_err("only root may");
        assert!(error.to_string().contains("only root may"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn datagrams_that_wait_count_as_a_connection() {
        let fd = made(ListenAddress::Udp((Ipv4Addr::LOCALHOST, 0).into())).expect("free");
        let address = address_of(&fd).expect("it is bound");
        let ListenAddress::Udp(to) = address else {
            panic!("{address}")
        };
        let count = || connected(std::slice::from_ref(&address)).expect("proc can be read");
        assert_eq!(count(), 0);
        let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        from.send_to(b"x", to).expect("it is sent");
        assert_eq!(count(), 1);
    }
}
