//! What is written down, so that a new daemon goes on where the old one died.

use abide_model::{LastExit, Mono, Now, Operation, OperationId, Policy, RunId, UnitId, UnitName};
use serde::{Deserialize, Serialize};

/// One change of the durable state; the last one of a key counts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// What is remembered of a unit is this, whole.
    Unit(Box<UnitRecord>),
    /// The unit is forgotten.
    Forgotten(UnitId),
    /// An operation that is not finished.
    Operation(Box<Operation>),
    /// An operation is finished and need not be remembered.
    OperationEnded(OperationId),
    /// `Down` was carried out: every unit is down on purpose.
    Halted,
}

/// What is remembered of one unit. Fields are only ever added, each with a serde default.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct UnitRecord {
    /// Its id.
    pub id: UnitId,
    /// Its name.
    pub name: UnitName,
    /// The source that owns it.
    pub source: String,
    /// Its policy.
    pub policy: Policy,
    /// A person wants it up.
    pub wanted: bool,
    /// Where it stands.
    pub phase: SavedPhase,
    /// The last run that began.
    pub run: Option<RunId>,
    /// Runs below this may have been used: the next daemon starts from here.
    pub run_ceiling: u64,
    /// When the run began.
    pub started: Option<Now>,
    /// Restarts by abide since a person started it.
    pub restarts: u64,
    /// Restarts in a row without a stable run.
    pub row: u32,
    /// When the last restarts were, oldest first, as far as give-up needs them.
    pub recent: Vec<Mono>,
    /// How the last run ended.
    pub last_exit: Option<LastExit>,
}

/// Where a unit stood. Deadlines are of the boot's monotonic clock; on another boot they are void.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedPhase {
    /// Nothing runs and nothing is due.
    Down,
    /// A run was being spawned or is alive.
    Live {
        /// It was ready.
        ready: bool,
    },
    /// A run is being ended.
    Stopping {
        /// What for.
        then: AfterStop,
        /// When the tree is killed.
        deadline: Mono,
    },
    /// A restart is due.
    Backoff {
        /// When.
        due: Mono,
    },
    /// Given up.
    Failed {
        /// Why.
        reason: String,
    },
    /// Ended as it should.
    Exited,
}

/// What a stop is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterStop {
    /// It stays down.
    Rest,
    /// It starts again.
    Start,
    /// It is forgotten.
    Forget,
    /// It counts as a failed run (not ready in time, missed beats).
    Fail,
}
