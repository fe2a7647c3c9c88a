//! The supervisor as a pure, deterministic state machine; [`Supervisor`] has the essay.
//!
//! Architecture invariant: nothing here reads a clock, a file, the environment or a random source.
//! Time and results come in as [`Input`]s, intentions go out as [`Effect`]s.

mod effect;
mod input;
mod record;
pub mod recording;
mod restart;
mod rng;
mod supervisor;
#[cfg(feature = "teeth")]
pub mod teeth;
#[cfg(not(feature = "teeth"))]
mod teeth;
mod timers;
mod view;
mod words;

pub use effect::{Effect, Sweep};
pub use input::{Command, Input, Outcome, UnitDef};
pub use record::{Change, EndWhy, RollingPart, Said, SavedPhase, Turn, UnitRecord};
pub use restart::DEFAULT_RESET_AFTER;
pub use supervisor::Supervisor;
pub use view::{Explanation, PlanChange, PlanStep, UnitView};

use abide_model::{ExitStatus, Mono, Operation, RunId, UnitId, Wall};
use serde::{Deserialize, Serialize};

/// An answer that does not come so long after the time that its effect may take is taken for lost.
/// Generous, so that a machine which is busy with other things makes no unit unhealthy.
pub const ANSWER_SLACK: std::time::Duration = std::time::Duration::from_secs(5);

/// The driver ends hooks in their time, and then whatever they left; this much later the answer was lost.
/// A hook that is cancelled has as long.
pub const HOOK_SLACK: std::time::Duration = std::time::Duration::from_secs(10);

/// So many restarts in a row without a stable run, and a unit counts as crash-looping.
pub const CRASH_LOOP_ROW: u32 = 3;

/// All that was written down, read back.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    /// Per unit.
    pub units: Vec<UnitRecord>,
    /// Unfinished.
    pub operations: Vec<Operation>,
    /// Written in this boot: monotonic deadlines hold.
    pub same_boot: bool,
    /// The last thing written was `Halted`.
    pub halted: bool,
    /// For the random source.
    pub seed: u64,
}

/// What a new daemon found of one recorded run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Observed {
    /// The unit.
    pub unit: UnitId,
    /// The run.
    pub run: RunId,
    /// What it found.
    pub state: ObservedState,
}

/// See [`Observed`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedState {
    /// Alive.
    Alive {
        /// Main process.
        pid: u32,
    },
    /// Ended; others of its tree may be left.
    Exited(ExitStatus),
    /// The same, while nobody held its output: what it wrote last may be lost.
    ExitedUnheld(ExitStatus),
}

/// When the supervisor wants to be woken, on each clock, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deadlines {
    /// On the clock that never jumps.
    pub mono: Option<(Mono, WakeReason)>,
    /// On the calendar.
    pub wall: Option<(Wall, WakeReason)>,
}

/// Why the supervisor wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WakeReason {
    /// A restart is due.
    Restart,
    /// A stop step or the stop's deadline.
    Stop,
    /// Readiness should be there by now.
    Ready,
    /// A beat should be there by now.
    Heartbeat,
    /// A run becomes stable.
    Stable,
    /// A kill was not answered and is asked for again.
    Kill,
    /// A write that failed is tried again.
    Save,
    /// A round of health checks, or its answer, is due.
    Health,
    /// A hook should be done by now.
    Hook,
    /// It is time to look whether anybody uses the unit.
    Idle,
    /// A reload should be done by now.
    Reload,
    /// A program that said it is about to end should have by now.
    SelfStop,
    /// The canaries of a rolling operation have been up for long enough.
    Hold,
}

impl WakeReason {
    pub(crate) const ALL: [Self; 13] = [
        Self::Restart,
        Self::Stop,
        Self::Ready,
        Self::Heartbeat,
        Self::Stable,
        Self::Kill,
        Self::Save,
        Self::Health,
        Self::Hook,
        Self::Idle,
        Self::Reload,
        Self::SelfStop,
        Self::Hold,
    ];
}
