//! Sockets that do not block, waited for with poll(2).

mod datagram;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod udp;

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::log::syslog::Framing;
use crate::log::{Destination, Entry, Identity};
use datagram::{Datagram, Speech};
use stream::Stream;
use udp::Udp;

/// The log of this machine; `None`: there is none.
pub fn of_this_machine() -> Option<Destination> {
    let (journald, syslog) = (crate::log::journald::SOCKET, crate::log::syslog::SOCKET);
    let there = |path: &str| Path::new(path).exists();
    if there(journald) {
        return Some(Destination::Journald(journald.into()));
    }
    there(syslog).then(|| Destination::Local(syslog.into()))
}

/// A receiver that was reached, or is being reached.
#[derive(Debug)]
pub enum Link {
    /// A Unix datagram socket: journald, or this machine's syslog.
    Datagram(Datagram),
    /// UDP.
    Udp(Udp),
    /// A Unix stream socket, TCP, or TLS over it.
    Stream(Box<Stream>),
}

impl Link {
    /// Begins to reach a receiver. A name is looked up with the system's resolver, which takes its time; nothing
    /// else is waited for.
    ///
    /// # Errors
    /// It is not there.
    pub fn open(destination: &Destination) -> io::Result<Self> {
        match destination {
            Destination::Journald(path) => {
                Datagram::open(path, Speech::Journald).map(Self::Datagram)
            }
            Destination::Local(path) => local(path),
            Destination::Udp(address) => Udp::open(address).map(Self::Udp),
            Destination::Tcp(address) => {
                Stream::tcp(address, None).map(|stream| Self::Stream(Box::new(stream)))
            }
            Destination::Tls(address, trust) => {
                Stream::tcp(address, Some(trust)).map(|stream| Self::Stream(Box::new(stream)))
            }
            Destination::EventLog(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the Event Log is that of Windows",
            )),
        }
    }

    /// Hands an entry over. What it began before is finished first; `Ok` means that it was begun, and that
    /// [`Link::flush`] or the next `send` goes on with it.
    ///
    /// # Errors
    /// `WouldBlock`: the receiver took nothing of it by `until`. Anything else: it is gone.
    pub fn send(
        &mut self,
        entry: &Entry<'_>,
        identity: &Identity,
        until: Instant,
    ) -> io::Result<()> {
        match self {
            Self::Datagram(link) => link.send(entry, identity, until),
            Self::Udp(link) => link.send(entry, identity, until),
            Self::Stream(link) => link.send(entry, identity, until),
        }
    }

    /// Waits until all that was begun is with the system.
    ///
    /// # Errors
    /// `WouldBlock`: it is not, by `until`. Anything else: the receiver is gone, and what was not flushed has not
    /// reached it whole.
    pub fn flush(&mut self, until: Instant) -> io::Result<()> {
        match self {
            Self::Datagram(link) => link.flush(until),
            Self::Udp(link) => link.flush(until),
            Self::Stream(link) => link.flush(until),
        }
    }

    /// Messages that were handed over before, and are known now not to have arrived; since the last call.
    pub fn lost(&mut self) -> u64 {
        match self {
            Self::Udp(link) => link.lost(),
            Self::Datagram(_) | Self::Stream(_) => 0,
        }
    }
}

/// syslog(3) does the same: datagrams first.
fn local(path: &Path) -> io::Result<Link> {
    match Datagram::open(path, Speech::Syslog) {
        Ok(link) => Ok(Link::Datagram(link)),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::PROTOTYPE.raw_os_error()) => {
            let stream = Stream::local(path, Framing::Zero)?;
            Ok(Link::Stream(Box::new(stream)))
        }
        Err(error) => Err(error),
    }
}

/// Waits until the socket can be read or written, as asked.
///
/// # Errors
/// `WouldBlock`: it cannot by then.
fn wait(socket: impl AsFd, flags: PollFlags, until: Instant) -> io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // A wait is rounded up, or the last part of a millisecond would be spent in a loop.
        let left = Duration::from_millis(
            u64::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u64::MAX),
        );
        let time = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut sockets = [PollFd::new(&socket, flags)];
        match poll(&mut sockets, Some(&time)) {
            Ok(0) => return Err(io::ErrorKind::WouldBlock.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Does what may have to be waited for, again and again until it is done.
///
/// # Errors
/// `WouldBlock`: it is not done by then. Else what it failed with.
fn patiently<T>(
    socket: impl AsFd,
    flags: PollFlags,
    until: Instant,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait(&socket, flags, until)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
