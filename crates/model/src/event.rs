//! What happened, when and why: the stream behind `abide events`.

use serde::{Deserialize, Serialize};

use crate::{ExitStatus, RunId, UnitName, Wall};

/// One thing that happened. Numbered without gaps within a home.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Grows by one.
    pub seq: u64,
    /// When.
    pub at: Wall,
    /// Which unit, if it is about one.
    pub unit: Option<UnitName>,
    /// Which run, if it is about one.
    pub run: Option<RunId>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. The tag `event` is stable; fields are only ever added.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The unit is known now.
    Added,
    /// Its spec changed.
    Changed,
    /// It is forgotten.
    Removed,
    /// A run began.
    Started {
        /// Main process.
        pid: u32,
    },
    /// The run is ready.
    Ready,
    /// A run ended.
    Exited {
        /// How.
        status: ExitStatus,
        /// In words.
        reason: String,
    },
    /// It will be started again.
    RestartScheduled {
        /// After this many milliseconds.
        delay_ms: u64,
        /// The how-manyth restart in a row.
        attempt: u32,
    },
    /// It keeps crashing.
    CrashLooping,
    /// It has been stable again.
    Stable,
    /// Given up.
    Failed {
        /// Why.
        reason: String,
    },
    /// Asked to stop.
    Stopping {
        /// Why.
        reason: String,
    },
    /// The tree is empty, as wanted.
    Stopped,
    /// The stop's time was over: killed.
    Killed {
        /// Why.
        reason: String,
    },
    /// Waits for something.
    Waiting {
        /// For what.
        reason: String,
    },
    /// Beats were missed.
    HeartbeatMissed {
        /// How many in a row.
        missed: u32,
    },
    /// Found alive by a new daemon.
    Adopted {
        /// Main process.
        pid: u32,
    },
    /// Output could not be kept.
    LogLost {
        /// Bytes so far, in all.
        bytes: u64,
        /// Why.
        reason: String,
    },
    /// Output is kept again.
    LogResumed {
        /// Bytes lost in between.
        bytes: u64,
    },
    /// A limit that was asked for cannot be had.
    LimitUnsupported {
        /// Which.
        limit: String,
        /// Why.
        reason: String,
    },
    /// The daemon is there.
    DaemonStarted {
        /// Its version.
        version: String,
        /// Its process.
        pid: u32,
    },
    /// The daemon came back after it died.
    DaemonRecovered {
        /// Its process.
        pid: u32,
        /// Runs that were found alive.
        adopted: u32,
    },
    /// The daemon goes down as it was asked to.
    DaemonStopping,
    /// Configuration was read again.
    Reloaded {
        /// Which file.
        file: String,
    },
    /// Configuration could not be read; everything goes on as it was.
    ReloadFailed {
        /// Which file.
        file: String,
        /// Why.
        reason: String,
    },
    /// Something about the daemon itself that a person should know.
    Warning {
        /// What.
        text: String,
    },
}
