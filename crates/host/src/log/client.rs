//! Sending to one receiver, which may be away.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::link::Link;
use super::{Destination, Entry, Identity};

/// After the first failure, and at most, until a receiver is tried again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Sends to one receiver, connects when there is something to send, and again when the receiver was away.
///
/// It has no thread of its own and waits no longer than it is told to, but for the system's resolver: where a
/// destination is a name, that is asked while connecting, and may take seconds. So either name an address, or use a
/// thread.
///
/// There are two ways to use it. [`Client::offer`] never waits: what cannot be handed over is counted as lost.
/// [`Client::send`] and [`Client::flush`] tell what became of a message, for those who can send it again.
#[derive(Debug)]
pub struct Client {
    destination: Destination,
    identity: Identity,
    link: Option<Link>,
    absence: Option<Absence>,
    /// A message was begun, and not all of it is known to have reached the system.
    begun: bool,
    counts: Counts,
}

/// The receiver is away.
#[derive(Debug)]
struct Absence {
    pause: Duration,
    retry_at: Instant,
    reason: String,
}

/// What became of messages so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Handed over. What is on its way when a receiver dies is among them (see `docs/system-logs.md`).
    pub sent: u64,
    /// Offered and not taken, or known not to have arrived.
    pub lost: u64,
}

/// Why a message was not sent. Nothing of it counts as sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The receiver is there and takes nothing more at the moment.
    #[error("hand over to the log: it takes nothing more at the moment")]
    Full,
    /// It is not there.
    #[error("reach the log: {reason}")]
    Away {
        /// Not before this it is tried again.
        retry_at: Instant,
        /// Why.
        reason: String,
    },
}

impl Client {
    /// For this destination. Does nothing yet.
    #[must_use]
    pub fn new(destination: Destination, identity: Identity) -> Self {
        Self {
            destination,
            identity,
            link: None,
            absence: None,
            begun: false,
            counts: Counts::default(),
        }
    }

    /// Where it sends to.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// What became of messages so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Sends, or counts the message as lost, but never waits. Returns whether it was taken.
    pub fn offer(&mut self, entry: &Entry<'_>) -> bool {
        let taken = self.send(entry, Duration::ZERO).is_ok();
        self.counts.lost += u64::from(!taken);
        taken
    }

    /// Sends, and waits at most so long for a receiver that is full or is being connected to. `Ok`: it was begun;
    /// it has reached the system when [`Client::flush`] is `Ok`.
    ///
    /// # Errors
    /// [`SendError`]: it was not sent.
    pub fn send(&mut self, entry: &Entry<'_>, patience: Duration) -> Result<(), SendError> {
        let until = Instant::now() + patience;
        // A receiver that was restarted is found out by what is sent to it, and that is then sent to its successor.
        let mut fresh = self.link.is_none();
        loop {
            let begun = self.begun;
            let mut link = self.take_link()?;
            let sent = match link.flush(until) {
                Ok(()) => {
                    let sent = link.send(entry, &self.identity, until);
                    self.counts.lost += link.lost();
                    self.begun = false;
                    sent
                }
                Err(error) => {
                    if error.kind() != ErrorKind::WouldBlock && begun {
                        self.counts.sent -= 1;
                        self.counts.lost += 1;
                        self.begun = false;
                    }
                    Err(error)
                }
            };
            match sent {
                Ok(()) => {
                    self.counts.sent += 1;
                    self.link = Some(link);
                    self.begun = true;
                    self.absence = None;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.link = Some(link);
                    return Err(SendError::Full);
                }
                Err(_) if !fresh => {}
                Err(error) => return Err(self.is_away(&error)),
            }
            fresh = true;
        }
    }

    /// Waits at most so long until all that was begun has reached the system: a local receiver itself, or the kernel's
    /// buffer of a connection.
    ///
    /// # Errors
    /// [`SendError::Full`]: it has not yet. [`SendError::Away`]: it never will, and is to be sent again.
    pub fn flush(&mut self, patience: Duration) -> Result<(), SendError> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        match link.flush(Instant::now() + patience) {
            Ok(()) => {
                self.begun = false;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(SendError::Full),
            Err(error) => {
                self.counts.sent -= u64::from(std::mem::take(&mut self.begun));
                Err(self.is_away(&error))
            }
        }
    }

    /// The link, or a new one where it is time for it.
    fn take_link(&mut self) -> Result<Link, SendError> {
        if let Some(link) = self.link.take() {
            return Ok(link);
        }
        if let Some(absence) = &self.absence
            && Instant::now() < absence.retry_at
        {
            return Err(absence.told());
        }
        Link::open(&self.destination).map_err(|error| self.is_away(&error))
    }

    fn is_away(&mut self, error: &std::io::Error) -> SendError {
        self.link = None;
        let pause = match &self.absence {
            None => PAUSE.0,
            Some(absence) => (absence.pause * 2).min(PAUSE.1),
        };
        let absence = Absence {
            pause,
            retry_at: Instant::now() + pause,
            reason: error.to_string(),
        };
        let told = absence.told();
        self.absence = Some(absence);
        told
    }
}

impl Absence {
    fn told(&self) -> SendError {
        SendError::Away {
            retry_at: self.retry_at,
            reason: self.reason.clone(),
        }
    }
}
