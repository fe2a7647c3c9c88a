use std::io;

use abide_model::{RunId, UnitId};

use super::{Answer, RunTree, Sweep};

/// What the sweeper found out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SweepEvent {
    /// Nothing of the run is left (as far as its [`Sweep`] asked).
    Empty {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// Processes of the run are still there although they were killed a while ago, or cannot be:
    /// said once a run, the hunt goes on.
    Stuck {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// Why, in words.
        reason: String,
    },
    /// A process looks like one of the run, but does not carry its tag: left alone.
    Doubtful {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// The process.
        pid: u32,
        /// Why it is doubtful, in words.
        reason: String,
    },
}

/// The thread that ends trees. Scans are shared by all hunts of the moment; with no hunt it sleeps.
#[derive(Debug)]
pub struct Sweeper {}

impl Sweeper {
    /// Starts the thread. `report` is called on it, and must not block.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn start(report: impl Fn(SweepEvent) + Send + 'static) -> io::Result<Self> {
        let _ = report;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Ends the tree of a run, or watches it end. Never blocks: what can be known at once is
    /// answered, the rest is told by `report`. A later call for the same run replaces an earlier one.
    pub fn kill(&self, tree: &RunTree, sweep: Sweep) -> Answer {
        let _ = (tree, sweep);
        Answer::Pending
    }
}
