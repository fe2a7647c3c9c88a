use std::io;
use std::time::Duration;

use abide_platform::account::Account;
use abide_platform::control::Place;
use tokio::net::{UnixListener, UnixStream};

/// Takes connections.
pub struct Acceptor {
    listener: UnixListener,
}

impl Acceptor {
    /// Needs a runtime with I/O.
    ///
    /// # Errors
    /// The socket cannot be watched.
    pub fn new(place: Place) -> io::Result<Self> {
        let listener = UnixListener::from_std(place.into_listener())?;
        Ok(Self { listener })
    }

    /// The next connection.
    ///
    /// # Errors
    /// Those of accept(2).
    pub async fn accept(&mut self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

/// Who is at the other end; known to the kernel from the start.
pub async fn account(stream: &UnixStream, _within: Duration) -> Account {
    // A peer that cannot be told is nobody's.
    stream
        .peer_cred()
        .map_or_else(|_| Account::unknown(), |peer| Account::of_user(peer.uid()))
}

/// For tests: connects as a program would.
#[cfg(test)]
pub fn client(home: &std::path::Path) -> io::Result<std::os::unix::net::UnixStream> {
    let address = abide_platform::control::Address::of(home)?;
    std::os::unix::net::UnixStream::connect(address.path())
}
