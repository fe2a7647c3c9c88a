//! What comes out of the core: intentions, never system calls.

use std::time::Duration;

use abide_model::{
    EffectId, EventKind, HookKind, OperationId, Refusal, RequestId, RunId, Signal, StopAction,
    UnitId,
};
use serde::{Deserialize, Serialize};

use crate::record::Change;

/// An intention. Each has an id, and its result comes back as [`crate::Input::Done`] with that id
/// where the effect's text says so.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Start a run. Result: `Spawned` or `SpawnFailed`. Must not begin before `after` has its result
    /// (either one: a full disk must not keep a program from starting).
    Spawn {
        /// The unit.
        unit: UnitId,
        /// The run that begins.
        run: RunId,
        /// The `Persist` that made this run's id safe from reuse, where that is not done yet.
        after: Option<EffectId>,
    },
    /// Begin to look whether the run is ready, by the spec's probe; the answer is `Input::Ready`.
    /// Ends by itself with the run.
    WatchReady {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// One round of the unit's health check. Result: `Ok` (good) or `Failed` (bad), within the check's
    /// `timeout`. There is at most one at a time for a unit; it ends by itself with the run.
    Probe {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// Run the unit's hooks of this kind, in order until one fails, each within its time. Result: `Ok`
    /// or `Failed`, when none of their processes is left (or they could not be ended). Must not begin
    /// before `after` has its result, as with `Spawn`.
    RunHook {
        /// The unit.
        unit: UnitId,
        /// The run that it is about.
        run: RunId,
        /// Which.
        hook: HookKind,
        /// The `Persist` that made this run's id safe from reuse, where that is not done yet.
        after: Option<EffectId>,
    },
    /// End the hooks of this kind that run now, and begin none that wait for their `after`; their result
    /// comes all the same. No result.
    CancelHook {
        /// The unit.
        unit: UnitId,
        /// The run that it is about.
        run: RunId,
        /// Which.
        hook: HookKind,
    },
    /// Tell the program to read its configuration again, as its policy says. Result: `Ok` (signal sent,
    /// command ended with 0) or `Failed`, within the reload's time.
    Reload {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// Begin to look for a connection at the unit's sockets. Answered by `Input::Connection`, once.
    WatchSocket(UnitId),
    /// Stop looking for a connection; the program does, or nobody is to. No result.
    UnwatchSocket(UnitId),
    /// Look whether anybody is connected to the unit's sockets. Result: `Ok` (nobody) or `Failed`
    /// (somebody is, or it cannot be known).
    LookIdle {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// The unit's turn in a rolling `Apply` has come: from now on it has what that brought, and a `Spawn`
    /// that follows uses it; what it had before is kept. Until then a unit that an accepted rolling
    /// `Apply` changes goes on with what it had. Said again by a new daemon's core. A later `Apply` of the
    /// unit ends all that without a word: what the unit has then is what it had before. No result.
    Advance(UnitId),
    /// Go back to what the unit had before the rolling `Apply` (or stay with it), for good; a `Spawn`
    /// that follows uses that. May be said twice. No result.
    Revert(UnitId),
    /// The unit keeps what it has now, for good: what it had before, or was to have, is not needed any
    /// more. May be said twice. No result.
    Settled(UnitId),
    /// Ask the run to end: one step of its stop. Result: `Ok` or `Failed`.
    AskStop {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// What to do.
        action: StopAction,
        /// The step's share of the time; a command that takes longer is ended.
        within: Duration,
    },
    /// End every process of the run, for certain. Also valid while its spawn is unanswered.
    /// Answered by `Input::TreeEmpty` (and `Exited` before it, if the main process still lived).
    KillTree {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// How thoroughly before the answer.
        sweep: Sweep,
    },
    /// The main process ended while it was being stopped: say when the rest of the run is gone too, and
    /// end nothing. Answered by `Input::TreeEmpty`, unless a `KillTree` comes before.
    WatchTree {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// Send a signal to the main process. No result.
    Signal {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// Which.
        signal: Signal,
    },
    /// Write a change down. Result: `Ok` or `Failed`. Changes are written in the order they come.
    Persist {
        /// What changed.
        change: Change,
        /// Must survive a loss of power before it counts as done (else: the death of the daemon).
        durable: bool,
    },
    /// What [`crate::Supervisor::unit`] says of this unit is new. No result.
    Publish(UnitId),
    /// What [`crate::Supervisor::operation`] says is new. No result.
    PublishOperation(OperationId),
    /// Something happened. No result.
    Event {
        /// The unit it is about.
        unit: Option<UnitId>,
        /// The run it is about.
        run: Option<RunId>,
        /// What.
        kind: EventKind,
    },
    /// The answer to a command. Must not be given before `after` has its result (either one).
    /// No result.
    Reply {
        /// The command's request.
        request: RequestId,
        /// The operation to follow, or why not.
        answer: Result<OperationId, Refusal>,
        /// The `Persist` that must have a result first.
        after: Option<EffectId>,
    },
    /// The unit is gone, and written down as such: drop its spec, descriptors and FIFOs; its logs stay. No result.
    Forget(UnitId),
    /// Everything is down, as asked by `Down`, and that is written down (or could not be). No result.
    Halt,
}

/// How thoroughly a tree is ended before `TreeEmpty` is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sweep {
    /// After a crash: as soon as the run's control group, or else its process group, is empty;
    /// stragglers that escaped those are hunted in the background.
    Prompt,
    /// After a stop: nothing of the run is left anywhere.
    Thorough,
}
