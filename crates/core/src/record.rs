//! What is written down, so that a new daemon goes on where the old one died.

use std::time::Duration;

use abide_model::{
    HookKind, LastExit, Mono, Now, Operation, OperationId, Policy, RunId, StopPlan, StopReport,
    UnitId, UnitName,
};
use serde::{Deserialize, Serialize};

use crate::teeth::{Fault, planted};

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
    /// Comes up with the daemon: the policy's word, unless a person said otherwise since.
    pub enabled: bool,
    /// Is wanted up.
    pub wanted: bool,
    /// A person stopped it by name: nothing but a person starts it again.
    pub held: bool,
    /// It is being removed: when its run has ended, it is forgotten.
    pub removing: bool,
    /// Where it stands.
    pub phase: SavedPhase,
    /// Since when.
    pub since: Now,
    /// Why its run is being ended, or will be when its turn comes.
    pub end: Option<EndWhy>,
    /// How to stop the run that lives, where the policy was changed under it.
    pub old_stop: Option<StopPlan>,
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
    /// How the last run ended. Of the run in `run`, if that one's main process ended.
    pub last_exit: Option<LastExit>,
    /// How abide ended a run of it, the last time that it did; or how far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_stop: Option<StopReport>,
    /// When the stop that is under way began to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_begun: Option<Mono>,
    /// The last operation that took the unit.
    pub operation: Option<OperationId>,
    /// Its next start waits for a connection to its sockets.
    #[serde(default)]
    pub awaits_connection: bool,
    /// Its part in a rolling operation that is not over.
    #[serde(default)]
    pub rolling: Option<RollingPart>,
    /// What the program of the run in `run` said of itself.
    #[serde(default, skip_serializing_if = "Said::is_nothing")]
    pub said: Said,
    /// Hooks that hold up nothing, were ordered, and have no answer yet; oldest first. A new daemon runs
    /// them again, once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<UnansweredHook>,
}

impl UnitRecord {
    /// The run had ended when this was written, and the event that tells how was made then.
    pub(crate) fn tells_end_of(&self, run: RunId) -> bool {
        let last = self.last_exit.as_ref();
        self.run > Some(run) || last.is_some_and(|exit| exit.run == run)
    }
}

/// A hook that somebody may be waiting for outside: an alarm, a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnansweredHook {
    /// The run that it is about.
    pub run: RunId,
    /// Which.
    pub hook: HookKind,
    /// It is the second try already: one that ends its own daemon must not do so for ever.
    pub again: bool,
}

/// What a unit has to do with a rolling operation that is not over.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RollingPart {
    /// Which operation.
    pub operation: OperationId,
    /// How far the unit is in it.
    pub turn: Turn,
}

/// How far a unit is in a rolling operation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Not yet; until then it goes on as it was.
    Waiting {
        /// The policy that it gets then; `None`: it is only restarted.
        next: Option<Box<Policy>>,
    },
    /// Its turn came.
    Begun {
        /// The last run before; a later one is of the new version.
        from: Option<RunId>,
        /// It was found good, and the next one's turn could come.
        good: bool,
        /// What it goes back to, if the operation does not go well.
        previous: Option<Box<Policy>>,
    },
    /// It is new: started when all that are restarted were found good, else forgotten.
    Added,
    /// It goes when all that are restarted were found good, else it stays.
    Leaving,
}

/// What a running program said of itself on its notify socket, and will not say again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Said {
    /// It owes a beat this often, whatever its policy says; zero: none.
    #[serde(default)]
    pub beat_every: Option<Duration>,
    /// This process is its main process, not the one that was spawned.
    #[serde(default)]
    pub main: Option<u32>,
    /// It is about to end.
    #[serde(default)]
    pub stopping: bool,
}

impl Said {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a unit stood. Deadlines are of the boot's monotonic clock; on another boot they are void.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedPhase {
    /// Nothing runs and nothing is due.
    Down,
    /// A run was being prepared (`before_start`) or spawned, or is alive.
    Live {
        /// It was ready.
        ready: bool,
    },
    /// A run is to be asked to end when `before_stop` is over; a new daemon runs that again.
    BeforeStop {
        /// It was ready before.
        ready: bool,
    },
    /// A run is being asked to end.
    Stopping {
        /// Which step of the stop plan was begun last.
        step: u32,
        /// That step was carried out; if not, a new daemon repeats it.
        asked: bool,
        /// When the tree is killed.
        deadline: Mono,
        /// When that step's time is over; `None`: the version that wrote this did not say so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step_due: Option<Mono>,
        /// It was ready before.
        ready: bool,
    },
    /// A run's tree is being killed.
    Killing {
        /// It was ready before.
        ready: bool,
    },
    /// No process of a run is left, and `after_stop` is not over; a new daemon runs that again.
    AfterStop,
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

/// Why abide ends a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndWhy {
    /// A person stopped the unit.
    ByHand,
    /// A person restarts it.
    Restart,
    /// What it runs was changed.
    Changed,
    /// A person stopped this unit, which it requires.
    Dependency(UnitName),
    /// The unit is being removed.
    Removed,
    /// Everything goes down.
    Down,
    /// It was not ready in time: counts as a failed run.
    NotReady(Duration),
    /// It missed so many beats: counts as a failed run.
    MissedBeats(u32),
    /// Its health checks failed, for this reason: counts as a failed run.
    Unhealthy(String),
    /// The program said of itself that it is past help: counts as a failed run.
    BeatTrigger,
    /// The program said that it was about to end, and did not within this time: counts as a failed run.
    SelfStopOverdue(Duration),
    /// Nobody has used its sockets for this long; it waits for the next connection.
    Idle(Duration),
    /// What it runs was changed back, as the new one did not go well.
    RolledBack,
    /// The order to spawn it died with the daemon that gave it.
    NeverBegan,
}

impl EndWhy {
    /// The run counts as failed, and the restart table says what follows.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::NotReady(_)
            | Self::MissedBeats(_)
            | Self::Unhealthy(_)
            | Self::BeatTrigger
            | Self::SelfStopOverdue(_) => true,
            Self::Idle(_) => planted(Fault::IdleStopIsFailure),
            Self::ByHand
            | Self::Restart
            | Self::Changed
            | Self::Dependency(_)
            | Self::Removed
            | Self::Down
            | Self::RolledBack
            | Self::NeverBegan => false,
        }
    }
}

/// Reads after "stopping: " and before ": killed by SIGTERM".
impl std::fmt::Display for EndWhy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ByHand => write!(f, "stopped by hand"),
            Self::Restart => write!(f, "restarted by hand"),
            Self::Changed => write!(f, "its configuration changed"),
            Self::Dependency(name) => write!(f, "{name}, which it requires, was stopped by hand"),
            Self::Removed => write!(f, "removed"),
            Self::Down => write!(f, "everything goes down"),
            Self::NotReady(within) => write!(f, "not ready within {within:?}"),
            Self::MissedBeats(1) => write!(f, "missed a heartbeat"),
            Self::MissedBeats(n) => write!(f, "missed {n} heartbeats"),
            Self::Unhealthy(reason) => write!(f, "unhealthy: {reason}"),
            Self::BeatTrigger => write!(f, "it asked for its restart (WATCHDOG=trigger)"),
            Self::SelfStopOverdue(within) => {
                write!(
                    f,
                    "it said it was stopping and did not end within {within:?}"
                )
            }
            Self::Idle(time) => write!(f, "not used for {time:?}"),
            Self::RolledBack => write!(f, "what it ran was changed back"),
            Self::NeverBegan => write!(f, "never began"),
        }
    }
}
