//! One unit: what is wanted of it, and where it stands.

use std::collections::VecDeque;
use std::sync::Arc;

use abide_model::{
    ActualState, EffectId, HookKind, LastExit, Mono, Now, OperationId, Policy, RunId, StopPlan,
    StopReport, UnitId, UnitName, UnitType,
};

use crate::record::{EndWhy, RollingPart, Said, SavedPhase, UnansweredHook, UnitRecord};
use crate::supervisor::beats::Beats;
use crate::supervisor::health::Checks;
use crate::supervisor::policy::KeptPolicy;
use crate::supervisor::reload::Reloading;
use crate::{CRASH_LOOP_ROW, Sweep};

/// How many run ids are reserved on the disk at a time.
const RUN_BLOCK: u64 = 64;

/// A unit. What is wanted (`wanted`, `removing`) and what is (`phase`) are two things; settling
/// brings the second towards the first.
#[derive(Debug)]
pub(super) struct Unit {
    pub id: UnitId,
    pub name: UnitName,
    pub source: Arc<str>,
    pub policy: KeptPolicy,
    pub enabled: bool,
    pub wanted: bool,
    pub held: bool,
    pub removing: bool,
    pub phase: Phase,
    /// The state that was shown last, and since when.
    pub shown: ActualState,
    pub since: Now,
    pub run_ids: RunIds,
    pub last_run: Option<RunId>,
    pub started: Option<Now>,
    pub restarts: u64,
    pub row: u32,
    pub recent: Vec<Mono>,
    pub last_exit: Option<Box<LastExit>>,
    pub last_stop: Option<Box<StopReport>>,
    pub operation: Option<(OperationId, Goal)>,
    /// Its part in a rolling operation; not always the same one, as a later command may have it, too.
    pub rolling: Option<Box<RollingPart>>,
    /// The last write of its record, while it has no result.
    pub saving: Option<EffectId>,
    /// Its policy is on the disk. If not, a run waits for that: a new daemon must not take a run of
    /// the new configuration for one of the old.
    pub policy_saved: bool,
    /// Its next start waits for a connection, if it has sockets.
    pub awaits_connection: bool,
    /// Its sockets are being watched for a connection.
    pub watched: bool,
    /// When connections started it lately.
    pub calls: Vec<Mono>,
    /// Hooks that hold up nothing and have no answer yet, oldest first.
    pub beside: VecDeque<Beside>,
    /// What its neighbours in the graph were told of it.
    pub told: Told,
}

/// A hook that holds up nothing and has no answer yet.
#[derive(Debug)]
pub(super) struct Beside {
    pub ordered: UnansweredHook,
    /// The order; `None`: it is about to go out.
    pub effect: Option<EffectId>,
}

/// Where a unit stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing runs. If the unit is wanted, settling moves it on.
    Stopped,
    /// Would start, but for its dependencies.
    Waiting,
    /// Would start, but nobody has connected to its sockets yet.
    Listening,
    /// A run exists, from the order to spawn it to the emptiness of its tree.
    Live(Box<Run>),
    /// A restart is due.
    Backoff { due: Mono },
    /// Given up.
    Failed { reason: String },
    /// Ended as it should.
    Exited,
}

/// One execution.
#[derive(Debug)]
pub(super) struct Run {
    pub id: RunId,
    /// When it was ordered.
    pub ordered: Mono,
    /// The order, while it has no answer.
    pub spawn: Option<EffectId>,
    pub pid: Option<u32>,
    pub ready: bool,
    /// Its main process ended.
    pub exited: bool,
    /// Why it is ended: begun if the stage says so, else due when its turn comes.
    pub end: Option<EndWhy>,
    pub stage: Stage,
    /// The question whether anybody uses it, while it has no answer.
    pub look: Option<EffectId>,
    /// How to stop it, where the policy was changed under it.
    pub old_stop: Option<StopPlan>,
    /// When it was first asked to end, or killed because it was to.
    pub stop_begun: Option<Mono>,
    /// It said that it is ready before its spawn was answered.
    pub said_ready: bool,
    pub ready_at: Option<Mono>,
    /// It said that it is about to end.
    pub stopping_itself: bool,
    /// It asked for time: nothing that it is at is overdue before this.
    pub not_before: Mono,
    /// When the kernel last ended processes of it for want of memory, and the limit that was met.
    pub out_of_memory: Option<(Mono, Option<u64>)>,
    /// Its main process, where that is not the one that was spawned.
    pub main: Option<u32>,
    pub beats: Beats,
    pub checks: Checks,
    pub reload: Option<Box<Reloading>>,
}

/// How far the end of a run is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing was done to end it.
    Alive,
    /// It was asked to end.
    Asked {
        step: usize,
        /// The order, while it has no answer.
        effect: Option<EffectId>,
        /// The step was carried out.
        confirmed: bool,
        /// When the step's time is over.
        until: Mono,
        /// When all of it is over.
        deadline: Mono,
    },
    /// Its tree is being killed, for the `tries`th time.
    Killing { sweep: Sweep, tries: u32 },
    /// It is held up by a hook.
    Hook(Held),
}

/// A hook that holds up its run.
#[derive(Debug)]
pub(super) struct Held {
    pub by: Holding,
    /// The order, while it has no answer.
    pub effect: Option<EffectId>,
    pub since: Mono,
    /// Its result does not matter any more, only that it is over.
    pub cancelled: bool,
}

impl Held {
    pub(super) fn begun(by: Holding, now: Mono) -> Self {
        Self {
            by,
            effect: None,
            since: now,
            cancelled: false,
        }
    }
}

/// The hooks that hold up a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holding {
    /// No process of the run is there yet.
    BeforeStart,
    /// Its main process lives, or ended meanwhile.
    BeforeStop,
    /// No process of the run is left.
    AfterStop,
}

impl Holding {
    pub(super) fn kind(self) -> HookKind {
        match self {
            Self::BeforeStart => HookKind::BeforeStart,
            Self::BeforeStop => HookKind::BeforeStop,
            Self::AfterStop => HookKind::AfterStop,
        }
    }
}

/// What an operation wants of a unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Goal {
    Up,
    Down,
    Gone,
}

/// What a unit's neighbours in the graph depend on; they are woken when it changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Told {
    /// Satisfies `requires`.
    pub up: bool,
    /// Satisfies `wants` and `after`: it had its chance.
    pub settled: bool,
    /// Has a run that is to end.
    pub leaving: bool,
    /// Will not come up by itself (stopped by hand, given up, or waiting for such a unit), or keeps
    /// crashing.
    pub hopeless: bool,
}

/// The numbers of runs: never used twice, though not every use is on the disk.
#[derive(Debug)]
pub(super) struct RunIds {
    next: u64,
    /// Numbers below this are reserved by the record.
    pub ceiling: u64,
    /// Numbers below this are reserved by a record that is on the disk.
    pub safe: u64,
}

impl RunIds {
    /// For a new unit.
    pub(super) fn fresh() -> Self {
        Self {
            next: 1,
            ceiling: 1 + RUN_BLOCK,
            safe: 0,
        }
    }

    /// After the daemon died: every number below `ceiling`, and up to `seen`, may be used.
    pub(super) fn resumed(ceiling: u64, seen: Option<RunId>) -> Self {
        let next = ceiling.max(seen.map_or(0, |run| run.0.saturating_add(1)));
        Self {
            next,
            ceiling,
            safe: ceiling,
        }
    }

    /// The next number, and whether a new block was taken for it.
    pub(super) fn take(&mut self) -> (RunId, bool) {
        let run = self.next;
        self.next = self.next.saturating_add(1);
        // Half a block early, so that a restart waits for no disk.
        let extend = run + RUN_BLOCK / 2 >= self.ceiling;
        if extend {
            self.ceiling = run + 1 + RUN_BLOCK;
        }
        (RunId(run), extend)
    }
}

impl Unit {
    pub(super) fn run(&self) -> Option<&Run> {
        match &self.phase {
            Phase::Live(run) => Some(run),
            _ => None,
        }
    }

    pub(super) fn run_mut(&mut self) -> Option<&mut Run> {
        match &mut self.phase {
            Phase::Live(run) => Some(run),
            _ => None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.run().is_some()
    }

    /// It has a run that is being ended, or will be when its turn comes.
    pub(super) fn is_leaving(&self) -> bool {
        self.run().is_some_and(|run| run.end.is_some())
    }

    /// Satisfies `requires`: running and ready, or a oneshot that ended with success, or its sockets take
    /// connections and one will start it. Not while it is being ended, so that nothing starts on what is
    /// about to go.
    pub(super) fn is_up(&self) -> bool {
        match &self.phase {
            Phase::Live(run) => {
                self.policy.unit_type == UnitType::Service
                    && self.wanted
                    && run.ready
                    && !run.stopping_itself
                    && !run.exited
                    && run.end.is_none()
            }
            Phase::Exited => self.policy.unit_type == UnitType::Oneshot && self.wanted,
            Phase::Listening => self.wanted,
            _ => false,
        }
    }

    pub(super) fn is_crash_looping(&self) -> bool {
        self.row >= CRASH_LOOP_ROW
    }

    pub(super) fn state(&self) -> ActualState {
        match &self.phase {
            Phase::Stopped => ActualState::Stopped,
            Phase::Waiting | Phase::Listening => ActualState::Waiting,
            Phase::Backoff { .. } => ActualState::Backoff,
            Phase::Failed { .. } => ActualState::Failed,
            Phase::Exited => ActualState::Exited,
            Phase::Live(run) => match &run.stage {
                Stage::Alive if run.ready => ActualState::Running,
                Stage::Alive => ActualState::Starting,
                Stage::Hook(held) if held.by == Holding::BeforeStart && !held.cancelled => {
                    ActualState::Starting
                }
                Stage::Asked { .. } | Stage::Killing { .. } | Stage::Hook(_) => {
                    ActualState::Stopping
                }
            },
        }
    }

    /// Why nothing is done for it, where it is not wanted up.
    pub(super) fn why_it_rests(&self) -> &'static str {
        if self.held {
            "stopped by hand"
        } else {
            "not enabled"
        }
    }

    /// A person starts it: what abide counted by itself begins anew.
    pub(super) fn forget_crashes(&mut self) {
        self.restarts = 0;
        self.row = 0;
        self.recent.clear();
    }

    /// All names that it depends on, `requires` first.
    pub(super) fn names_needed(&self) -> impl Iterator<Item = &UnitName> {
        names_needed(&self.policy)
    }

    pub(super) fn record(&self) -> UnitRecord {
        let run = self.run();
        UnitRecord {
            id: self.id,
            name: self.name.clone(),
            source: self.source.to_string(),
            policy: self.policy.whole(),
            enabled: self.enabled,
            wanted: self.wanted,
            held: self.held,
            removing: self.removing,
            phase: self.saved_phase(),
            since: self.since,
            end: run.and_then(|run| run.end.clone()),
            old_stop: run.and_then(|run| run.old_stop.clone()),
            run: self.last_run,
            run_ceiling: self.run_ids.ceiling,
            started: self.started,
            restarts: self.restarts,
            row: self.row,
            recent: self.recent.clone(),
            last_exit: self.last_exit.as_deref().cloned(),
            last_stop: self.last_stop.as_deref().cloned(),
            stop_begun: run.and_then(|run| run.stop_begun),
            operation: self.operation.map(|(id, _)| id),
            awaits_connection: self.awaits_connection,
            rolling: self.rolling.as_deref().cloned(),
            said: run.map(Run::said).unwrap_or_default(),
            unanswered: self.unanswered().collect(),
        }
    }

    /// An `after_start` is not worth a second try: its run is long up, or gone.
    fn unanswered(&self) -> impl Iterator<Item = UnansweredHook> {
        let hooks = self.beside.iter().map(|beside| beside.ordered);
        hooks.filter(|ordered| ordered.hook != HookKind::AfterStart)
    }

    fn saved_phase(&self) -> SavedPhase {
        match &self.phase {
            Phase::Stopped | Phase::Waiting | Phase::Listening => SavedPhase::Down,
            Phase::Backoff { due } => SavedPhase::Backoff { due: *due },
            Phase::Failed { reason } => SavedPhase::Failed {
                reason: reason.clone(),
            },
            Phase::Exited => SavedPhase::Exited,
            Phase::Live(run) => match &run.stage {
                Stage::Alive => SavedPhase::Live { ready: run.ready },
                Stage::Hook(held) => match held.by {
                    Holding::BeforeStart => SavedPhase::Live { ready: false },
                    Holding::BeforeStop => SavedPhase::BeforeStop { ready: run.ready },
                    Holding::AfterStop => SavedPhase::AfterStop,
                },
                &Stage::Asked {
                    step,
                    confirmed,
                    until,
                    deadline,
                    ..
                } => SavedPhase::Stopping {
                    step: u32::try_from(step).unwrap_or(u32::MAX),
                    asked: confirmed,
                    deadline,
                    step_due: Some(until),
                    ready: run.ready,
                },
                Stage::Killing { .. } => SavedPhase::Killing { ready: run.ready },
            },
        }
    }
}

impl Run {
    /// Nothing was done to end it. A quick program is heard before the news that it was executed.
    pub(super) fn is_heard(&self) -> bool {
        matches!(self.stage, Stage::Alive) && !self.exited
    }

    /// Its program was executed, and nothing was done to end it.
    pub(super) fn is_alive(&self) -> bool {
        self.is_heard() && self.spawn.is_none()
    }

    pub(super) fn held(&self) -> Option<&Held> {
        match &self.stage {
            Stage::Hook(held) => Some(held),
            _ => None,
        }
    }

    pub(super) fn held_mut(&mut self) -> Option<&mut Held> {
        match &mut self.stage {
            Stage::Hook(held) => Some(held),
            _ => None,
        }
    }

    /// It is held up by this hook, which was not cancelled.
    pub(super) fn is_held_by(&self, by: Holding) -> bool {
        matches!(&self.stage, Stage::Hook(held) if held.by == by && !held.cancelled)
    }

    /// Why the run ends although nobody wants it down any more: what it runs was changed meanwhile.
    pub fn unless_outdated(&self) -> Option<EndWhy> {
        self.old_stop.is_some().then_some(EndWhy::Changed)
    }

    /// What a new daemon must know of what the program said.
    fn said(&self) -> Said {
        Said {
            beat_every: self.beats.every,
            main: self.main,
            stopping: self.stopping_itself,
        }
    }

    pub(super) fn ordered(id: RunId, now: Mono) -> Self {
        Self {
            id,
            ordered: now,
            spawn: None,
            pid: None,
            ready: false,
            exited: false,
            end: None,
            stage: Stage::Alive,
            look: None,
            old_stop: None,
            stop_begun: None,
            said_ready: false,
            ready_at: None,
            stopping_itself: false,
            out_of_memory: None,
            not_before: Mono(0),
            main: None,
            beats: Beats::default(),
            checks: Checks::default(),
            reload: None,
        }
    }
}

/// All names that a policy depends on, `requires` first.
pub(super) fn names_needed(policy: &Policy) -> impl Iterator<Item = &UnitName> {
    policy
        .requires
        .iter()
        .chain(&policy.wants)
        .chain(&policy.after)
}
