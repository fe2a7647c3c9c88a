//! Unix datagram sockets. A full queue of the receiver is waited for by poll(2), which needs a connected socket.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Instant;

use rustix::event::PollFlags;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sockopt};

use super::patiently;
use crate::log::link::sealed::sealed;
use crate::log::{Entry, Identity, journald, syslog};

/// What is asked of the system for datagrams; it gives what `net.core.wmem_max` allows.
const SEND_BUFFER: usize = 8 << 20;

/// No receiver takes less.
const LEAST: usize = 1 << 10;

/// A larger entry goes to journald as a file, whatever the system would take: it lies in kernel memory until it is read.
const LARGE: usize = 128 << 10;

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speech {
    /// journald's own protocol.
    Journald,
    /// RFC 5424.
    Syslog,
}

/// A connected socket.
#[derive(Debug)]
pub struct Datagram {
    socket: UnixDatagram,
    speech: Speech,
    /// Larger datagrams were refused.
    max: usize,
    /// Parts of an entry whose first one was sent.
    left: VecDeque<Vec<u8>>,
}

impl Datagram {
    pub fn open(path: &Path, speech: Speech) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        // With less, larger entries take another way.
        let _ = sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
        socket.connect(path)?;
        Ok(Self {
            socket,
            speech,
            max: usize::MAX,
            left: VecDeque::new(),
        })
    }

    pub fn send(
        &mut self,
        entry: &Entry<'_>,
        identity: &Identity,
        until: Instant,
    ) -> io::Result<()> {
        self.flush(until)?;
        match self.speech {
            Speech::Journald => self.send_whole(&journald::frame(entry, identity), until),
            Speech::Syslog => self.send_parts(entry, identity, until),
        }
    }

    pub fn flush(&mut self, until: Instant) -> io::Result<()> {
        while let Some(part) = self.left.front() {
            self.send_one(part, until)?;
            self.left.pop_front();
        }
        Ok(())
    }

    fn send_one(&self, bytes: &[u8], until: Instant) -> io::Result<()> {
        patiently(&self.socket, PollFlags::OUT, until, || {
            self.socket.send(bytes).map(drop)
        })
    }

    fn send_whole(&self, bytes: &[u8], until: Instant) -> io::Result<()> {
        if bytes.len() <= LARGE {
            match self.send_one(bytes, until) {
                Err(error) if is_too_large(&error) => {}
                other => return other,
            }
        }
        let file = sealed(bytes)?;
        patiently(&self.socket, PollFlags::OUT, until, || {
            send_descriptor(&self.socket, file.as_fd())
        })
    }

    fn send_parts(
        &mut self,
        entry: &Entry<'_>,
        identity: &Identity,
        until: Instant,
    ) -> io::Result<()> {
        loop {
            let mut parts: VecDeque<_> = syslog::messages(entry, identity, self.max).into();
            let Some(first) = parts.pop_front() else {
                return Ok(());
            };
            match self.send_one(&first, until) {
                Ok(()) => {
                    self.left = parts;
                    return match self.flush(until) {
                        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
                        _ => Ok(()),
                    };
                }
                Err(error) if is_too_large(&error) && first.len() > LEAST => {
                    self.max = first.len() / 2;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_too_large(error: &io::Error) -> bool {
    let too_large = [rustix::io::Errno::MSGSIZE, rustix::io::Errno::NOBUFS];
    let errno = error.raw_os_error();
    too_large.iter().any(|it| Some(it.raw_os_error()) == errno)
}

/// An empty datagram with a descriptor beside it.
fn send_descriptor(socket: &UnixDatagram, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    beside.push(SendAncillaryMessage::ScmRights(&descriptors));
    rustix::net::sendmsg(
        socket,
        &[IoSlice::new(&[])],
        &mut beside,
        SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
    )?;
    Ok(())
}
