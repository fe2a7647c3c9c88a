//! What the core tells of itself: a unit's status, why it is so, and what a command would do.

use abide_model::{
    ActualState, DesiredState, Health, LastExit, Mono, Now, Policy, RunId, StopReport, UnitId,
    UnitName,
};

/// All that the core knows of one unit now.
#[derive(Clone, PartialEq, Debug)]
pub struct UnitView<'a> {
    /// Its id.
    pub id: UnitId,
    /// Full name.
    pub name: &'a UnitName,
    /// The source that owns it.
    pub source: &'a str,
    /// Its policy, as last applied, but for the digest of what it runs.
    pub policy: &'a Policy,
    /// The digest of what it runs, as last applied.
    pub launch_digest: u64,
    /// Comes up with the daemon: the policy's word, unless `enable` or `disable` said otherwise since.
    pub enabled: bool,
    /// What is wanted.
    pub desired: DesiredState,
    /// What is.
    pub state: ActualState,
    /// Since when it is in this state.
    pub since: Now,
    /// The current run, or the last one.
    pub run: Option<RunId>,
    /// Main process of the current run, once it is known, until its exit.
    pub pid: Option<u32>,
    /// When the current run's program was executed.
    pub started: Option<Now>,
    /// Up and ready, or waiting for a connection, which its sockets take.
    pub ready: bool,
    /// What its beats say.
    pub health: Health,
    /// Restarts that abide did by itself since a person started the unit.
    pub restarts: u64,
    /// Restarts in a row without a stable run.
    pub row: u32,
    /// The row is [`crate::CRASH_LOOP_ROW`] or longer.
    pub crash_looping: bool,
    /// How the last run ended.
    pub last_exit: Option<&'a LastExit>,
    /// How abide ended a run of it, the last time that it did; or how far it is.
    pub last_stop: Option<&'a StopReport>,
    /// When it will be started (state `backoff`).
    pub next_start: Option<Mono>,
    /// Beats missed in a row.
    pub missed: u32,
    /// Bad rounds of health checks in a row.
    pub failures: u32,
    /// Why the last bad round of this run was bad.
    pub last_error: Option<&'a str>,
    /// Why it is in this state, in words; `None` where the state says it all.
    pub reason: Option<String>,
}

/// The answer to `abide why`, from the core's own state.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    /// What is.
    pub state: ActualState,
    /// What is wanted.
    pub desired: DesiredState,
    /// What brought it into this state.
    pub cause: String,
    /// Which units it waits for, each with what is the matter with it.
    pub waits_for: Vec<(UnitName, String)>,
    /// What will change it by itself, and what a person can do.
    pub changes: Vec<String>,
    /// All of it as lines of text.
    pub lines: Vec<String>,
}

/// What an `Apply` would do with one unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanStep {
    /// Its id: the one that the definition names, or for a removal the known one.
    pub id: UnitId,
    /// Which unit.
    pub unit: UnitName,
    /// What.
    pub change: PlanChange,
}

/// See [`PlanStep`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlanChange {
    /// It becomes known.
    Add {
        /// And is started, as it is enabled.
        starts: bool,
    },
    /// Its policy or its launch changes.
    Change {
        /// It runs, and what it runs changed: it is restarted.
        restarts: bool,
    },
    /// It is stopped and forgotten.
    Remove,
    /// It is left alone.
    Unchanged,
}
