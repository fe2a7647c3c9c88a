//! What happened, when and why: the stream behind `abide events`.

use serde::{Deserialize, Serialize};

use crate::{
    ExitStatus, HookKind, MachineEvent, PowerEvent, RunId, SessionEvent, StopReport, UnitName, Wall,
};

mod table;

pub use table::Severity;

/// The version of the stream's form, on the disk and over HTTP (`v`). It grows only if what a client of the
/// version before relies on were to change. New kinds and new fields do not change it: a client passes
/// over what it does not know.
pub const EVENTS_VERSION: u32 = 1;

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

/// What died, so that a daemon had to come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Died {
    /// The daemon; the keeper brought it back.
    #[default]
    Daemon,
    /// The keeper; its daemon started a new one, and with it the next daemon.
    Keeper,
    /// Keeper and daemon; somebody started both again.
    Both,
    /// The machine was restarted without taking abide down; nothing was left alive.
    Machine,
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
        /// Trace ids in the last lines that it wrote, oldest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trace_ids: Vec<String>,
        /// It ended while neither keeper nor daemon was there, so what it wrote last may be missing from its log.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        output_may_be_lost: bool,
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
    /// Its health checks are good again, or for the first time in this run.
    Healthy,
    /// Its health checks fail.
    Unhealthy {
        /// The last round's reason.
        reason: String,
    },
    /// A hook is done.
    HookDone {
        /// Which.
        hook: HookKind,
    },
    /// A hook failed.
    HookFailed {
        /// Which.
        hook: HookKind,
        /// Why.
        reason: String,
    },
    /// The unit was told to read its configuration again.
    UnitReloading,
    /// The unit has read its configuration again, as far as is known.
    UnitReloaded,
    /// The unit has not read its configuration again; it runs on.
    UnitReloadFailed {
        /// Why.
        reason: String,
    },
    /// The program said that it is about to end.
    SelfStopping,
    /// Another process is the unit's main process now.
    MainChanged {
        /// It.
        pid: u32,
    },
    /// Somebody connected to its socket, so it is started.
    Connection,
    /// Its main process is stopped (SIGSTOP and the like), and does nothing.
    ProcessStopped {
        /// By this signal.
        signal: String,
    },
    /// Its main process goes on.
    ProcessContinued,
    /// A message on its notify socket was refused; told once for each reason.
    NotifyRefused {
        /// Why.
        reason: String,
    },
    /// The kernel ended a process of it for want of memory.
    OutOfMemory {
        /// How many so far in this run.
        killed: u64,
        /// The limit that was met, in bytes; null: the machine's own memory.
        limit: Option<u64>,
    },
    /// A rolling operation was halted.
    RollingHalted {
        /// Why, and what was done about it.
        reason: String,
    },
    /// A service of another machine has not reported in time.
    RemoteSilent {
        /// Its name.
        service: String,
        /// Its machine, where it said so.
        host: Option<String>,
        /// Intervals missed in a row.
        missed: u32,
    },
    /// A service of another machine that was silent reports again.
    RemoteBack {
        /// Its name.
        service: String,
        /// Its machine, where it said so.
        host: Option<String>,
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
        /// What died.
        #[serde(default)]
        died: Died,
        /// When it died, in RFC 3339, where somebody saw it.
        #[serde(default)]
        died_at: Option<String>,
        /// How it died, where somebody saw it.
        #[serde(default)]
        died_by: Option<ExitStatus>,
        /// Else when it was last seen at work, in RFC 3339: it died then or later.
        #[serde(default)]
        last_seen_at: Option<String>,
        /// Daemons that died since one was ready; more than one: those in between did not come that far.
        #[serde(default)]
        deaths: u32,
        /// Runs that ended meanwhile.
        #[serde(default)]
        ended: u32,
        /// How many of those ended in a way that nobody knows.
        #[serde(default)]
        ended_unknown: u32,
        /// Of how many of those the last output may be lost.
        #[serde(default)]
        output_may_be_lost: u32,
    },
    /// The daemon goes down as it was asked to.
    DaemonStopping,
    /// Another executable is the daemon now; what ran runs on.
    Upgraded {
        /// The version before, with its build where that is known.
        from: String,
        /// The version now.
        to: String,
        /// The file.
        executable: String,
        /// Runs that went on.
        kept: u32,
        /// For so many milliseconds nothing was decided.
        took_ms: u64,
    },
    /// Another executable was to be the daemon, and is not; what ran runs on.
    UpgradeFailed {
        /// The version before, and now.
        from: String,
        /// The version that it was to be.
        to: String,
        /// The file.
        executable: String,
        /// Why.
        reason: String,
    },
    /// The keeper, too, runs the new executable now: the same process, with the same children.
    KeeperRenewed {
        /// The keeper's own version.
        version: u32,
    },
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
    /// Something else that a person should know.
    Warning {
        /// What. In the API it is the event's own `text`.
        #[serde(default)]
        text: String,
    },
    /// A system log that messages are to go to cannot be reached. What is to be sent waits.
    SystemLogAway {
        /// Which.
        to: String,
        /// Why.
        reason: String,
    },
    /// A system log can be reached again.
    SystemLogBack {
        /// Which.
        to: String,
    },
    /// Output or events were deleted before they could be sent to a system log, or got lost on the way.
    SystemLogLost {
        /// To which.
        to: String,
        /// Bytes of output, so far in all.
        bytes: u64,
        /// Events and single messages, so far in all.
        messages: u64,
        /// Why.
        reason: String,
    },
    /// Abide ended a run, and nothing of it is left.
    StopReport {
        /// Which step of its stop ended it, and what was tried before.
        report: StopReport,
    },
    /// Something happened to a session of the machine: somebody logged on, locked it, or left.
    SessionChanged {
        /// What: `logon`, `logoff`, `lock`, `unlock`, `console_connect`, `console_disconnect`, `remote_connect`,
        /// `remote_disconnect`, or `{"other": NUMBER}` of Windows.
        change: SessionEvent,
        /// The session's number.
        session: u32,
    },
    /// Something happened to the machine's power: it is about to sleep, or has woken up.
    PowerChanged {
        /// What: `suspend`, `resume`, `resume_by_person`, `status` (mains or battery), or `{"other": NUMBER}` of
        /// Windows.
        change: PowerEvent,
    },
    /// What a newer abide wrote into this home, and this one has no word for.
    #[serde(other)]
    Unknown,
}

impl From<MachineEvent> for EventKind {
    fn from(event: MachineEvent) -> Self {
        match event {
            MachineEvent::Session { change, session } => Self::SessionChanged { change, session },
            MachineEvent::Power(change) => Self::PowerChanged { change },
        }
    }
}
