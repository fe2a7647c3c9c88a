//! Commands on behalf of a unit, beside its runs: hooks, commands that reload or stop it, probes that are commands.
//!
//! Each runs in a process tree of its own ([`abide_platform::spawn::spawn_auxiliary`]), has a time-out,
//! and is answered when none of its processes is left: also those that it leaves in the background
//! are ended with it. What cannot be ended (it waits for a disk that does not answer) is waited for
//! [`STUCK`] long, then the answer is given all the same, with a warning.
//!
//! ```text
//!  driver ──run(Job)──► place free? ──► spawn, on a thread ──► wait for its end ─┐
//!         ──cancel────────────────────────────┴──────────────────┤ time-out ─────┤
//!         ◄─Report::Done── tree empty (or STUCK) ◄── sweeper ◄── kill the tree ◄─┘
//! ```
//!
//! One thread waits for all of it, and it is not there until the first command or probe is. Threads that
//! may block (making a process, asking for the address of a name, looking at a file) come and go
//! with their work, and there is a most of them ([`floor::Blocks`]).

mod attend;
mod care;
mod exit;
mod floor;
mod numbers;
mod variables;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use abide_model::{
    Command, EffectId, EnvironmentSpec, HookKind, Launch, Limits, RunId, StdinSpec, UnitId,
    UnitName,
};
use abide_platform::Handle;
use abide_platform::keeper::KeeperSocket;
use abide_platform::tree::Trees;

#[cfg(all(test, unix))]
pub(crate) mod tests;

pub use variables::{About, variables};

use care::{Ask, Care, Ended, Lane};
pub(crate) use floor::{Blocks, Floor};

/// Processes that were killed are waited for so long before the answer is given without them.
pub const STUCK: Duration = Duration::from_secs(5);

/// What the driver is told, from any thread. Must be taken without blocking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// A job, or a round of health checks, is done. `Err`: why it has failed, in words.
    Done {
        /// The effect that asked for it.
        effect: EffectId,
        /// How it went.
        result: Result<(), String>,
    },
    /// The readiness check of the run has succeeded. Said once.
    Ready {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// The readiness check of the run has not succeeded so far, for this reason. Said when the reason
    /// is a new one.
    NotYet {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// Why, in words: "tcp 127.0.0.1:80: connection refused".
        reason: String,
    },
    /// The run has touched its heartbeat file.
    Beat {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// Something that a person should know of the unit.
    Warning {
        /// The unit.
        unit: UnitId,
        /// What, a whole sentence.
        text: String,
    },
}

/// What a job's commands are for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// Hooks of this kind.
    Hook(HookKind),
    /// The unit's reload command.
    Reload,
    /// The command of a step of its stop.
    Stop,
}

impl Purpose {
    /// Something waits for its end.
    fn holds_up(self) -> bool {
        match self {
            Self::Reload | Self::Stop => true,
            Self::Hook(kind) => match kind {
                HookKind::BeforeStart | HookKind::BeforeStop | HookKind::AfterStop => true,
                HookKind::AfterStart
                | HookKind::OnFailure
                | HookKind::OnGiveUp
                | HookKind::OnUnhealthy => false,
            },
        }
    }
}

/// Commands to be run one after the other, until one fails.
#[derive(Debug)]
pub struct Job {
    /// Named in [`Report::Done`], which comes exactly once.
    pub effect: EffectId,
    /// The unit.
    pub unit: UnitId,
    /// Its name, for its control group and for people.
    pub name: UnitName,
    /// The run that it is about, for [`Assistants::cancel`].
    pub run: RunId,
    /// What for.
    pub purpose: Purpose,
    /// Each with how long it may take. Waiting for a place does not count.
    pub commands: Vec<(Command, Duration)>,
    /// How the unit is run: the surroundings of the commands.
    pub launch: Arc<Launch>,
    /// Variables of abide's own, from [`variables`]; set after the launch's.
    pub variables: Vec<(String, String)>,
    /// Standard output, usually from [`abide_platform::pipe::Output::writer`]; `None`: `/dev/null`.
    pub stdout: Option<Handle>,
    /// Standard error; `None`: the same as `stdout`.
    pub stderr: Option<Handle>,
}

/// Runs commands. Cheap to clone; the last clone dropped lets go of its threads.
#[derive(Clone)]
pub struct Assistants {
    care: Arc<Care>,
}

impl Assistants {
    /// Nothing is started yet, but for a short look for what commands of an earlier daemon left
    /// behind, which is ended before anything else is run. `keeper` is for what programs inherit.
    pub fn new(
        trees: Trees,
        keeper: Option<KeeperSocket>,
        report: impl Fn(Report) + Send + Sync + 'static,
    ) -> Self {
        let care = Care::new(trees, keeper, Box::new(report));
        care.end_leftovers();
        Self { care }
    }

    /// Runs a job; the answer is a [`Report::Done`], perhaps from within this call. Never blocks.
    pub fn run(&self, job: Job) {
        self.care.run(job);
    }

    /// Ends the jobs of this run for this purpose, and those that wait for a place; their answers come
    /// all the same, as failures, when their processes are gone. Never blocks.
    pub fn cancel(&self, unit: UnitId, run: RunId, purpose: Purpose) {
        self.care.cancel(unit, run, purpose);
    }

    /// Something waits for the end of a command: a hook or a reload, not a probe.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.care.busy()
    }

    /// Ends all commands, and waits for that at most so long. No more are begun.
    pub fn finish(&self, within: Duration) {
        self.care.finish(within);
    }

    pub(crate) fn floor(&self) -> &Floor {
        self.care.floor()
    }

    pub(crate) fn report(&self, report: Report) {
        self.care.report(report);
    }

    /// Runs a command that is about no unit of this daemon.
    ///
    /// # Errors
    /// How it failed, in words.
    pub async fn errand(&self, errand: Errand) -> Result<(), String> {
        let launch = Launch {
            command: errand.command.clone(),
            directory: errand.directory,
            environment: EnvironmentSpec::default(),
            user: None,
            password_file: None,
            group: None,
            umask: 0o022,
            priority: None,
            cpu_affinity: None,
            oom_score: None,
            stdin: StdinSpec::default(),
            limits: Limits::default(),
            notify: None,
            fd_store: 0,
            socket: None,
        };
        let ask = Ask {
            unit: NO_UNIT,
            name: errand.name,
            launch: Arc::new(launch),
            command: errand.command,
            variables: errand.variables,
            stdout: errand.stdout,
            stderr: None,
            timeout: errand.timeout,
            lane: Lane::Background,
        };
        match self.care.attend(ask).ended().await {
            Ended::Success => Ok(()),
            Ended::Failure(reason) => Err(reason),
        }
    }

    /// Runs a probe's command. Dropping the future ends the command.
    pub(crate) async fn probe(&self, command: ProbeCommand) -> Result<(), String> {
        let ask = Ask {
            unit: command.unit,
            name: command.name,
            launch: command.launch,
            command: Command::Argv(command.argv),
            variables: command.variables,
            stdout: None,
            stderr: None,
            timeout: command.timeout,
            lane: Lane::Probe,
        };
        match self.care.attend(ask).ended().await {
            Ended::Success => Ok(()),
            Ended::Failure(reason) => Err(reason),
        }
    }
}

/// No unit gets this number.
const NO_UNIT: UnitId = UnitId(u32::MAX);

/// See [`Assistants::errand`].
#[derive(Debug)]
pub struct Errand {
    /// What it is about, for its control group.
    pub name: UnitName,
    /// Where it runs.
    pub directory: PathBuf,
    /// What to execute.
    pub command: Command,
    /// Variables of abide's own.
    pub variables: Vec<(String, String)>,
    /// It is ended then, and has failed.
    pub timeout: Duration,
    /// Its standard output; `None`: it goes nowhere.
    pub stdout: Option<Handle>,
}

/// See [`Assistants::probe`]. Its output goes nowhere.
pub(crate) struct ProbeCommand {
    pub unit: UnitId,
    pub name: UnitName,
    pub launch: Arc<Launch>,
    pub argv: Vec<String>,
    pub variables: Vec<(String, String)>,
    pub timeout: Duration,
}
