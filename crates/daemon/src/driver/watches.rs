//! What epoll watches beside the driver's own descriptors. Each has a number that is never used
//! again, so an event that was on its way when its descriptor went is nobody's.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use abide_model::{ListenAddress, RunId, UnitId};
use rustix::event::epoll::{self, EventFlags};

use super::run::token;

/// Something that comes and goes, and is watched while it is there.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Watched {
    /// The pidfd of a main process that is no child of the keeper's.
    Stranger(UnitId, RunId),
    /// A unit's notify socket.
    Notify(UnitId),
    /// A listening socket at which units wait for a connection.
    Listener(ListenAddress),
    /// A descriptor that a unit left here: only that it is dead matters.
    Stored(UnitId, u64),
    /// The pipe over which a run says that it is ready.
    ReadyPipe(UnitId, RunId),
}

/// The registry of [`Watched`] things.
#[derive(Default)]
pub struct Watches {
    given: u64,
    by_token: HashMap<u64, Watched>,
    tokens: HashMap<Watched, u64>,
}

impl Watches {
    /// Watches a descriptor; if that is watched already, nothing changes.
    ///
    /// # Errors
    /// epoll_ctl(2) refuses.
    pub fn add(
        &mut self,
        epoll: &OwnedFd,
        fd: impl AsFd,
        flags: EventFlags,
        what: Watched,
    ) -> io::Result<()> {
        if self.tokens.contains_key(&what) {
            return Ok(());
        }
        let number = token::WATCHED + self.given;
        self.given += 1;
        epoll::add(epoll, fd, epoll::EventData::new_u64(number), flags)?;
        self.by_token.insert(number, what.clone());
        self.tokens.insert(what, number);
        Ok(())
    }

    /// Watches it no longer. `fd` is the one that was added, still open.
    pub fn remove(&mut self, epoll: &OwnedFd, fd: impl AsFd, what: &Watched) {
        if let Some(number) = self.tokens.remove(what) {
            self.by_token.remove(&number);
            // Fails only if the descriptor was never added.
            let _ = epoll::delete(epoll, fd);
        }
    }

    /// What the event is about.
    pub fn get(&self, number: u64) -> Option<Watched> {
        self.by_token.get(&number).cloned()
    }
}
