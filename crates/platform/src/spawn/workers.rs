use std::io;

use abide_model::{RunId, UnitId};

use super::{Order, SpawnError, Spawned};

/// Threads that spawn. One is always there; more come while all are busy (one that hangs on a dead
/// disk delays nobody), and go again when idle.
#[derive(Debug)]
pub struct Workers {}

impl Workers {
    /// Starts the first thread. `done` is called on the worker threads, and must not block.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn start(
        done: impl Fn(UnitId, RunId, Result<Spawned, SpawnError>) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let _ = done;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Has this run started. Never blocks. The answer comes through `done`.
    pub fn submit(&self, order: Order) {
        let _ = order;
    }
}
