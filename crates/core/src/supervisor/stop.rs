//! The end of a run: asked step by step under one deadline, then killed, and killed again until it
//! is gone.
//!
//! ```text
//!   Alive ──► Asked(step 0) ──its time over──► Asked(step 1) … ──last step or deadline──► Killing
//!     │             └── the main process exits: the tree is watched, its time goes on       │
//!     └── spawn unanswered, or the main process exited by itself ──────────────────────────►│
//!                                                              no answer: kill again, later ┘
//! ```

use std::time::Duration;

use abide_model::{EventKind, KILL_STEP, UnitId};

use crate::supervisor::Supervisor;
use crate::supervisor::unit::{Holding, Stage, Unit};
use crate::teeth::{Fault, planted};
use crate::{Effect, Sweep, WakeReason};

/// A kill without an answer is asked for again after this long, then after twice as long, …
const KILL_AGAIN: Duration = Duration::from_secs(5);
/// … but at least this often.
const KILL_AGAIN_MAX: Duration = Duration::from_secs(300);

impl Supervisor {
    /// Begins to end the run, as its `end` says why.
    pub(super) fn begin_end(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let Some(run) = unit.run() else { return };
        let Some(why) = &run.end else { return };
        let stop = run.old_stop.as_ref().unwrap_or(&unit.policy.stop);
        let deadline = self.now.mono.after(stop.within);
        let (run_id, reason) = (run.id, why.to_string());
        let failed = why.is_failure();
        let unspawned = run.is_held_by(Holding::BeforeStart);
        let cannot_be_asked = run.exited || run.spawn.is_some();
        self.disarm(id);
        self.event(id, Some(run_id), EventKind::Stopping { reason });
        self.save(id, false);
        if unspawned {
            self.cancel_hook(id);
        } else if cannot_be_asked {
            self.kill(id, Sweep::Thorough);
        } else if failed || !self.hold(id, Holding::BeforeStop) {
            self.ask_step(id, 0, deadline);
        }
    }

    /// The main process ended before it was asked to: what it left behind has the time of the stop.
    pub(super) fn watch_rest(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let within = unit.policy.stop.within;
        let Some(run) = unit.run_mut() else { return };
        let within = run.old_stop.as_ref().map_or(within, |stop| stop.within);
        let deadline = now.after(within);
        run.stage = Stage::Asked {
            step: 0,
            effect: None,
            confirmed: true,
            until: deadline,
            deadline,
        };
        let run = run.id;
        self.open_report(id);
        self.timers.set(Some(id), WakeReason::Stop, deadline);
        self.intents.push(Effect::WatchTree { unit: id, run });
        self.save(id, false);
    }

    /// Takes the step, or kills when there is none left.
    pub(super) fn ask_step(&mut self, id: UnitId, step: usize, deadline: abide_model::Mono) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let plan = unit.policy.stop.clone();
        let Some(run) = unit.run_mut() else { return };
        let plan = run.old_stop.as_ref().unwrap_or(&plan);
        let Some(this) = plan.steps.get(step) else {
            self.time_is_over(id);
            return;
        };
        let until = this
            .within
            .map_or(deadline, |within| now.after(within).min(deadline));
        let name = this.action.to_string();
        let ask = Effect::AskStop {
            unit: id,
            run: run.id,
            action: this.action.clone(),
            within: until.since(now),
        };
        if let Stage::Asked {
            effect: Some(earlier),
            ..
        } = run.stage
        {
            self.awaited.remove(&earlier);
        }
        run.stage = Stage::Asked {
            step,
            effect: None,
            confirmed: false,
            until,
            deadline,
        };
        self.report_step(id, name);
        self.timers.set(Some(id), WakeReason::Stop, until);
        self.intents.push(ask);
        self.save(id, false);
    }

    /// A step's time, or all of it, is over.
    pub(super) fn stop_time_over(&mut self, id: UnitId) {
        let Some(run) = self.units.get(&id).and_then(Unit::run) else {
            return;
        };
        let Stage::Asked { step, deadline, .. } = run.stage else {
            return;
        };
        if self.now.mono >= deadline {
            self.time_is_over(id);
        } else {
            self.ask_step(id, step.saturating_add(1), deadline);
        }
    }

    fn time_is_over(&mut self, id: UnitId) {
        if planted(Fault::StopForgetsKill) {
            return;
        }
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let Some(run) = unit.run() else { return };
        let stop = run.old_stop.as_ref().unwrap_or(&unit.policy.stop);
        let reason = if stop.steps.is_empty() {
            "its stop has no steps".to_string()
        } else {
            "it did not end in the time it had".to_string()
        };
        self.event(id, Some(run.id), EventKind::Killed { reason });
        self.kill(id, Sweep::Thorough);
    }

    /// The step was carried out; `how`, where that is not what its name says.
    pub(super) fn stop_step_done(&mut self, id: UnitId, how: Option<String>) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        if let Stage::Asked {
            effect, confirmed, ..
        } = &mut run.stage
        {
            (*effect, *confirmed) = (None, true);
            self.report_answer(id, Ok(how));
            self.save(id, false);
        }
    }

    /// What could not be carried out is not waited for.
    pub(super) fn stop_step_failed(&mut self, id: UnitId, reason: String) {
        let Some(run) = self.units.get(&id).and_then(Unit::run) else {
            return;
        };
        if let Stage::Asked { step, deadline, .. } = run.stage {
            self.report_answer(id, Err(reason));
            self.ask_step(id, step.saturating_add(1), deadline);
        }
    }

    /// Ends every process of the run.
    pub(super) fn kill(&mut self, id: UnitId, sweep: Sweep) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        if let Stage::Asked {
            effect: Some(asked),
            ..
        } = run.stage
        {
            self.awaited.remove(&asked);
        }
        run.stage = Stage::Killing { sweep, tries: 1 };
        let run = run.id;
        self.report_step(id, KILL_STEP.into());
        self.timers.clear(Some(id), WakeReason::Stop);
        self.timers
            .set(Some(id), WakeReason::Kill, self.now.mono.after(KILL_AGAIN));
        self.intents.push(Effect::KillTree {
            unit: id,
            run,
            sweep,
        });
        self.save(id, false);
    }

    /// The kill had no answer: a process hangs in the kernel, or the answer was lost.
    pub(super) fn kill_again(&mut self, id: UnitId) {
        if planted(Fault::KillNotRepeated) {
            return;
        }
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        let Stage::Killing { sweep, tries } = &mut run.stage else {
            return;
        };
        let pause = KILL_AGAIN
            .saturating_mul(1 << (*tries).min(10))
            .min(KILL_AGAIN_MAX);
        *tries = tries.saturating_add(1);
        let again = Effect::KillTree {
            unit: id,
            run: run.id,
            sweep: *sweep,
        };
        self.timers
            .set(Some(id), WakeReason::Kill, self.now.mono.after(pause));
        self.intents.push(again);
        self.touch(id);
    }
}
