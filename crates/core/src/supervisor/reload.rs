//! Reloads: a unit is told to read its configuration again, or does so by itself.
//!
//! ```text
//!   asked ──► Ordered ──Ok──► Carried out ──unconfirmed, or RELOADING=1 and READY=1──► reloaded
//!                │                 └── not said within the reload's time ──► failed, and runs on
//!                └──Failed, no answer, or the run ends ──► failed
//! ```
//!
//! A reload takes no unit from another operation: what is wanted of it stays, and an `up` that waits for
//! it goes on waiting. A second reload that is asked for during the first waits for its end and is then
//! carried out on its own, all that wait at once: what the first reads may be older than what the
//! second is about.
//!
//! A new daemon asks again for what the old one had not finished, so that a unit may be told twice, but
//! never not at all; where the run is gone, the reload has failed.

use std::time::Duration;

use abide_model::{
    EffectId, EventKind, Mono, OperationId, OperationKind, Refusal, Reload, RunId, StepState,
    UnitId,
};

use crate::supervisor::command::step;
use crate::supervisor::unit::{Run, Unit};
use crate::supervisor::{Awaited, Supervisor};
use crate::teeth::{Fault, planted};
use crate::{ANSWER_SLACK, Effect, Outcome, WakeReason, words};

/// A reload that is under way.
#[derive(Debug)]
pub(super) struct Reloading {
    pub since: Mono,
    until: Mono,
    within: Duration,
    action: Action,
    said: Said,
    /// Those that wait for it.
    operations: Vec<OperationId>,
    /// Those that wait for the next one.
    next: Vec<OperationId>,
}

/// What abide did for it.
#[derive(Debug)]
enum Action {
    /// Nothing: the program reloads by itself.
    ItsOwn,
    /// It was told to; no answer yet. No id until that was emitted.
    Ordered(Option<EffectId>),
    CarriedOut,
}

/// What the program said since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    /// Nobody asks for its word.
    Unasked,
    Nothing,
    Reloading,
    Ready,
}

impl Reloading {
    fn new(now: Mono, within: Duration, action: Action, said: Said) -> Self {
        Self {
            since: now,
            until: now.after(within),
            within,
            action,
            said,
            operations: Vec::new(),
            next: Vec::new(),
        }
    }

    /// An answer that is lost is waited for a little longer than one that is late.
    fn deadline(&self) -> Mono {
        match self.action {
            Action::Ordered(_) => self.until.after(ANSWER_SLACK),
            Action::ItsOwn | Action::CarriedOut => self.until,
        }
    }

    fn is_done(&self) -> bool {
        match self.action {
            Action::ItsOwn => self.said == Said::Ready,
            Action::Ordered(_) => false,
            Action::CarriedOut => matches!(self.said, Said::Unasked | Said::Ready),
        }
    }

    fn overdue(&self) -> String {
        let within = words::duration(self.within);
        match (&self.action, self.said) {
            (Action::Ordered(_), _) => format!("nobody knows within {within} whether it was told"),
            (_, Said::Reloading) => {
                format!("it said RELOADING=1, and not READY=1 within {within}")
            }
            _ => format!("it did not say RELOADING=1 within {within}"),
        }
    }
}

impl Run {
    /// It can be told to reload: it is up, and nothing ends it. A program that is still starting may die
    /// of a signal that it does not know yet.
    fn takes_reloads(&self) -> bool {
        self.is_alive() && self.ready && !self.stopping_itself && self.end.is_none()
    }
}

impl Supervisor {
    pub(super) fn reload(&mut self, ids: &[UnitId]) -> Result<OperationId, Refusal> {
        let named = self.known(ids)?;
        let mut steps = Vec::new();
        for unit in named.iter().filter_map(|id| self.units.get(id)) {
            if unit.policy.reload.is_none() {
                return Err(Refusal::NoReload(unit.name.clone()));
            }
            if !unit.run().is_some_and(Run::takes_reloads) {
                return Err(Refusal::NotRunning(unit.name.clone()));
            }
            steps.push(step(&unit.name, StepState::Pending, None));
        }
        let operation = self
            .operations
            .begin(OperationKind::Reload, self.now.wall, steps);
        for id in named {
            self.want_reload(id, operation);
        }
        Ok(operation)
    }

    fn want_reload(&mut self, id: UnitId, operation: OperationId) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let name = unit.name.clone();
        match unit.run_mut().and_then(|run| run.reload.as_mut()) {
            Some(reload) if !matches!(reload.action, Action::ItsOwn) => {
                reload.next.push(operation);
                let note = Some("waits for the reload that is under way".into());
                self.operations
                    .step(operation, &name, StepState::Pending, note);
            }
            _ => self.begin_reload(id, vec![operation]),
        }
    }

    /// Tells the unit to reload, for these operations; where that is not possible (any more), they
    /// are told so.
    fn begin_reload(&mut self, id: UnitId, operations: Vec<OperationId>) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let name = unit.name.clone();
        let policy = unit.policy.reload.as_ref();
        let plan = policy.map(|reload| (reload.within, reload.confirm));
        let run = unit.run_mut().filter(|run| run.takes_reloads());
        let (Some(run), Some((within, confirm))) = (run, plan) else {
            let why = if plan.is_none() {
                Refusal::NoReload(name.clone())
            } else {
                Refusal::NotRunning(name.clone())
            };
            self.tell_reload(id, &operations, &Err(why.to_string()));
            return;
        };
        let said = if confirm {
            Said::Nothing
        } else {
            Said::Unasked
        };
        let reload = Reloading {
            operations,
            ..Reloading::new(now, within, Action::Ordered(None), said)
        };
        let (run_id, deadline) = (run.id, reload.deadline());
        run.reload = Some(Box::new(reload));
        self.timers.set(Some(id), WakeReason::Reload, deadline);
        self.intents.push(Effect::Reload {
            unit: id,
            run: run_id,
        });
        self.event(id, Some(run_id), EventKind::UnitReloading);
        self.touch(id);
    }

    /// The reload is wanted still, when its turn to be emitted comes.
    pub(super) fn is_reload_wanted(&self, id: UnitId, run: RunId) -> bool {
        let current = self.units.get(&id).and_then(Unit::run);
        current.is_some_and(|current| {
            current.id == run
                && matches!(&current.reload, Some(r) if matches!(r.action, Action::Ordered(None)))
        })
    }

    /// The order was emitted under this id.
    pub(super) fn reload_emitted(&mut self, id: UnitId, effect: EffectId) {
        if let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut)
            && let Some(reload) = &mut run.reload
        {
            reload.action = Action::Ordered(Some(effect));
            self.awaited.insert(effect, Awaited::Reload(id));
        }
    }

    pub(super) fn reload_answered(&mut self, id: UnitId, outcome: Outcome) {
        let Some(reload) = self.reloading(id) else {
            return;
        };
        reload.action = Action::CarriedOut;
        match outcome {
            Outcome::Failed { reason } | Outcome::SpawnFailed { reason } => {
                self.reload_over(id, &Err(reason));
            }
            Outcome::Ok | Outcome::Asked { .. } | Outcome::Spawned { .. } => {
                self.reload_went_on(id);
            }
        }
    }

    /// The program says that it reloads.
    pub(super) fn said_reloading(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let within = unit.policy.reload.as_ref().map(|reload| reload.within);
        let Some(run) = unit.run_mut() else { return };
        if !run.is_alive() || !run.ready || run.stopping_itself {
            return;
        }
        match &mut run.reload {
            Some(reload) if reload.said == Said::Nothing => {
                reload.said = Said::Reloading;
                self.touch(id);
            }
            Some(_) => {}
            None => {
                let within = within.unwrap_or(Reload::WITHIN);
                let own = Reloading::new(now, within, Action::ItsOwn, Said::Reloading);
                let (run_id, deadline) = (run.id, own.deadline());
                run.reload = Some(Box::new(own));
                self.timers.set(Some(id), WakeReason::Reload, deadline);
                self.event(id, Some(run_id), EventKind::UnitReloading);
                self.touch(id);
            }
        }
    }

    /// The program, which was ready, says that it is.
    pub(super) fn reload_said_ready(&mut self, id: UnitId) {
        if let Some(reload) = self.reloading(id)
            && reload.said == Said::Reloading
        {
            reload.said = Said::Ready;
            self.reload_went_on(id);
        }
    }

    /// One of the things that a reload waits for came.
    fn reload_went_on(&mut self, id: UnitId) {
        let Some(reload) = self.reloading(id) else {
            return;
        };
        let deadline = reload.deadline();
        if reload.is_done() {
            self.reload_over(id, &Ok(()));
        } else if planted(Fault::ReloadNeverEnds) {
            self.timers.clear(Some(id), WakeReason::Reload);
        } else {
            self.timers.set(Some(id), WakeReason::Reload, deadline);
            self.touch(id);
        }
    }

    pub(super) fn reload_overdue(&mut self, id: UnitId) {
        if let Some(reload) = self.reloading(id) {
            let reason = reload.overdue();
            self.reload_over(id, &Err(reason));
        }
    }

    /// It asked for time.
    pub(super) fn extend_reload(&mut self, id: UnitId, until: Mono) {
        if let Some(reload) = self.reloading(id) {
            reload.until = reload.until.max(until);
            let deadline = reload.deadline();
            self.timers.set(Some(id), WakeReason::Reload, deadline);
        }
    }

    /// The run ends, or has ended.
    pub(super) fn cut_reload_short(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let Some(run) = unit.run().filter(|run| run.reload.is_some()) else {
            return;
        };
        let exit = unit.last_exit.as_ref().filter(|_| run.exited);
        let reason = match (exit, &run.end) {
            (Some(exit), _) => format!("it ended meanwhile: {}", exit.reason),
            (None, Some(why)) => format!("it is being ended: {why}"),
            (None, None) => "it ended meanwhile".into(),
        };
        self.reload_over(id, &Err(reason));
    }

    /// The reload is over, one way or the other; the unit runs on.
    fn reload_over(&mut self, id: UnitId, result: &Result<(), String>) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        let (run_id, ends) = (run.id, !run.takes_reloads());
        let Some(reload) = run.reload.take() else {
            return;
        };
        self.timers.clear(Some(id), WakeReason::Reload);
        if let Action::Ordered(Some(effect)) = reload.action {
            self.awaited.remove(&effect);
        }
        let kind = match result {
            Ok(()) => EventKind::UnitReloaded,
            Err(reason) => EventKind::UnitReloadFailed {
                reason: reason.clone(),
            },
        };
        self.event(id, Some(run_id), kind);
        self.tell_reload(id, &reload.operations, result);
        self.touch(id);
        if reload.next.is_empty() {
            return;
        }
        if let (true, Err(_)) = (ends, result) {
            self.tell_reload(id, &reload.next, result);
        } else {
            self.begin_reload(id, reload.next);
        }
    }

    fn tell_reload(&mut self, id: UnitId, operations: &[OperationId], result: &Result<(), String>) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let state = if result.is_ok() {
            StepState::Done
        } else {
            StepState::Failed
        };
        let note = result.as_ref().err().cloned();
        let name = unit.name.clone();
        for operation in operations {
            self.operations.step(*operation, &name, state, note.clone());
        }
    }

    /// A new daemon asks again for what the old one had not finished.
    pub(super) fn reload_again(&mut self, id: UnitId, operation: OperationId) {
        if planted(Fault::ReloadForgottenAtResume) {
            return;
        }
        self.want_reload(id, operation);
    }

    fn reloading(&mut self, id: UnitId) -> Option<&mut Reloading> {
        self.units.get_mut(&id)?.run_mut()?.reload.as_deref_mut()
    }
}
