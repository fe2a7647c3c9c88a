//! What is true of a unit now: the shape of `abide status --json`.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::StopReport;

/// What is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DesiredState {
    /// Should be up.
    Up,
    /// Should be down.
    Down,
}

/// What is.
///
/// ```text
///            ┌──────────────── start ───────────────┐
///            ▼                                      │
///        waiting ──gates open──► starting ──ready──► running
///            ▲                      │ exit            │ exit
///            │                      ▼                 ▼
///        backoff ◄──────────── (restart?) ────────────┤
///            │ too often            │ no              │ stop
///            ▼                      ▼                 ▼
///         failed               exited | failed     stopping ──tree empty──► stopped
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActualState {
    /// Down, as wanted.
    Stopped,
    /// Wants to start but waits for a dependency, a lease, a quota or a trigger.
    Waiting,
    /// Spawned, not yet ready.
    Starting,
    /// Up.
    Running,
    /// Asked to end; its tree is not empty yet.
    Stopping,
    /// Will be restarted at a known time.
    Backoff,
    /// Given up: a person must act.
    Failed,
    /// Ended as it should.
    Exited,
}

impl ActualState {
    /// The word that `status` shows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Failed => "failed",
            Self::Exited => "exited",
        }
    }
}

impl fmt::Display for ActualState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Beside the state, never instead of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nobody checks, or no answer yet.
    #[default]
    Unknown,
    /// The last answers were good.
    Healthy,
    /// Too many answers or beats were missed.
    Unhealthy,
}

/// One element of `abide status --json`. What is not known is null, never absent (but from
/// `/v1/brief`).
/// Times are RFC 3339 in UTC.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct UnitStatus {
    /// Full name.
    #[cfg_attr(feature = "api", schema(value_type = String))]
    pub name: String,
    /// The part before `:`.
    pub group: Option<String>,
    /// The part after `@`.
    pub instance: Option<String>,
    /// `service` or `oneshot`.
    pub kind: String,
    /// Comes up with the daemon.
    pub enabled: bool,
    /// What is wanted.
    pub desired: DesiredState,
    /// What is.
    pub state: ActualState,
    /// Since when.
    pub state_since: Option<String>,
    /// What checks and beats say.
    pub health: Health,
    /// Up and ready.
    pub ready: bool,
    /// Main process of the current run.
    pub pid: Option<u32>,
    /// The current run, or the last one.
    pub run_id: Option<u64>,
    /// When the current run started.
    pub started_at: Option<String>,
    /// Restarts that abide did by itself since the unit was last started by a person.
    pub restarts: u64,
    /// It keeps crashing: the last runs ended before they were stable.
    pub crash_looping: bool,
    /// How the last run ended.
    pub last_exit: Option<LastExitStatus>,
    /// How abide ended a run of it, the last time that it did; or how far it is.
    #[serde(default)]
    #[cfg_attr(feature = "api", schema(required))]
    pub last_stop: Option<StopReport>,
    /// When it will be started (backoff).
    pub next_start: Option<String>,
    /// Why it is in this state, in words.
    pub reason: Option<String>,
    /// CPU use of the whole tree, 100 = one CPU; since the last look, else over the run's life.
    pub cpu_percent: Option<f64>,
    /// Resident memory of the whole tree.
    pub memory_bytes: Option<u64>,
    /// Number of processes of the tree.
    pub processes: Option<u64>,
    /// What the OS says of the main process: `running sleeping blocked stopped zombie`.
    pub os_state: Option<String>,
    /// Bytes that the whole tree has read from block devices.
    pub io_read_bytes: Option<u64>,
    /// Bytes that the whole tree has written to block devices.
    pub io_write_bytes: Option<u64>,
    /// What the program last said of itself (`STATUS=` of sd_notify(3)).
    pub status_text: Option<String>,
    /// Beats, where the unit owes some.
    pub heartbeat: Option<HeartbeatStatus>,
    /// Health checks, where the unit has some.
    pub health_check: Option<HealthStatus>,
    /// Addresses that abide listens on for it.
    #[serde(default)]
    #[cfg_attr(feature = "api", schema(required))]
    pub sockets: Vec<String>,
    /// Descriptors that it left with abide.
    #[serde(default)]
    #[cfg_attr(feature = "api", schema(required))]
    pub fds_stored: u32,
    /// What was sent in its name and refused, since the daemon came.
    #[serde(default)]
    #[cfg_attr(feature = "api", schema(required))]
    pub refused: RefusedStatus,
    /// The log.
    #[serde(default)]
    #[cfg_attr(feature = "api", schema(required))]
    pub log: LogStatus,
    /// Limits that were asked for and cannot be had here.
    #[serde(default)]
    #[cfg_attr(feature = "api", schema(required))]
    pub limits_unsupported: Vec<LimitUnsupported>,
    /// Where its spec stands.
    pub source: Option<SourceStatus>,
    /// `guard`; `remote` for a service of another machine that reports here.
    pub mode: String,
    /// The machine that it runs on, for `remote`.
    pub host: Option<String>,
}

impl UnitStatus {
    /// Of a service of which no more is known than this.
    #[must_use]
    pub fn bare(name: String, mode: &str, desired: DesiredState, state: ActualState) -> Self {
        Self {
            name,
            group: None,
            instance: None,
            kind: "service".into(),
            enabled: true,
            desired,
            state,
            state_since: None,
            health: Health::Unknown,
            ready: false,
            pid: None,
            run_id: None,
            started_at: None,
            restarts: 0,
            crash_looping: false,
            last_exit: None,
            last_stop: None,
            next_start: None,
            reason: None,
            cpu_percent: None,
            memory_bytes: None,
            processes: None,
            os_state: None,
            io_read_bytes: None,
            io_write_bytes: None,
            status_text: None,
            heartbeat: None,
            health_check: None,
            sockets: Vec::new(),
            fds_stored: 0,
            refused: RefusedStatus::default(),
            log: LogStatus::default(),
            limits_unsupported: Vec::new(),
            source: None,
            mode: mode.into(),
            host: None,
        }
    }
}

/// `last_exit` of [`UnitStatus`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct LastExitStatus {
    /// Exit code.
    pub code: Option<i32>,
    /// Signal's name.
    pub signal: Option<String>,
    /// When.
    pub at: String,
    /// In words.
    pub reason: String,
    /// Which run.
    pub run_id: u64,
    /// It ended while neither keeper nor daemon was there, so what it wrote last may be missing from its log.
    #[serde(default)]
    pub output_may_be_lost: bool,
}

/// `heartbeat` of [`UnitStatus`].
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct HeartbeatStatus {
    /// When the last one arrived.
    pub last_at: Option<String>,
    /// Intervals missed in a row.
    pub missed: u32,
    /// The sender's clock minus ours at the last beat.
    pub drift_ms: Option<i64>,
}

/// `health_check` of [`UnitStatus`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct HealthStatus {
    /// Bad rounds in a row.
    pub failures: u32,
    /// Why the last bad round of this run was bad.
    pub last_error: Option<String>,
}

/// `refused` of [`UnitStatus`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct RefusedStatus {
    /// Beats.
    pub beats: u64,
    /// Messages on its notify socket.
    pub notifications: u64,
}

/// `log` of [`UnitStatus`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct LogStatus {
    /// Bytes of output that could not be kept (full, hung or vanished disk).
    pub bytes_lost: u64,
    /// Why the log is not being written right now.
    pub trouble: Option<String>,
}

/// A limit that this machine cannot enforce.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct LimitUnsupported {
    /// The key in the configuration, such as `memory`.
    pub limit: String,
    /// Why not.
    pub reason: String,
}

/// `source` of [`UnitStatus`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct SourceStatus {
    /// File.
    #[cfg_attr(feature = "api", schema(value_type = String))]
    pub file: PathBuf,
    /// 1-based line.
    pub line: u32,
}
