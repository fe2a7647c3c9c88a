//! The supervisor: what is wanted of each unit, what is, and what to do about the difference.
//!
//! # States
//!
//! What is *wanted* of a unit (up or down) and what *is* are two things. People change the first;
//! the second follows, as far as the world allows.
//!
//! ```text
//!                 wanted, requirements up                 ready at once, or Ready
//!   stopped ─┬──────────────────────────────► starting ───────────────────────────► running
//!      ▲     │ wanted, something is missing      │  │ not ready in time,               │ │
//!      │     ▼                                   │  │ told to stop                     │ │ missed beats,
//!      │  waiting ──requirements up──► starting  │  └──────────┐   ┌───────────────────┘ │ told to stop
//!      │                                         │ Exited      ▼   ▼                     │
//!      │                                         │          stopping ◄──────────────────┘
//!      │  not wanted                             ▼             │ Exited, or its time is over:
//!      ├──────────────────────────────────── KillTree ◄────────┘ WatchTree, KillTree
//!      │                                         │
//!      │                                     TreeEmpty
//!      │                                         │ nobody asked for the end, or it was a failure
//!      │            ┌────────────────┬───────────┴──┬──────────────┐
//!      │            ▼ at once        ▼ later        ▼ no more      ▼ as it should
//!      └─────── (stopped,         backoff         failed         exited
//!                settles on)         └─ due ─► (stopped, settles on)
//! ```
//!
//! A *run* exists from the order to spawn it until its tree is empty; a unit has at most one. Its main
//! process's exit and the emptiness of its tree are two events, and nothing new begins before the
//! second. Every input about a process names its run, and one of another run is dropped: that ends
//! stale exits, stale answers and reused pids in one place ([`Supervisor::current`]).
//!
//! When the main process exited by itself, the rest of its tree is killed at once: a restart must not
//! meet what the last run left. During a stop the rest has what is left of the stop's time, since a
//! shell that obeys the signal at once says nothing of the program that it started (systemd's
//! `KillMode=control-group`): the tree is watched, and killed when the time is over.
//!
//! # Hooks and sockets
//!
//! Commands may be run around a run, and some hold it up: [`hooks`]. A unit may wait for a connection
//! before it starts, and is up meanwhile: [`socket`].
//!
//! # Two phases
//!
//! An input changes a unit and puts it into a queue. First the graph is *settled*: each queued unit is
//! brought one step towards what is wanted, and if that changes what its neighbours see of it
//! ([`unit::Told`]), they are queued too. Then the effects are *emitted*: intentions that were noted
//! on the way, each after the record that must be written before it, and last the answers.
//!
//! # Order
//!
//! A unit starts when all it `requires` is up, and all it names in `wants` and `after` had its chance.
//! A run that is to end waits for its turn while a unit that depends on it is itself still ending: so
//! the order of a stop is the reverse of the order of a start, and what does not depend on each other
//! stops at the same time. A run that failed (not ready, missed beats) waits for nobody.
//!
//! # Change recipes
//!
//! A new cause to end a run: [`crate::EndWhy`], and the place that sets `run.end`. A new reason to
//! wait: [`settle`]. A new command: `command.rs`, and what it must write down in `record.rs`.

mod apply;
mod beats;
mod command;
mod emit;
mod explain;
mod graph;
mod health;
mod hooks;
mod notify;
mod operation;
mod policy;
mod reload;
mod report;
mod resume;
mod rolling;
mod run;
mod settle;
mod socket;
mod stop;
mod unit;
mod units;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use abide_model::{
    EffectId, EventKind, HookKind, Now, Operation, OperationId, Refusal, RequestId, RunId, UnitId,
    UnitName,
};

use crate::rng::Rng;
use crate::teeth::{Fault, planted};
use crate::timers::{Owner, Timers};
use crate::{
    Change, Deadlines, Effect, Explanation, Input, Observed, Outcome, PlanStep, Saved, UnitDef,
    UnitView, WakeReason,
};

use graph::Graph;
use operation::Operations;
use policy::Policies;
use unit::Run;
use units::Units;

/// So many effects have room at any time.
const OUT: usize = 64;

/// The supervisor of one home: takes inputs, gives effects.
///
/// After every `handle` and `handle_timeout` the driver drains [`Supervisor::poll_effect`] and
/// sleeps until the earliest of [`Supervisor::poll_timeout`]. After `resume` it does the same, and
/// reads all of [`Supervisor::units`] once.
#[derive(Debug)]
pub struct Supervisor {
    now: Now,
    rng: Rng,
    units: Units,
    policies: Policies,
    sources: BTreeMap<Arc<str>, BTreeSet<UnitId>>,
    graph: Graph,
    timers: Timers,
    operations: Operations,
    /// How many units have a run.
    live: usize,
    halt: Halt,
    /// Rolling operations that may have a next step to take.
    rolling_due: BTreeSet<OperationId>,
    /// Those that are to be halted, at which unit and why.
    rolling_halts: BTreeMap<OperationId, (UnitName, String)>,

    // The first phase: units to settle, in the order they were woken.
    queue: VecDeque<UnitId>,
    queued: BTreeSet<UnitId>,
    /// Those that were settled; their operations are told when all are.
    settled: BTreeSet<UnitId>,

    // Notes for the second phase.
    intents: Vec<Effect>,
    touched: BTreeSet<UnitId>,
    /// Units whose record changed, and whether that must survive a loss of power.
    unsaved: BTreeMap<UnitId, bool>,
    changes: Vec<Change>,
    replies: Vec<(RequestId, Result<OperationId, Refusal>)>,

    // Its results.
    out: VecDeque<(EffectId, Effect)>,
    last_effect: u64,
    /// Effects whose results matter, by what they are to.
    awaited: BTreeMap<EffectId, Awaited>,
    /// A failed write was told of; told again only after one succeeded.
    storage_trouble: bool,
    steps: u64,
}

/// What an effect whose result matters was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Awaited {
    Spawn(UnitId),
    AskStop(UnitId),
    Save(UnitId),
    Hook(UnitId, RunId, HookKind),
    LookIdle(UnitId),
    Probe(UnitId),
    Reload(UnitId),
    Halted,
}

/// Whether everything goes down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Halt {
    No,
    /// As this operation asks.
    Asked(OperationId),
    /// All is down; it is being written down.
    Saving(OperationId, EffectId),
    Halted(OperationId),
}

impl Supervisor {
    /// An empty supervisor. `seed` feeds the jitter of backoffs.
    #[must_use]
    pub fn new(seed: u64, now: Now) -> Self {
        Self {
            now,
            rng: Rng::new(seed),
            units: Units::default(),
            policies: Policies::default(),
            sources: BTreeMap::new(),
            graph: Graph::default(),
            timers: Timers::default(),
            operations: Operations::default(),
            live: 0,
            halt: Halt::No,
            rolling_due: BTreeSet::new(),
            rolling_halts: BTreeMap::new(),
            queue: VecDeque::new(),
            queued: BTreeSet::new(),
            settled: BTreeSet::new(),
            intents: Vec::new(),
            touched: BTreeSet::new(),
            unsaved: BTreeMap::new(),
            changes: Vec::new(),
            replies: Vec::new(),
            out: VecDeque::new(),
            last_effect: 0,
            awaited: BTreeMap::new(),
            storage_trouble: false,
            steps: 0,
        }
    }

    /// Goes on where an earlier daemon died: `saved` is what it wrote down, `observed` what is still
    /// there of its runs (also runs that began after the last record was written).
    #[must_use]
    pub fn resume(saved: Saved, observed: Vec<Observed>, now: Now) -> Self {
        let mut supervisor = Self::new(saved.seed, now);
        supervisor.restore(saved, observed);
        supervisor.finish_turn();
        supervisor
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.set_now(now);
        match input {
            Input::Command { request, command } => {
                let answer = self.command(command);
                let dropped = answer.is_err() && planted(Fault::ReplyDropped);
                if !dropped {
                    self.replies.push((request, answer));
                }
            }
            Input::Done { effect, outcome } => self.done(effect, outcome),
            Input::Exited { unit, run, status } => {
                if self.current(unit, run).is_some() {
                    self.exited(unit, status);
                }
            }
            Input::TreeEmpty { unit, run } => {
                if self.current(unit, run).is_some() {
                    self.tree_empty(unit);
                }
            }
            Input::Ready { unit, run } => {
                if self.current(unit, run).is_some() {
                    self.told_ready(unit);
                }
            }
            Input::Beat { unit, run } => {
                if self.current(unit, run).is_some() {
                    self.beat(unit);
                }
            }
            Input::BeatInterval { unit, run, every } => {
                if self.current(unit, run).is_some() {
                    self.beat_interval(unit, every);
                }
            }
            Input::BeatTrigger { unit, run } => {
                if self.current(unit, run).is_some() {
                    self.beat_trigger(unit);
                }
            }
            Input::Reloading { unit, run } => {
                if self.current(unit, run).is_some() {
                    self.said_reloading(unit);
                }
            }
            Input::SelfStopping { unit, run } => {
                if self.current(unit, run).is_some() {
                    self.self_stopping(unit);
                }
            }
            Input::MainChanged { unit, run, pid } => {
                if self.current(unit, run).is_some() {
                    self.main_changed(unit, pid);
                }
            }
            Input::OutOfMemory {
                unit,
                run,
                killed,
                limit,
            } => {
                if self.current(unit, run).is_some() {
                    self.out_of_memory(unit, killed, limit);
                }
            }
            Input::ExtendTimeout { unit, run, by } => {
                if self.current(unit, run).is_some() {
                    self.extend_timeout(unit, by);
                }
            }
            Input::Connection { unit } => self.connection(unit),
            // Every deadline is on the clock that never jumps.
            Input::ClockChanged => {}
        }
        self.finish_turn();
    }

    /// Does all that is due at `now`. Afterwards the next deadline is later than `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.set_now(now);
        while let Some((owner, reason)) = self.timers.pop_due(self.now.mono) {
            self.steps += 1;
            match (owner, reason) {
                (Owner::Unit(unit), WakeReason::Restart) => self.wake(unit),
                (Owner::Unit(unit), WakeReason::Stop) => self.stop_time_over(unit),
                (Owner::Unit(unit), WakeReason::Ready) => self.not_ready_in_time(unit),
                (Owner::Unit(unit), WakeReason::Heartbeat) => self.beat_missed(unit),
                (Owner::Unit(unit), WakeReason::Stable) => self.became_stable(unit),
                (Owner::Unit(unit), WakeReason::Kill) => self.kill_again(unit),
                (Owner::Unit(unit), WakeReason::Save) => self.save(unit, true),
                (Owner::Unit(unit), WakeReason::Health) => self.check_due(unit),
                (Owner::Unit(unit), WakeReason::Reload) => self.reload_overdue(unit),
                (Owner::Unit(unit), WakeReason::SelfStop) => self.self_stop_overdue(unit),
                (Owner::Unit(unit), WakeReason::Hook) => self.hook_time_over(unit),
                (Owner::Unit(unit), WakeReason::Idle) => self.look_idle(unit),
                (Owner::Operation(operation), WakeReason::Hold) => {
                    self.rolling_due.insert(operation);
                }
                (Owner::Unit(_) | Owner::Operation(_), _) => {}
                (Owner::Supervisor, _) => self.halt_without_disk(),
            }
            self.settle();
        }
        self.finish_turn();
    }

    /// The next intention, oldest first.
    pub fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        let next = self.out.pop_front();
        if self.out.is_empty() && self.out.capacity() > OUT {
            // A thousand units that start leave room behind for thousands of effects.
            self.out = VecDeque::new();
        }
        next
    }

    /// When `handle_timeout` is to be called next, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Deadlines {
        Deadlines {
            mono: self.timers.next(),
            wall: None,
        }
    }

    /// What is known of a unit.
    #[must_use]
    pub fn unit(&self, id: UnitId) -> Option<UnitView<'_>> {
        self.units.get(&id).map(|unit| self.view(unit))
    }

    /// What is known of all units, by id.
    pub fn units(&self) -> impl Iterator<Item = UnitView<'_>> {
        self.units.values().map(|unit| self.view(unit))
    }

    /// The unit of that name.
    #[must_use]
    pub fn id_of(&self, name: &UnitName) -> Option<UnitId> {
        self.graph.id(name)
    }

    /// An operation, as it is now; of the finished ones the last hundred are kept.
    #[must_use]
    pub fn operation(&self, id: OperationId) -> Option<&Arc<Operation>> {
        self.operations.get(id)
    }

    /// Whether the result of this effect is still waited for. A `Spawn` that had to wait for something
    /// must not be carried out when it is not: its run was ended before it began.
    #[must_use]
    pub fn awaits(&self, effect: EffectId) -> bool {
        self.awaited.contains_key(&effect)
    }

    /// Why a unit is in its state, and what would change it.
    #[must_use]
    pub fn explain(&self, id: UnitId, now: Now) -> Option<Explanation> {
        self.units.get(&id).map(|unit| self.explanation(unit, now))
    }

    /// What `Command::Apply` of these sources would do, decided by the same code.
    ///
    /// # Errors
    /// The refusal that the command would get.
    pub fn plan(&self, sources: &[(String, Vec<UnitDef>)]) -> Result<Vec<PlanStep>, Refusal> {
        self.planned(sources)
    }

    /// Whether `Command::Apply` of these sources would be taken with `rolling`.
    ///
    /// # Errors
    /// The refusal that the command would get.
    pub fn check_rolling(&self, sources: &[(String, Vec<UnitDef>)]) -> Result<(), Refusal> {
        self.planned_rolling(sources)
    }

    /// Elementary steps taken so far (units settled, edges followed, deadlines met, effects emitted):
    /// the cost of an event, independent of the number of units.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn set_now(&mut self, now: Now) {
        // The clock never goes back; a caller that read it early must not move it back either.
        self.now = Now {
            mono: now.mono.max(self.now.mono),
            wall: now.wall,
        };
    }

    /// The run, if it is the unit's current one.
    fn current(&mut self, unit: UnitId, run: RunId) -> Option<&mut Run> {
        let current = self.units.get_mut(&unit)?.run_mut()?;
        (current.id == run || planted(Fault::DroppedRunIdCheck)).then_some(current)
    }

    /// An effect has its result.
    fn done(&mut self, effect: EffectId, outcome: Outcome) {
        // An answer to what is not awaited (any more) is late or doubled.
        let Some(awaited) = self.awaited.remove(&effect) else {
            return;
        };
        match (awaited, outcome) {
            (Awaited::Spawn(unit), Outcome::Spawned { pid }) => self.spawned(unit, pid),
            (
                Awaited::Spawn(unit),
                Outcome::SpawnFailed { reason } | Outcome::Failed { reason },
            ) => {
                self.spawn_failed(unit, reason);
            }
            (Awaited::AskStop(unit), Outcome::Failed { reason }) => {
                self.stop_step_failed(unit, reason);
            }
            (Awaited::AskStop(unit), Outcome::Asked { how }) => {
                self.stop_step_done(unit, Some(how));
            }
            (Awaited::AskStop(unit), _) => self.stop_step_done(unit, None),
            (Awaited::Save(unit), Outcome::Failed { reason }) => self.save_failed(unit, reason),
            (Awaited::Save(unit), _) => self.saved(unit),
            (Awaited::LookIdle(unit), outcome) => self.looked_idle(unit, outcome == Outcome::Ok),
            (Awaited::Hook(unit, run, hook), outcome) => {
                let result = match outcome {
                    Outcome::Ok | Outcome::Asked { .. } | Outcome::Spawned { .. } => Ok(()),
                    Outcome::Failed { reason } | Outcome::SpawnFailed { reason } => Err(reason),
                };
                self.hook_done(effect, (unit, run, hook), result);
            }
            (Awaited::Probe(unit), outcome) => self.probe_answered(unit, outcome),
            (Awaited::Reload(unit), outcome) => self.reload_answered(unit, outcome),
            (Awaited::Halted, _) => self.halted(),
            // An `Ok` to a spawn says nothing of a process: there is none.
            (Awaited::Spawn(unit), Outcome::Ok | Outcome::Asked { .. }) => {
                self.spawn_failed(unit, "the answer names no process".into());
            }
        }
    }

    /// Settles what was woken, then emits.
    fn finish_turn(&mut self) {
        self.settle();
        self.emit();
    }

    /// The unit is to be settled.
    fn wake(&mut self, unit: UnitId) {
        if self.queued.insert(unit) {
            self.queue.push_back(unit);
        }
    }

    /// The unit's record changed; what is shown of it, too.
    fn save(&mut self, unit: UnitId, durable: bool) {
        *self.unsaved.entry(unit).or_default() |= durable;
        self.touch(unit);
    }

    /// What is shown of the unit changed.
    fn touch(&mut self, unit: UnitId) {
        self.touched.insert(unit);
        self.wake(unit);
    }

    fn event(&mut self, unit: UnitId, run: Option<RunId>, kind: EventKind) {
        self.intents.push(Effect::Event {
            unit: Some(unit),
            run,
            kind,
        });
    }
}
