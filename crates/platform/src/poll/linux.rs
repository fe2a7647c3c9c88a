use std::io;
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};

use super::{AT_ONCE, Interest};
use crate::handle::Lend;

/// A set of things to wait for.
#[derive(Debug)]
pub struct Poll(OwnedFd);

/// What a wait told. Its room is used again.
pub struct Events(Vec<epoll::Event>);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.tokens()).finish()
    }
}

impl Events {
    /// With room for some.
    #[must_use]
    pub fn new() -> Self {
        Self(Vec::with_capacity(AT_ONCE))
    }

    /// The tokens of what has happened.
    pub fn tokens(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|event| event.data.u64())
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Self::Input => EventFlags::IN,
            Self::InputAndRoom => EventFlags::IN | EventFlags::OUT,
            Self::Once => EventFlags::IN | EventFlags::ONESHOT,
            // What is dead says so unasked.
            Self::Loss => EventFlags::empty(),
        }
    }
}

impl Poll {
    /// Nothing is waited for yet.
    ///
    /// # Errors
    /// Those of epoll_create1(2).
    pub fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// Waits for this too. It is no longer waited for once its last descriptor is closed.
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    pub fn add(&self, what: impl Lend, token: u64, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(token);
        Ok(epoll::add(&self.0, what.lend(), data, interest.flags())?)
    }

    /// From now on something else of it is waited for.
    ///
    /// # Errors
    /// Those of epoll_ctl(2).
    pub fn change(&self, what: impl Lend, token: u64, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(token);
        Ok(epoll::modify(&self.0, what.lend(), data, interest.flags())?)
    }

    /// Waits for it no longer. What was never added is no matter. An event that was on its way may still be told.
    pub fn remove(&self, what: impl Lend, _token: u64) {
        // Fails only for what was never added.
        let _ = epoll::delete(&self.0, what.lend());
    }

    /// Sleeps until something has happened; what, is in `events` then. That may be nothing: a signal came.
    ///
    /// # Errors
    /// Those of epoll_wait(2).
    pub fn wait(&self, events: &mut Events) -> io::Result<()> {
        events.0.clear();
        let room = rustix::buffer::spare_capacity(&mut events.0);
        match epoll::wait(&self.0, room, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Wakes a thread that waits, from any other.
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Bell {
    /// One whose ring is told with this token.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn new(poll: &Poll, token: u64) -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        poll.add(&fd, token, Interest::Input)?;
        Ok(Self(fd))
    }

    /// Wakes the thread, at its next wait if it is at work.
    pub fn ring(&self) {
        // Fails only when the counter is full, and then it rings already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// It was heard.
    pub fn clear(&self) {
        // A bell that was not rung is no error.
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }
}
