use std::io;
use std::time::Duration;

use abide_platform::account::Account;
use abide_platform::control::Place;
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};

/// Takes connections. There is always an instance of the pipe that waits for a client, or one who comes in
/// that moment is told to ask again.
pub struct Acceptor {
    place: Place,
    waiting: Option<NamedPipeServer>,
}

impl Acceptor {
    /// Needs a runtime with I/O.
    ///
    /// # Errors
    /// The pipe gets no instance.
    pub fn new(place: Place) -> io::Result<Self> {
        let waiting = Some(instance(&place)?);
        Ok(Self { place, waiting })
    }

    /// The next connection.
    ///
    /// # Errors
    /// The pipe gets no further instance.
    pub async fn accept(&mut self) -> io::Result<NamedPipeServer> {
        let server = match self.waiting.take() {
            Some(server) => server,
            None => instance(&self.place)?,
        };
        let connected = self.waiting.insert(server).connect().await;
        let server = self.waiting.take();
        // Before anything else, so that the next client finds one.
        self.waiting = instance(&self.place).ok();
        connected?;
        server.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

/// It has the security descriptor of the place, which was the pipe's first instance.
fn instance(place: &Place) -> io::Result<NamedPipeServer> {
    ServerOptions::new()
        .reject_remote_clients(true)
        .create(place.name())
}

/// Who is at the other end: known when something has come from there, for which is waited `within` some time.
pub async fn account(stream: &NamedPipeServer, within: Duration) -> Account {
    // Whoever it is, the answer to the request says what was wrong.
    let _ = tokio::time::timeout(within, stream.readable()).await;
    Account::of_client(stream).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot tell who is at the other end of the pipe");
        Account::unknown()
    })
}

/// For tests: connects as a program would, which asks again while it is busy.
#[cfg(test)]
pub fn client(home: &std::path::Path) -> io::Result<std::fs::File> {
    const BUSY: i32 = 231;
    let address = abide_platform::control::Address::of(home)?;
    let begun = std::time::Instant::now();
    loop {
        let mut options = std::fs::OpenOptions::new();
        match options.read(true).write(true).open(address.name()) {
            Err(error)
                if error.raw_os_error() == Some(BUSY)
                    && begun.elapsed() < Duration::from_secs(60) =>
            {
                std::thread::yield_now();
            }
            answer => return answer,
        }
    }
}
