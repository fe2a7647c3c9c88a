//! What others may ask of the driver: requests go into a queue, a wake-up tells the driver, the
//! answer comes back through a channel of its own. Reading needs no request: that is the [`Board`].

mod beats;
mod load;
mod request;

pub use beats::{BeatCounts, BeatDesk, GATHER, Noted};

pub use load::{caller, load_files, load_remembered, load_scaled, load_text};
pub use request::{ConfigSource, Replacement, Reply, Request};

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_core::{Command, Explanation, PlanStep};
use abide_model::api::Upgrading;
use abide_model::{EventKind, Operation, OperationKind, Refusal, Rolling, UnitId};
use tokio::sync::oneshot;

use crate::api::Door;
use crate::board::Board;
use crate::events::EventLog;

/// Requests that may wait for the driver; more are refused, so that a flood of clients cannot pile
/// up memory.
const QUEUE: usize = 1024;

/// Why a request was not answered with what it asked for.
#[derive(Debug)]
pub enum AskError {
    /// The driver (or the board) says no.
    Refused(Refusal),
    /// Too many requests wait already.
    Overloaded,
    /// The driver is gone: the daemon is about to end.
    Gone,
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Overloaded => {
                write!(
                    f,
                    "the daemon has {QUEUE} requests waiting already; try again in a moment"
                )
            }
            Self::Gone => Refusal::ShuttingDown.fmt(f),
        }
    }
}

impl std::error::Error for AskError {}

impl From<Refusal> for AskError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The way to the driver, and to what it publishes. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    board: Arc<Board>,
    events: Arc<EventLog>,
    queue: Arc<Mutex<Queue>>,
    beats: Arc<BeatDesk>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Request>,
    closed: bool,
}

/// The driver's end of the queue. When it is dropped, whoever waits is told that the driver is gone.
#[derive(Debug)]
pub struct Requests {
    queue: Arc<Mutex<Queue>>,
    beats: Arc<BeatDesk>,
}

impl Requests {
    /// The next request, if one waits. Call it until `None` after each wake-up.
    #[must_use]
    pub fn next(&self) -> Option<Request> {
        lock(&self.queue).waiting.pop_front()
    }

    /// The beats that came since the last time. To be looked at after each wake-up, and before
    /// anything is made of missed ones.
    #[must_use]
    pub fn beats(&self) -> Vec<Noted> {
        self.beats.take()
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        drop(waiting); // wakes the askers, outside of the lock
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handle {
    /// A handle and the driver's end. `wake` is called after each request that was put into the
    /// queue, from any thread; it must not block (write an eventfd).
    pub fn new(
        board: Arc<Board>,
        events: Arc<EventLog>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> (Self, Requests) {
        let queue = Arc::new(Mutex::new(Queue::default()));
        let beats = Arc::new(BeatDesk::default());
        let handle = Self {
            board,
            events,
            queue: Arc::clone(&queue),
            beats: Arc::clone(&beats),
            wake: Arc::new(wake),
        };
        (handle, Requests { queue, beats })
    }

    /// What is published.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// What happened.
    #[must_use]
    pub fn events(&self) -> &Arc<EventLog> {
        &self.events
    }

    /// A command for the core ([`Command::Apply`] has its own way: [`Handle::apply`]).
    ///
    /// # Errors
    /// The core's refusal, or the driver cannot be reached.
    pub async fn command(&self, command: Command) -> Result<Operation, AskError> {
        self.ask(|reply| Request::Command { command, reply }).await
    }

    /// Makes each source's units be exactly these.
    ///
    /// # Errors
    /// The core's refusal, or the driver cannot be reached.
    pub async fn apply(
        &self,
        kind: OperationKind,
        sources: Vec<ConfigSource>,
        rolling: Option<Rolling>,
    ) -> Result<Operation, AskError> {
        self.ask(|reply| Request::Apply {
            kind,
            sources,
            rolling,
            reply,
        })
        .await
    }

    /// What [`Handle::apply`] would change.
    ///
    /// # Errors
    /// The core's refusal, or the driver cannot be reached.
    pub async fn plan(&self, sources: Vec<ConfigSource>) -> Result<Vec<PlanStep>, AskError> {
        self.ask(|reply| Request::Plan { sources, reply }).await
    }

    /// Work was done that the driver does not see: when it is quiet again, memory is given back.
    pub fn used(&self) {
        (self.wake)();
    }

    /// Beats: noted here, they reach the driver with the next [`Handle::pass_beats_on`].
    #[must_use]
    pub fn beats(&self) -> &BeatDesk {
        &self.beats
    }

    /// Wakes the driver for beats, as they come and not more often than [`GATHER`] allows; never
    /// returns.
    pub async fn pass_beats_on(&self) {
        loop {
            self.beats.noted().await;
            (self.wake)();
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Has another executable take over. Answered when this daemon leaves for it.
    ///
    /// # Errors
    /// Why it does not take over, or the driver cannot be reached.
    pub async fn upgrade(&self, replacement: Replacement) -> Result<Upgrading, AskError> {
        self.ask(|reply| Request::Upgrade { replacement, reply })
            .await
    }

    /// Has a listening socket of the API outlive this daemon.
    ///
    /// # Errors
    /// The driver cannot be reached; nothing outlives then.
    pub fn keep_door(&self, door: Door, socket: abide_platform::Handle) -> Result<(), AskError> {
        self.put(Request::KeepDoor(door, socket))
    }

    /// The API does not listen there any more.
    ///
    /// # Errors
    /// The driver cannot be reached.
    pub fn drop_door(&self, door: Door) -> Result<(), AskError> {
        self.put(Request::DropDoor(door))
    }

    /// Why a unit is in its state.
    ///
    /// # Errors
    /// The unit is gone, or the driver cannot be reached.
    pub async fn explain(&self, unit: UnitId) -> Result<Explanation, AskError> {
        self.ask(|reply| Request::Explain { unit, reply }).await
    }

    /// Reads again what is remembered and applies it, as SIGHUP asks for; says in the events how it
    /// went. Blocks: on a thread of its own, never on the driver.
    ///
    /// # Errors
    /// A file is not valid (everything goes on as it was), or the core refuses.
    pub fn reload_blocking(&self) -> Result<Operation, AskError> {
        let files = self
            .board
            .daemon()
            .sources
            .into_iter()
            .map(|source| source.file)
            .collect();
        self.load_blocking(files, load_remembered(&self.board, &BTreeMap::new()))
    }

    /// Reads files that the daemon's own command line names, and applies them; says in the events
    /// how it went. Blocks, as [`Handle::reload_blocking`].
    ///
    /// # Errors
    /// A file is not valid (everything goes on as it was), or the core refuses.
    pub fn up_blocking(&self, files: Vec<PathBuf>) -> Result<Operation, AskError> {
        let read = load_files(&self.board, &files, std::env::vars().collect());
        self.load_blocking(files, read)
    }

    fn load_blocking(
        &self,
        files: Vec<PathBuf>,
        read: Result<Vec<ConfigSource>, abide_config::Diagnostics>,
    ) -> Result<Operation, AskError> {
        let answer = read
            .map_err(|mistakes| AskError::Refused(Refusal::InvalidConfig(mistakes.render(false))))
            .and_then(|sources| {
                let (reply, answer) = oneshot::channel();
                self.put(Request::Apply {
                    kind: OperationKind::Up,
                    sources,
                    rolling: None,
                    reply: Reply(reply),
                })?;
                let answer = answer.blocking_recv().map_err(|_| AskError::Gone)?;
                answer.map_err(AskError::Refused)
            });
        let at = abide_platform::clock::now().wall;
        for file in files {
            let file = file.display().to_string();
            let kind = match &answer {
                Ok(_) => EventKind::Reloaded { file },
                Err(error) => EventKind::ReloadFailed {
                    file,
                    reason: error.to_string(),
                },
            };
            self.events.record(at, None, None, kind);
        }
        answer
    }

    async fn ask<T>(&self, make: impl FnOnce(Reply<T>) -> Request) -> Result<T, AskError> {
        let (reply, answer) = oneshot::channel();
        self.put(make(Reply(reply)))?;
        answer
            .await
            .map_err(|_| AskError::Gone)?
            .map_err(AskError::Refused)
    }

    fn put(&self, request: Request) -> Result<(), AskError> {
        let mut queue = lock(&self.queue);
        if queue.closed {
            return Err(AskError::Gone);
        }
        if queue.waiting.len() >= QUEUE {
            return Err(AskError::Overloaded);
        }
        queue.waiting.push_back(request);
        drop(queue);
        (self.wake)();
        Ok(())
    }
}
