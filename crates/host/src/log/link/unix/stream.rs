//! Streams: Unix sockets, TCP, and TLS over it.
//!
//! ```text
//!  open ──► connecting ──(TLS: shaking hands)──► up ──► a message is begun ──► its rest is written ──► up
//! ```
//!
//! Each step goes on where it stopped, whenever somebody asks for it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

#[cfg(feature = "tls")]
use super::tls::Tls;
use super::{patiently, wait};
use crate::log::syslog::{self, Framing};
use crate::log::{Address, Entry, Identity, Trust};

/// A receiver that is not up so long after it was called is not there.
const REACH: Duration = Duration::from_secs(10);

/// A stream to a receiver.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    state: State,
    framing: Framing,
    /// What of a message is not written yet, and how much of that is.
    rest: Vec<u8>,
    written: usize,
    #[cfg(feature = "tls")]
    tls: Option<Box<Tls>>,
}

#[derive(Debug)]
enum State {
    /// Until then; these addresses are tried next.
    Connecting(Instant, Vec<SocketAddr>),
    /// Until then.
    #[cfg(feature = "tls")]
    ShakingHands(Instant),
    Up,
}

#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(socket) => socket.as_fd(),
            Self::Tcp(socket) => socket.as_fd(),
        }
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(socket) => (&*socket).read(buffer),
            Socket::Tcp(socket) => (&*socket).read(buffer),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(socket) => (&*socket).write(bytes),
            Socket::Tcp(socket) => (&*socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    pub fn local(path: &Path, framing: Framing) -> io::Result<Self> {
        // Such a connection is made at once, or refused.
        let socket = UnixStream::connect(path)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Socket::Unix(socket),
            state: State::Up,
            framing,
            rest: Vec::new(),
            written: 0,
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    pub fn tcp(address: &Address, trust: Option<&Trust>) -> io::Result<Self> {
        #[cfg(not(feature = "tls"))]
        if trust.is_some() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this abide was built without TLS",
            ));
        }
        #[cfg(feature = "tls")]
        let tls = trust
            .map(|trust| Tls::new(&address.host, trust).map(Box::new))
            .transpose()?;
        let found = (&*address.host, address.port).to_socket_addrs()?;
        let mut addresses: Vec<_> = found.collect();
        addresses.reverse();
        let until = Instant::now() + REACH;
        let socket = next(&mut addresses, io::Error::other("the name has no address"))?;
        Ok(Self {
            socket: Socket::Tcp(socket),
            state: State::Connecting(until, addresses),
            framing: Framing::OctetCounting,
            rest: Vec::new(),
            written: 0,
            #[cfg(feature = "tls")]
            tls,
        })
    }

    pub fn send(
        &mut self,
        entry: &Entry<'_>,
        identity: &Identity,
        until: Instant,
    ) -> io::Result<()> {
        self.flush(until)?;
        self.listen()?;
        let message = syslog::framed(self.framing, syslog::message(entry, identity));
        self.begin(message)?;
        match self.flush(until) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            other => other,
        }
    }

    pub fn flush(&mut self, until: Instant) -> io::Result<()> {
        self.reach(until)?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.write(&self.socket, until);
        }
        while self.written < self.rest.len() {
            self.written += patiently(&self.socket, PollFlags::OUT, until, || {
                (&self.socket).write(&self.rest[self.written..])
            })?;
        }
        if !self.rest.is_empty() {
            self.rest = Vec::new();
            self.written = 0;
        }
        Ok(())
    }

    fn begin(&mut self, message: Vec<u8>) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.begin(&message);
        }
        self.rest = message;
        self.written = 0;
        Ok(())
    }

    /// Hears whether the receiver has hung up: else what is written next would be lost unseen.
    fn listen(&mut self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.listen(&self.socket);
        }
        let mut ignored = [0; 256];
        loop {
            match (&self.socket).read(&mut ignored) {
                Ok(0) => return Err(hung_up()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes on until the receiver is there.
    fn reach(&mut self, until: Instant) -> io::Result<()> {
        if let State::Connecting(..) = self.state {
            self.connected(until)?;
        }
        #[cfg(feature = "tls")]
        if let (State::ShakingHands(end), Some(tls)) = (&self.state, &mut self.tls) {
            let end = *end;
            in_time(tls.shake_hands(&self.socket, until.min(end)), end)?;
            self.state = State::Up;
        }
        Ok(())
    }

    fn connected(&mut self, until: Instant) -> io::Result<()> {
        loop {
            let State::Connecting(end, addresses) = &mut self.state else {
                return Ok(());
            };
            let end = *end;
            in_time(wait(&self.socket, PollFlags::OUT, until.min(end)), end)?;
            let Socket::Tcp(socket) = &self.socket else {
                self.state = State::Up;
                return Ok(());
            };
            let Some(error) = socket.take_error()? else {
                // Messages are sent when they are there, and not together with later ones.
                socket.set_nodelay(true)?;
                self.state = State::Up;
                #[cfg(feature = "tls")]
                if self.tls.is_some() {
                    self.state = State::ShakingHands(end);
                }
                return Ok(());
            };
            self.socket = Socket::Tcp(next(addresses, error)?);
        }
    }
}

pub(super) fn hung_up() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionReset,
        "the receiver has closed the connection",
    )
}

/// What would have to be waited for beyond the end is not there.
fn in_time(result: io::Result<()>, end: Instant) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() >= end => {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {} s", REACH.as_secs()),
            ))
        }
        other => other,
    }
}

/// Begins to connect to the next address that this machine has a way to.
fn next(addresses: &mut Vec<SocketAddr>, mut failed: io::Error) -> io::Result<TcpStream> {
    while let Some(address) = addresses.pop() {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => return Ok(TcpStream::from(socket)),
            Err(error) => failed = error.into(),
        }
    }
    Err(failed)
}
