//! Making a socket that listens.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use abide_model::{Listen, ListenAddress, SocketSpec};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, listen, socket_with, sockopt,
};

use super::explain;
use crate::listen::ListenError;
use crate::logon::Owner;

/// What sun_path takes, with the zero at its end.
const PATH_MAX: usize = 107;

/// Makes the socket `which` of `spec`, listening, close-on-exec and blocking. `owner` is whom a socket
/// file is to belong to, user and group. May wait for a slow disk: not for the driver.
///
/// A socket file that is left over, on which nobody answers, goes away; one that is in use stays.
///
/// # Errors
/// [`ListenError`]; nothing is left behind then.
pub fn bind(
    spec: &SocketSpec,
    which: &Listen,
    owner: Option<&Owner>,
) -> Result<OwnedFd, ListenError> {
    let failed = |why: String, errno: Option<i32>| ListenError {
        address: which.address.to_string(),
        why,
        errno,
    };
    match &which.address {
        ListenAddress::Tcp(address) => {
            let v6_only = has_ipv4_twin(spec, *address);
            tcp(*address, spec.backlog, v6_only).map_err(|e| {
                let why = explain::internet(&which.address, *address, e);
                failed(why, Some(e.raw_os_error()))
            })
        }
        ListenAddress::Udp(address) => udp(*address).map_err(|e| {
            let why = explain::internet(&which.address, *address, e);
            failed(why, Some(e.raw_os_error()))
        }),
        ListenAddress::Unix(path) => {
            make_way(path).map_err(|(why, errno)| failed(why, errno))?;
            unix(path, spec, owner.copied()).map_err(|e| {
                let why = explain::file(path, e);
                failed(why, Some(e.raw_os_error()))
            })
        }
    }
}

/// IPv6's "any" takes IPv4 too (as with `BindIPv6Only=default` of systemd.socket(5) on a machine that
/// nobody changed), unless the same spec has a socket for that.
fn has_ipv4_twin(spec: &SocketSpec, address: SocketAddr) -> bool {
    spec.listen.iter().any(|other| match other.address {
        ListenAddress::Tcp(other) => other.is_ipv4() && other.port() == address.port(),
        _ => false,
    })
}

fn family(address: SocketAddr) -> AddressFamily {
    match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    }
}

fn tcp(address: SocketAddr, backlog: u32, v6_only: bool) -> Result<OwnedFd, Errno> {
    let fd = socket_with(
        family(address),
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // Connections of an earlier listener that are still closing do not keep the port.
    sockopt::set_socket_reuseaddr(&fd, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, v6_only)?;
    }
    rustix::net::bind(&fd, &address)?;
    listen(&fd, length(backlog))?;
    Ok(fd)
}

fn udp(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let fd = socket_with(
        family(address),
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, false)?;
    }
    rustix::net::bind(&fd, &address)?;
    Ok(fd)
}

fn unix(path: &Path, spec: &SocketSpec, owner: Option<(u32, u32)>) -> Result<OwnedFd, Errno> {
    let fd = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::bind(&fd, &SocketAddrUnix::new(path)?)?;
    // Until it listens nobody can connect, whatever its mode is.
    let finish = || -> Result<(), Errno> {
        if let Some((user, group)) = owner {
            let (user, group) = (
                rustix::fs::Uid::from_raw(user),
                rustix::fs::Gid::from_raw(group),
            );
            rustix::fs::chown(path, Some(user), Some(group))?;
        }
        // After chown, which takes bits away.
        rustix::fs::chmod(path, Mode::from_raw_mode(spec.mode & 0o777))?;
        listen(&fd, length(spec.backlog))
    };
    match finish() {
        Ok(()) => Ok(fd),
        Err(error) => {
            // It is ours: bind has just made it. Should it stay, the next try removes it.
            let _ = std::fs::remove_file(path);
            Err(error)
        }
    }
}

fn length(backlog: u32) -> i32 {
    i32::try_from(backlog).unwrap_or(i32::MAX)
}

/// Removes what an earlier listener left at `path`. Errors: why that cannot be, and its number.
fn make_way(path: &Path) -> Result<(), (String, Option<i32>)> {
    let length = path.as_os_str().len();
    if length > PATH_MAX {
        return Err((
            format!(
                "the path is {length} bytes long, and {PATH_MAX} is the most that a socket's may be; choose a shorter one"
            ),
            Some(libc::ENAMETOOLONG),
        ));
    }
    let io = |error: io::Error| {
        let errno = Errno::from_io_error(&error);
        let why = errno.map_or_else(|| error.to_string(), |errno| explain::file(path, errno));
        (why, error.raw_os_error())
    };
    let there = match std::fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io(e)),
    };
    if !there.file_type().is_socket() {
        return Err((
            "something that is no socket is in its place; move it away, or change `listen`".into(),
            Some(libc::EEXIST),
        ));
    }
    match answers(path) {
        Ok(true) => Err((
            explain::file(path, Errno::ADDRINUSE),
            Some(libc::EADDRINUSE),
        )),
        Ok(false) => match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io(e)),
            _ => Ok(()),
        },
        Err(e) => Err(io(e.into())),
    }
}

/// Somebody has the socket at `path`, or it cannot be told.
fn answers(path: &Path) -> Result<bool, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&fd, &SocketAddrUnix::new(path)?) {
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        // A queue that is full, a socket of another type, one that we may not connect to.
        _ => Ok(true),
    }
}
