//! What the user wants of a unit.
//!
//! A [`Spec`] has two halves. [`Policy`] is what the core reads: when to start, restart, stop.
//! [`Launch`] is how to run it: the core sees only a digest of it, so that the dozens of settings
//! that a process can have never enter the state machine.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    CpuSet, ExitClass, HealthCheck, Heartbeat, Hooks, LogSpec, NotifyAccess, Ready, Reload,
    SocketGate, SocketSpec, StopPlan, SuccessExit, UnitName,
};

/// Everything that is wanted of one unit (instances are already told apart).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// Full name.
    pub name: UnitName,
    /// One line for people.
    pub description: Option<String>,
    /// When to start, restart and stop.
    pub policy: Policy,
    /// How to run.
    pub launch: Launch,
    /// What to keep of its output.
    pub log: LogSpec,
    /// Where it was written.
    pub source: Source,
}

/// The place a spec came from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Source {
    /// The configuration file, absolute; for `abide run` the file in the home's `units/`.
    pub file: PathBuf,
    /// 1-based line of the unit's table header.
    pub line: u32,
}

/// What kind of run is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitType {
    /// Should be up all the time.
    #[default]
    Service,
    /// Runs once to its end; up (`exited`) when it ended with success.
    Oneshot,
}

/// What the core reads of a spec.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Policy {
    /// Service or oneshot.
    pub unit_type: UnitType,
    /// Comes up with the daemon.
    pub enabled: bool,
    /// What each class of exit leads to.
    pub restart: Restart,
    /// What counts as success.
    pub success_exit: SuccessExit,
    /// How long to wait before a restart.
    pub backoff: Backoff,
    /// When to stop trying; `None`: never.
    pub give_up: Option<GiveUp>,
    /// How to stop.
    pub stop: StopPlan,
    /// How it reads its configuration again, if it can.
    pub reload: Option<Reload>,
    /// A readiness check; `None`: ready as soon as it runs.
    pub ready: Option<Ready>,
    /// Beats that the program owes.
    pub heartbeat: Option<Heartbeat>,
    /// What is looked at while it runs.
    #[serde(default)]
    pub health: Option<HealthCheck>,
    /// Commands around its runs.
    #[serde(default)]
    pub hooks: Hooks,
    /// Its sockets, as far as they say when it runs.
    #[serde(default)]
    pub socket: Option<SocketGate>,
    /// Must be ready before this starts; pulled in by `start`. Implies order.
    pub requires: Vec<UnitName>,
    /// Are started along, and given the chance to settle (ready or failed) before this starts.
    pub wants: Vec<UnitName>,
    /// Order only: if both start, this one starts after those settled.
    pub after: Vec<UnitName>,
    /// Digest of everything else in the spec that a change of means a new process.
    pub launch_digest: u64,
}

/// A restart policy: a table from class of exit to action.
///
/// `always`, `on-failure` and `never` are three such tables. `on-failure` restarts after an *unknown*
/// exit too: a unit that nobody saw ending is brought back rather than left dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// After every exit that nobody asked for.
    #[default]
    Always,
    /// After every exit but a success.
    OnFailure,
    /// By hand.
    Never,
}

impl Restart {
    /// Whether an exit of this class is followed by a restart.
    #[must_use]
    pub fn restarts(self, class: ExitClass) -> bool {
        match (self, class) {
            (Self::Always, _) => true,
            (Self::OnFailure, ExitClass::Success) | (Self::Never, _) => false,
            (
                Self::OnFailure,
                ExitClass::Failure
                | ExitClass::Signal
                | ExitClass::SpawnFailed
                | ExitClass::Unresponsive
                | ExitClass::Unknown,
            ) => true,
        }
    }
}

/// The wait before a restart.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// At once, always.
    None,
    /// Grows with each restart in a row.
    Exponential(BackoffCurve),
}

/// `initial × factor^(n-1)`, at most `max`, ± `jitter` of it. The first restart after a run of at
/// least `reset_after` is immediate and starts the row anew.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct BackoffCurve {
    /// The wait before the second restart in a row.
    pub initial: Duration,
    /// At least 1.
    pub factor: f64,
    /// Upper bound, jitter included.
    pub max: Duration,
    /// Share of the wait that is random, 0 to 1.
    pub jitter: f64,
    /// A run this long ends the row.
    pub reset_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::Exponential(BackoffCurve {
            initial: Duration::from_millis(100),
            factor: 2.0,
            max: Duration::from_secs(30),
            jitter: 0.1,
            reset_after: Duration::from_secs(10),
        })
    }
}

/// Give up (state `failed`) when more than `restarts` restarts fall `within` this time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GiveUp {
    /// How many are still all right.
    pub restarts: u32,
    /// The window.
    pub within: Duration,
}

/// How to run a unit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// What to execute.
    pub command: Command,
    /// Working directory, absolute.
    pub directory: PathBuf,
    /// Variables, complete but for the documented base that depends on `user`.
    pub environment: EnvironmentSpec,
    /// Run as this user (name or number).
    pub user: Option<String>,
    /// The file with the password that the user logs on with, absolute, where a system asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Primary group (name or number); the user's own by default.
    pub group: Option<String>,
    /// File mode creation mask; 0o022 by default.
    pub umask: u32,
    /// Nice value, -20 to 19.
    pub priority: Option<i32>,
    /// The processors that it and what it starts may run on; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_affinity: Option<CpuSet>,
    /// `oom_score_adj`, -1000 to 1000.
    pub oom_score: Option<i32>,
    /// What stdin is.
    pub stdin: StdinSpec,
    /// Resource limits.
    pub limits: Limits,
    /// It gets a notify socket (`NOTIFY_SOCKET`), and these may speak on it.
    #[serde(default)]
    pub notify: Option<NotifyAccess>,
    /// How many descriptors it may leave with abide over its restarts (`FDSTORE=1` of sd_notify(3)).
    #[serde(default)]
    pub fd_store: u32,
    /// Sockets that abide listens on for it.
    #[serde(default)]
    pub socket: Option<SocketSpec>,
}

/// A command line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A program and its arguments; the program is looked up in the unit's own PATH when it has no `/`.
    Argv(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
}

/// Where the variables come from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct EnvironmentSpec {
    /// In the order they are set: later ones win. Already merged from `inherit`, `environment_file`
    /// and `environment`. The base (PATH, HOME, USER, LOGNAME, SHELL) comes first, from the account.
    pub variables: Vec<(String, String)>,
}

impl EnvironmentSpec {
    /// PATH of a unit that sets none. Configuration looks a program up in it, and the platform starts
    /// the unit with it: both must use this one.
    pub const DEFAULT_PATH: &'static str =
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// The value that counts: the last one of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What a program reads from its standard input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdinSpec {
    /// Nothing: `/dev/null`.
    #[default]
    Null,
    /// A pipe in which nothing comes, and which ends when a stop has it end ([`crate::StopAction::EndOfInput`]).
    Pipe,
}

/// Resource limits: of the whole tree where a control group can be had, and of each process.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Of the whole tree.
    pub tree: CgroupLimits,
    /// Of each process.
    pub process: Vec<Rlimit>,
}

/// Limits that only a control group can enforce.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CgroupLimits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Share of one CPU: 0.5 is half a CPU, 2.0 is two.
    pub cpu: Option<f64>,
    /// Number of processes and threads.
    pub processes: Option<u64>,
    /// Bytes a second read from block devices, each.
    #[serde(default)]
    pub io_read: Option<u64>,
    /// Bytes a second written to block devices, each.
    #[serde(default)]
    pub io_write: Option<u64>,
}

/// One resource limit of setrlimit(2), soft and hard alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rlimit {
    /// Which.
    pub kind: RlimitKind,
    /// The limit; `None`: infinity.
    pub value: Option<u64>,
}

/// The resource limits that a unit can set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RlimitKind {
    /// RLIMIT_NOFILE.
    OpenFiles,
    /// RLIMIT_CORE, bytes.
    CoreSize,
    /// RLIMIT_FSIZE, bytes.
    FileSize,
    /// RLIMIT_STACK, bytes.
    Stack,
    /// RLIMIT_AS, bytes.
    AddressSpace,
    /// RLIMIT_MEMLOCK, bytes.
    LockedMemory,
    /// RLIMIT_CPU, seconds.
    CpuTime,
}
