//! What goes into the core: commands of people, results of effects, and what the OS did.

use std::time::Duration;

use abide_model::{
    EffectId, ExitStatus, OperationKind, Policy, RequestId, Rolling, RunId, Signal, UnitId,
    UnitName,
};
use serde::{Deserialize, Serialize};

/// Everything that can happen to the supervisor, time-outs aside.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A person or a program asks for something. Answered by [`crate::Effect::Reply`] with the same id.
    Command {
        /// Names the request in its reply.
        request: RequestId,
        /// What is asked.
        command: Command,
    },
    /// An effect was carried out, or could not be.
    Done {
        /// Which one.
        effect: EffectId,
        /// How it went.
        outcome: Outcome,
    },
    /// The main process of a run ended. Its tree may still have members.
    Exited {
        /// The unit.
        unit: UnitId,
        /// The run; an input of an old run is dropped.
        run: RunId,
        /// How.
        status: ExitStatus,
    },
    /// No process of the run is left. Comes after `Exited`, as an answer to `KillTree` or `WatchTree`.
    TreeEmpty {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// The run's readiness check succeeded, or while it reloads: it says that it has.
    Ready {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// The program reported in.
    Beat {
        /// The unit.
        unit: UnitId,
        /// The run that the driver knew when the beat came.
        run: RunId,
    },
    /// From now on the run owes a beat this often, whatever its policy says.
    BeatInterval {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// The interval; zero: none is owed.
        every: Duration,
    },
    /// The program says of itself that it is past help: as if all its beats were missed.
    BeatTrigger {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// The program says that it reads its configuration again; `Ready` follows.
    Reloading {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// The program says that it is about to end by itself.
    SelfStopping {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// Another process is the run's main process now; `Exited` will be said of that one.
    MainChanged {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// The process.
        pid: u32,
    },
    /// The program needs more time for what it is at: start, reload or stop must not be taken for
    /// overdue before so much time has passed from now.
    ExtendTimeout {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// How long.
        by: Duration,
    },
    /// The kernel ended processes of the run for want of memory. Comes before `Exited` if the main
    /// process is one of them.
    OutOfMemory {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// How many so far in this run.
        killed: u64,
        /// The limit of the run that was met, in bytes; `None`: the machine's own memory.
        limit: Option<u64>,
    },
    /// Somebody waits for an answer at one of the unit's sockets.
    Connection {
        /// The unit.
        unit: UnitId,
    },
    /// The calendar was set; monotonic deadlines are not concerned.
    ClockChanged,
}

/// One unit of an [`Command::Apply`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct UnitDef {
    /// The driver gives a name the same id for as long as the unit is known, and a new id to a new unit.
    pub id: UnitId,
    /// Full name.
    pub name: UnitName,
    /// What the core reads of its spec.
    pub policy: Policy,
}

/// What a person can ask for. Patterns are resolved to ids before they come here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Make each source's units be exactly these: new ones are added (and started if enabled),
    /// changed ones changed (restarted if `launch_digest` differs), missing ones stopped and
    /// removed, equal ones left alone. All sources are checked together (cycles, unknown
    /// dependencies, a unit that another source owns) before anything is done.
    Apply {
        /// `Up`, `Run` or `Scale`.
        kind: OperationKind,
        /// A source's name (its file) and all its units.
        sources: Vec<(String, Vec<UnitDef>)>,
        /// Running units whose launch changed are restarted a few at a time; if that does not go well,
        /// all of them are brought back to what they were.
        rolling: Option<Rolling>,
    },
    /// Want these up. Pulls in what they require. Clears `failed`.
    Start(Vec<UnitId>),
    /// Want these down until a person wants otherwise. Units that require them are stopped first, and
    /// wait (still wanted up) until these are back.
    Stop(Vec<UnitId>),
    /// Stop, then start. Units that require them are left alone, as after a crash.
    Restart(Vec<UnitId>),
    /// Restart a few at a time, waiting for readiness, and go on only while that goes well.
    RestartRolling {
        /// Which.
        units: Vec<UnitId>,
        /// How.
        plan: Rolling,
    },
    /// Have them read their configuration again. Refused for units that have no `reload`.
    Reload(Vec<UnitId>),
    /// Clear `failed`, the restart counter, the row of crashes and a pending backoff.
    Reset(Vec<UnitId>),
    /// Stop and forget.
    Remove(Vec<UnitId>),
    /// Come up with the daemon.
    Enable(Vec<UnitId>),
    /// Do not come up with the daemon. A running unit runs on.
    Disable(Vec<UnitId>),
    /// Send a signal to the main process.
    Signal(Vec<UnitId>, Signal),
    /// Stop a source's units and forget them.
    DownSource(String),
    /// Stop everything in reverse order of start, without changing what is wanted; then `Halt`.
    Down,
}

/// The result of an effect.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// `Spawn`: the program was executed.
    Spawned {
        /// Its main process.
        pid: u32,
    },
    /// `Spawn`: it was not; no process is left of the try.
    SpawnFailed {
        /// What could not be done, in words ("cannot execute /x/y: no such file").
        reason: String,
    },
    /// The effect was carried out (`Persist`: it is on the disk as far as asked).
    Ok,
    /// `AskStop`: the same, and what the system did where that is not what the step's name says.
    Asked {
        /// In words: "Ctrl-C in 1 console".
        how: String,
    },
    /// It could not be.
    Failed {
        /// Why.
        reason: String,
    },
}
