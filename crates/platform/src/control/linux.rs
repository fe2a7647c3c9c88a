use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// The longest path that a socket's address can hold (`sun_path` of unix(7), less the final NUL).
const LONGEST: usize = 107;

/// Connections that wait until they are taken.
const QUEUE: i32 = 128;

fn socket_of(home: &Path) -> PathBuf {
    home.join("abide.sock")
}

/// A path that a socket's address can hold, for a path of any length: a long one is named through a
/// descriptor of its directory.
#[derive(Debug)]
pub struct Address {
    path: PathBuf,
    /// The short path goes through it.
    _directory: Option<OwnedFd>,
}

impl Address {
    /// Where the daemon of a home is asked.
    ///
    /// # Errors
    /// The directory cannot be opened.
    pub fn of(home: &Path) -> io::Result<Self> {
        Self::of_socket(&socket_of(home))
    }

    fn of_socket(path: &Path) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(Self::plain(path));
        };
        if path.as_os_str().len() <= LONGEST {
            return Ok(Self::plain(path));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(parent, flags, Mode::empty())?;
        let short = format!("/proc/self/fd/{}", directory.as_raw_fd());
        Ok(Self {
            path: Path::new(&short).join(name),
            _directory: Some(directory),
        })
    }

    fn plain(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            _directory: None,
        }
    }

    /// To connect to. Leads there as long as this lives.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The home's socket, listening.
#[derive(Debug)]
pub struct Place {
    listener: UnixListener,
}

impl Place {
    /// Binds and listens, with mode 0600 from the first instant on. What another daemon left there is
    /// replaced in one step: the home's lock says that nobody uses it any more.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn take(home: &Path) -> io::Result<Self> {
        let path = socket_of(home);
        let temporary = path.with_extension("new");
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // Linux gives the path the mode of the unbound socket, less the umask.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        let short = Address::of_socket(&temporary)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(short.path())?)?;
        rustix::net::listen(&socket, QUEUE)?;
        std::fs::rename(&temporary, &path)?;
        Ok(Self {
            listener: UnixListener::from(socket),
        })
    }

    /// By which it is known among what the keeper holds: the inode of its file, so that a daemon sees whether
    /// the file still leads to it.
    ///
    /// # Errors
    /// The file is gone.
    pub fn number(home: &Path) -> io::Result<u64> {
        Ok(std::fs::symlink_metadata(socket_of(home))?.ino())
    }

    /// Goes on with one that the keeper held, if the file still leads to it.
    ///
    /// # Errors
    /// It does not.
    pub fn adopt(home: &Path, number: u64, held: OwnedFd) -> io::Result<Self> {
        let meta = std::fs::symlink_metadata(socket_of(home))?;
        if !meta.file_type().is_socket() || meta.ino() != number {
            return Err(io::Error::other("its file is gone or another one"));
        }
        let listener = UnixListener::from(held);
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// The same one again.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn try_clone(&self) -> io::Result<Self> {
        let listener = self.listener.try_clone()?;
        Ok(Self { listener })
    }

    /// For a runtime that takes connections from it.
    #[must_use]
    pub fn into_listener(self) -> UnixListener {
        self.listener
    }
}

impl From<Place> for OwnedFd {
    fn from(place: Place) -> Self {
        place.listener.into()
    }
}

/// Removes the socket's file: the daemon is taken down.
///
/// # Errors
/// Those of unlink(2).
pub fn remove(home: &Path) -> io::Result<()> {
    std::fs::remove_file(socket_of(home))
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
        let _place = Place::take(&deep).expect("listen");
        let address = Address::of(&deep).expect("address");
        UnixStream::connect(address.path()).expect("connect");
    }

    #[test]
    fn the_socket_is_private_and_replaces_an_old_one() {
        let dir = tempfile::tempdir().expect("tempdir");
        drop(Place::take(dir.path()).expect("listen"));
        let _place = Place::take(dir.path()).expect("listen again");
        let path = socket_of(dir.path());
        UnixStream::connect(&path).expect("connect");
        let mode = std::fs::metadata(&path)
            .expect("metadata")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_socket_whose_file_was_replaced_is_not_gone_on_with() {
        let dir = tempfile::tempdir().expect("dir");
        let place = Place::take(dir.path()).expect("opens");
        let number = Place::number(dir.path()).expect("a number");
        let copy = place.try_clone().expect("copy");
        Place::adopt(dir.path(), number, copy.into()).expect("the same");
        remove(dir.path()).expect("remove");
        let copy = place.try_clone().expect("copy");
        assert!(Place::adopt(dir.path(), number, copy.into()).is_err());
    }
}
