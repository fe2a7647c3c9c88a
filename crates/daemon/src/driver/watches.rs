//! What the driver waits for beside what it always waits for. Each has a token that is never used
//! again, so an event that was on its way when its object went is nobody's.

use std::collections::HashMap;
use std::io;

use abide_model::{ListenAddress, RunId, UnitId};
use abide_platform::Lend;
use abide_platform::poll::{Interest, Poll};

use super::run::token;

/// Something that comes and goes, and is watched while it is there.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Watched {
    /// A main process whose end the keeper does not tell.
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
    /// Waits for this too; if it is waited for already, nothing changes.
    ///
    /// # Errors
    /// Those of [`Poll::add`].
    pub fn add(
        &mut self,
        poll: &Poll,
        object: impl Lend,
        interest: Interest,
        what: Watched,
    ) -> io::Result<()> {
        if self.tokens.contains_key(&what) {
            return Ok(());
        }
        let number = token::WATCHED + self.given;
        self.given += 1;
        poll.add(object, number, interest)?;
        self.by_token.insert(number, what.clone());
        self.tokens.insert(what, number);
        Ok(())
    }

    /// Waits for it no longer. `object` is the one that was added, still open.
    pub fn remove(&mut self, poll: &Poll, object: impl Lend, what: &Watched) {
        if let Some(number) = self.tokens.remove(what) {
            self.by_token.remove(&number);
            poll.remove(object, number);
        }
    }

    /// What the event is about.
    pub fn get(&self, number: u64) -> Option<Watched> {
        self.by_token.get(&number).cloned()
    }
}
