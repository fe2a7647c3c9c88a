//! Long-running work that clients can follow: a command is answered with its operation, and
//! waiting for it is the client's.

use serde::{Deserialize, Serialize};

use crate::{OperationId, UnitName, Wall};

/// What was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Make the daemon agree with a file.
    Up,
    /// Guard one command.
    Run,
    /// Start units.
    Start,
    /// Stop units.
    Stop,
    /// Restart units.
    Restart,
    /// Have units read their configuration again.
    Reload,
    /// Clear `failed` and counters.
    Reset,
    /// Stop and forget units.
    Remove,
    /// Come up with the daemon.
    Enable,
    /// Do not come up with the daemon.
    Disable,
    /// Send a signal.
    Signal,
    /// Change the number of instances.
    Scale,
    /// Stop a file's units and forget them.
    DownFile,
    /// Stop everything, then daemon and keeper.
    Down,
}

/// One piece of work.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// Its number.
    pub id: OperationId,
    /// What was asked.
    pub kind: OperationKind,
    /// When.
    pub since: Wall,
    /// How far it is.
    pub state: OperationState,
    /// What there is to do for each unit concerned, in the order of their names.
    pub steps: Vec<OperationStep>,
    /// Where its units are restarted a few at a time.
    #[serde(default)]
    pub rolling: Option<RollingProgress>,
}

/// Restart a few at a time, and go on only while that goes well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rolling {
    /// How many are restarted first (the canaries), in percent of all; at least one unit.
    pub first: u8,
    /// How long the canaries must stay up before the others follow.
    pub hold: std::time::Duration,
}

/// How far a rolling operation is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RollingProgress {
    /// As asked.
    pub plan: Rolling,
    /// Those that are restarted, in this order; other steps of the operation wait for them.
    #[serde(default)]
    pub units: Vec<UnitName>,
    /// How many of them, from the first on, are the canaries.
    #[serde(default)]
    pub canaries: u32,
    /// How many of `units` had their turn and were found good, or are passed over.
    pub done: u32,
    /// The canaries are watched until then.
    pub hold_until: Option<crate::Mono>,
    /// It was halted: why, and what was done about it.
    pub halted: Option<String>,
}

/// How far an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Some step is pending.
    Running,
    /// Every step is done.
    Done,
    /// No step is pending, and at least one failed.
    Failed,
    /// A later command took its units over.
    Superseded,
}

/// An operation's work for one unit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct OperationStep {
    /// Which unit.
    #[cfg_attr(feature = "api", schema(value_type = String))]
    pub unit: UnitName,
    /// How far.
    pub state: StepState,
    /// Why, in words, when it failed or waits.
    pub note: Option<String>,
}

/// How far a step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not yet.
    Pending,
    /// Done.
    Done,
    /// Will not be done; see the note.
    Failed,
    /// A later command took the unit over.
    Superseded,
}
