//! A daemon's start beside the one that it is to take over from.

use std::os::windows::io::OwnedHandle;
use std::sync::Arc;
use std::time::Duration;

use super::channel::Operation;
use super::handles::duplicate;
use super::{KEEPER_FD, KEEPER_PROCESS, SUCCESSOR, hand_over};
use crate::identity::Handle;
use crate::keeper::upgrade::{PREPARED_WITHIN, TURN_WITHIN};
use crate::keeper::wire::{Frame, Kind, SIZE};
use crate::keeper::{KEEPER_VERSION, Launch, LinkError};
use crate::{clock, lock};

/// How often to look whether the daemon before has let go, without a keeper that could say so.
const PAUSE: Duration = Duration::from_millis(5);

/// This process was started to take over from another daemon, which still has the home. In this order:
/// what can be done without the home's lock; [`Successor::prepared`]; [`Successor::turn`]; and then as any
/// daemon does: [`crate::lock::acquire`], [`super::Link::connect`], [`super::Link::ready`].
#[derive(Debug)]
pub struct Successor {
    pipe: Arc<OwnedHandle>,
    /// The keeper that started this process.
    keeper: u32,
}

impl Successor {
    /// `None`: this is a daemon like any other.
    #[must_use]
    pub fn here() -> Option<Self> {
        std::env::var_os(SUCCESSOR)?;
        // The numbers themselves are for the link.
        let [pipe, keeper] = [KEEPER_FD, KEEPER_PROCESS].map(|name| {
            let number = std::env::var(name).ok()?;
            duplicate(&number)
        });
        let keeper = Handle::new(keeper?).ok()?.identity().pid;
        Some(Self {
            pipe: Arc::new(pipe?),
            keeper,
        })
    }

    /// All is done that can be done beside the old daemon: it will be told to yield. To be called within
    /// 30 s of this process's start.
    ///
    /// # Errors
    /// The keeper is gone: [`LinkError::Replaced`].
    pub fn prepared(&self, launch: &Launch) -> Result<(), LinkError> {
        let prepared = Frame::new(Kind::PREPARED, KEEPER_VERSION, [0; 4]);
        let mut writing = Operation::new(&self.pipe)?;
        // The first message of this pipe: there is room.
        match writing.write(&prepared.to_bytes()) {
            Ok(()) if writing.wait(Some(PREPARED_WITHIN))? => Ok(()),
            _ => Err(self.without_keeper(launch)),
        }
    }

    /// Blocks until the old daemon is gone. From then on, 60 s are left to be ready.
    ///
    /// # Errors
    /// The keeper is gone: [`LinkError::Replaced`]; or its line broke.
    pub fn turn(self, launch: &Launch) -> Result<(), LinkError> {
        // One message at a time, so that nothing is read of what the link is told.
        let mut reading = Operation::new(&self.pipe)?;
        loop {
            if reading.read().is_err() {
                return Err(self.without_keeper(launch));
            }
            reading.wait(None)?;
            let Ok(Some(length)) = reading.done() else {
                return Err(self.without_keeper(launch));
            };
            let frames = reading.bytes(length).as_chunks::<SIZE>().0;
            let mut kinds = frames.iter().map(|bytes| Frame::from_bytes(*bytes).kind);
            if kinds.any(|kind| kind == Kind::TURN) {
                return Ok(());
            }
        }
    }

    /// The keeper is gone. The daemon before, as long as it works, makes a new one, and that one's daemon
    /// goes on; if it has ended already, nobody else is left to do so.
    fn without_keeper(&self, launch: &Launch) -> LinkError {
        let deadline = clock::now().mono.after(TURN_WITHIN);
        while clock::now().mono < deadline {
            match lock::keeper(&launch.home) {
                // At its end a process lets go of its handles one after the other: its line to us
                // may be gone before its lock.
                Some(keeper) if keeper == self.keeper => {}
                Some(_) => return LinkError::Replaced,
                None if lock::holder(&launch.home).is_none() => break,
                None => {}
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "the end of a process of which nothing is known but the lock that it has"
            )]
            std::thread::sleep(PAUSE);
        }
        // Before the old daemon ended, its keeper had the home, if it made one.
        if lock::keeper(&launch.home).is_some() {
            return LinkError::Replaced;
        }
        match hand_over(launch, &[]) {
            Ok(()) => LinkError::Replaced,
            Err(error) => error.into(),
        }
    }
}
