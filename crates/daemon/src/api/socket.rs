//! The home's socket.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// The longest path that a socket's address can hold (`sun_path` of unix(7), less the final NUL).
const LONGEST: usize = 107;

/// A path that a socket's address can hold, for a path of any length: a long one is named through a
/// descriptor of its directory, which must stay open for as long as the path is used.
///
/// # Errors
/// The directory cannot be opened.
pub fn socket_address(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok((path.to_owned(), None));
    };
    if path.as_os_str().len() <= LONGEST {
        return Ok((path.to_owned(), None));
    }
    let flags =
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let directory = rustix::fs::open(parent, flags, Mode::empty())?;
    let short = format!("/proc/self/fd/{}", directory.as_raw_fd());
    Ok((Path::new(&short).join(name), Some(directory)))
}

/// Binds and listens, with mode 0600 from the first instant on. What another daemon left at the path
/// is replaced in one step: the home's lock says that nobody uses it any more.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    let temporary = path.with_extension("new");
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Linux gives the path the mode of the unbound socket, less the umask.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    let (short, _directory) = socket_address(&temporary)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(&short)?)?;
    rustix::net::listen(&socket, 128)?;
    std::fs::rename(&temporary, path)?;
    Ok(UnixListener::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_home_with_a_very_long_path_has_a_socket_too() {
        let dir = tempfile::tempdir().expect("tempdir");
        let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).expect("mkdir");
        let path = deep.join("abide.sock");
        let _listener = listen(&path).expect("listen");
        let (short, _directory) = socket_address(&path).expect("address");
        UnixStream::connect(short).expect("connect");
    }

    #[test]
    fn the_socket_is_private_and_replaces_an_old_one() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("abide.sock");
        drop(listen(&path).expect("listen"));
        let _listener = listen(&path).expect("listen again");
        UnixStream::connect(&path).expect("connect");
        let mode = std::fs::metadata(&path)
            .expect("metadata")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
