use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use abide_model::{RunId, UnitId};

use super::{KeeperEvent, Key, Launch, LinkError, StartError, Table};

/// First of all in `main`, before arguments are parsed: if this process was started as a keeper,
/// be one, and return the code to exit with when all is over. `None`: it was not.
#[must_use]
pub fn enter() -> Option<i32> {
    None
}

/// Starts keeper and daemon in a session of their own, without a terminal, in `/`; standard error
/// goes to the end of `log`.
///
/// # Errors
/// Those of opening `log`, fork(2) and pipe(2).
pub fn start_detached(launch: &Launch, log: &Path) -> Result<Starting, StartError> {
    let _ = (launch, log);
    Err(StartError::Io(io::ErrorKind::Unsupported.into()))
}

/// Turns this process into the keeper, in the foreground (same process id, same standard streams).
/// Returns only when that cannot be done.
#[must_use]
pub fn become_keeper(launch: &Launch) -> io::Error {
    let _ = launch;
    io::ErrorKind::Unsupported.into()
}

/// A daemon on its way up.
#[derive(Debug)]
pub struct Starting {}

impl Starting {
    /// The keeper's process.
    #[must_use]
    pub fn keeper(&self) -> u32 {
        0
    }

    /// Waits until the daemon is ready, or has said why not.
    ///
    /// # Errors
    /// [`StartError`] has the daemon's own words where it said some.
    pub fn wait(self, timeout: Duration) -> Result<(), StartError> {
        let _ = timeout;
        Err(StartError::Io(io::ErrorKind::Unsupported.into()))
    }
}

/// In the daemon: tells whoever waits for it why it does not start. To be called before it exits
/// with an error; does nothing when nobody waits.
pub fn tell_starter(error: &str) {
    let _ = error;
}

/// The keeper is gone: starts a new one, gives it these descriptors, and has it start a new daemon as
/// soon as this process ends, which it should at once (runs go on and are adopted).
///
/// # Errors
/// Those of starting the keeper.
pub fn hand_over(launch: &Launch, descriptors: &[(Key, BorrowedFd<'_>)]) -> io::Result<()> {
    let _ = (launch, descriptors);
    Err(io::ErrorKind::Unsupported.into())
}

/// The daemon's end of the line to its keeper. Nothing here blocks: what the socket does not take
/// waits here; when [`Link::wants_write`], call [`Link::flush`] once the descriptor is writable.
#[derive(Debug)]
pub struct Link {
    fd: OwnedFd,
}

/// What [`crate::spawn`] needs of the link. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeeperSocket {}

impl Link {
    /// Meets the keeper that started this process and takes over its table. To be called once, after
    /// the home's lock is held: only then are all records of the last daemon's children written.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn connect() -> Result<(Self, Table), LinkError> {
        Err(LinkError::NoKeeper)
    }

    /// For spawns.
    #[must_use]
    pub fn socket(&self) -> KeeperSocket {
        KeeperSocket {}
    }

    /// Has the keeper hold a duplicate of `fd` under `key`, instead of what it held there.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated.
    pub fn hold(&mut self, key: Key, fd: BorrowedFd<'_>) -> io::Result<()> {
        let _ = (key, fd);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Has the keeper close what it holds under `key`.
    pub fn release(&mut self, key: Key) {
        let _ = key;
    }

    /// The exit of this run is known for good: the keeper may forget it. Also right for a run that is
    /// still alive in the keeper's table and no longer of interest.
    pub fn taken(&mut self, unit: UnitId, run: RunId) {
        let _ = (unit, run);
    }

    /// The daemon serves: whoever waits for it is told, and from now on it is brought back whatever
    /// its exit code, but for 0 and [`super::EXIT_REFUSED`].
    pub fn ready(&mut self) {}

    /// The daemon will exit on purpose: the keeper ends with it, with the same code. Does not
    /// return before the keeper was told, or is gone.
    pub fn leaving(&mut self) {}

    /// The next event, if there is one. To be called until `None` whenever the descriptor is readable.
    pub fn recv(&mut self) -> Option<KeeperEvent> {
        None
    }

    /// Something waits to be sent.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        false
    }

    /// Sends what the socket takes now.
    pub fn flush(&mut self) {}
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
