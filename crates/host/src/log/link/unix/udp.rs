//! UDP (RFC 5426). Nobody says what arrives; where a machine says that nobody listens, that is heard.

use std::collections::VecDeque;
use std::io;
use std::net::{ToSocketAddrs, UdpSocket};
use std::time::Instant;

use rustix::event::PollFlags;

use super::patiently;
use crate::log::{Address, Entry, Identity, syslog};

/// A connected socket: so that errors come back to it.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    /// Parts of an entry whose first one was sent.
    left: VecDeque<Vec<u8>>,
    /// Something was sent since the last time that an error was looked for.
    sent: bool,
    lost: u64,
}

impl Udp {
    pub fn open(address: &Address) -> io::Result<Self> {
        let mut failed = None;
        for address in (&*address.host, address.port).to_socket_addrs()? {
            let any = if address.is_ipv4() {
                "0.0.0.0:0"
            } else {
                "[::]:0"
            };
            let bound = UdpSocket::bind(any).and_then(|socket| {
                socket.connect(address)?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            });
            match bound {
                Ok(socket) => {
                    return Ok(Self {
                        socket,
                        left: VecDeque::new(),
                        sent: false,
                        lost: 0,
                    });
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::Error::other(format!("{} has no address", address.host))))
    }

    pub fn send(
        &mut self,
        entry: &Entry<'_>,
        identity: &Identity,
        until: Instant,
    ) -> io::Result<()> {
        self.flush(until)?;
        if let Some(error) = self.socket.take_error()? {
            // It is about what was sent before.
            self.lost += u64::from(std::mem::take(&mut self.sent));
            return Err(error);
        }
        self.left = syslog::messages(entry, identity, syslog::MAX_DATAGRAM).into();
        let whole = self.left.len();
        match self.flush(until) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.left.len() < whole => {
                Ok(())
            }
            Err(error) => {
                self.left.clear();
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    pub fn flush(&mut self, until: Instant) -> io::Result<()> {
        while let Some(part) = self.left.front() {
            patiently(&self.socket, PollFlags::OUT, until, || {
                self.socket.send(part).map(drop)
            })?;
            // On this machine the answer is there at once.
            if let Some(error) = self.socket.take_error()? {
                return Err(error);
            }
            self.sent = true;
            self.left.pop_front();
        }
        Ok(())
    }

    pub fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}
