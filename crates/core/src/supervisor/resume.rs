//! A new daemon goes on where the old one died.
//!
//! In the same boot, and if not everything had been stopped on purpose, each unit goes on exactly
//! where it was: what lives is adopted; what ended meanwhile counts as an exit now; a stop or a kill
//! that was under way is repeated if it may not have been carried out; a backoff keeps its due time.
//! Only what a program owes to abide (readiness, beats, health) gets its full time again: that nobody
//! listened was not its fault.
//!
//! After another boot, or after a `down`, nothing lives: what is enabled and was not stopped by hand is
//! started.
//!
//! Of a run that was ordered but neither confirmed nor found, nothing began: children are
//! recorded before they execute anything. Of a run that was confirmed and is not found, nobody saw
//! the end: it counts with an unknown exit status.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use abide_model::{
    ActualState, EventKind, ExitStatus, LastExit, Operation, OperationId, OperationKind,
    OperationState, Policy, StepState, StopPlan, UnitId, UnitName,
};

use crate::record::{EndWhy, SavedPhase, UnitRecord};
use crate::supervisor::graph::find_cycle;
use crate::supervisor::rolling::is_leaving;
use crate::supervisor::run::{Output, describe_unheld};
use crate::supervisor::unit::{
    Goal, Held, Holding, Phase, Run, RunIds, Stage, Told, Unit, names_needed,
};
use crate::supervisor::{Halt, Supervisor};
use crate::teeth::{Fault, planted};
use crate::{Change, Effect, Observed, ObservedState, Saved, Sweep, WakeReason};

impl Supervisor {
    pub(super) fn restore(&mut self, saved: Saved, observed: Vec<Observed>) {
        let continues = saved.same_boot && !saved.halted;
        // Of several runs of one unit the latest is the one that counts: it was begun when the
        // earlier ones were over.
        let mut latest: BTreeMap<UnitId, Observed> = BTreeMap::new();
        let mut earlier: BTreeMap<UnitId, Vec<Observed>> = BTreeMap::new();
        for seen in observed {
            let unit = seen.unit;
            let passed = match latest.get(&unit) {
                Some(known) if known.run > seen.run => Some(seen),
                _ => latest.insert(unit, seen),
            };
            if let Some(passed) = passed {
                earlier.entry(unit).or_default().push(passed);
            }
        }
        let mut untold = Vec::new();
        let mut ids = Vec::new();
        let mut taken_by = BTreeMap::new();
        // The last unit of each name.
        let mut named: BTreeMap<UnitName, UnitId> = BTreeMap::new();
        for record in &saved.units {
            let id = named.entry(record.name.clone()).or_insert(record.id);
            *id = record.id.max(*id);
        }
        let mut unanswered = Vec::new();
        for mut record in saved.units {
            let id = record.id;
            if named.get(&record.name) != Some(&id) {
                // It was removed before a unit could have its name; a full disk refused to write that down.
                self.intents.push(Effect::Persist {
                    change: Change::Forgotten(id),
                    durable: true,
                });
                continue;
            }
            if continues {
                unanswered.push((id, std::mem::take(&mut record.unanswered)));
            }
            let seen = latest.remove(&id);
            let passed = earlier.remove(&id).unwrap_or_default().into_iter();
            let passed = passed.filter(|seen| !record.tells_end_of(seen.run));
            let before = untold.len();
            untold.extend(passed);
            // Another run followed each of them; the first one where somebody had asked for that.
            let asked_for = usize::from(record.end.is_some());
            let restarts = (untold.len() - before).saturating_sub(asked_for);
            record.restarts = record.restarts.saturating_add(restarts as u64);
            if let Some(operation) = record.operation {
                self.operations.skip_to(operation);
                taken_by.insert(id, operation);
            }
            self.restore_unit(record, continues, seen.as_ref());
            ids.push((id, seen));
        }
        self.break_circles();
        for stray in latest.into_values() {
            let text = format!(
                "a run ({}) of a unit that nobody remembers ({}) was found; it is left alone",
                stray.run, stray.unit
            );
            let kind = EventKind::Warning { text };
            self.intents.push(Effect::Event {
                unit: None,
                run: Some(stray.run),
                kind,
            });
        }
        let mut reloads = Vec::new();
        for operation in saved.operations {
            if operation.kind == OperationKind::Reload {
                reloads.extend(self.restore_reload(operation, continues));
            } else {
                self.restore_operation(operation, &taken_by, continues);
            }
        }
        self.restore_rolling(continues);
        for seen in untold {
            self.tell_of_end(seen);
        }
        for (id, seen) in ids {
            self.go_on(id, seen);
        }
        for (id, hooks) in unanswered {
            self.run_beside_again(id, hooks);
        }
        for (id, operation) in reloads {
            self.reload_again(id, operation);
        }
        if !continues {
            self.start_enabled();
        }
        if self.halt != Halt::No {
            self.end_all();
        }
    }

    fn restore_unit(&mut self, record: UnitRecord, continues: bool, seen: Option<&Observed>) {
        let id = record.id;
        let seen_run = seen.map(|seen| seen.run);
        let mut run_ids = RunIds::resumed(record.run_ceiling, seen_run.max(record.run));
        if planted(Fault::RunIdReused) {
            run_ids = RunIds::resumed(record.run.map_or(1, |run| run.0), None);
        }
        let source = self.known_source(&record.source);
        self.sources
            .entry(Arc::clone(&source))
            .or_default()
            .insert(id);
        let mut unit = Unit {
            id,
            name: record.name,
            source,
            policy: self.policies.keep(&record.policy),
            enabled: record.enabled,
            wanted: record.wanted,
            held: record.held,
            removing: record.removing,
            phase: Phase::Stopped,
            shown: ActualState::Stopped,
            since: self.now,
            run_ids,
            last_run: record.run,
            started: None,
            restarts: record.restarts,
            row: record.row,
            recent: record.recent,
            last_exit: record.last_exit.map(Box::new),
            last_stop: record.last_stop.map(Box::new),
            operation: None,
            rolling: record.rolling.map(Box::new),
            saving: None,
            policy_saved: true,
            awaits_connection: record.awaits_connection,
            watched: planted(Fault::GateNotWatchedAtResume),
            calls: Vec::new(),
            beside: VecDeque::new(),
            told: Told::default(),
        };
        // A run that was found counts whatever the record says; one later than the record was begun
        // when the record's own run was over.
        let newer = seen.filter(|seen| unit.last_run.is_none_or(|run| run < seen.run));
        if let Some(seen) = newer {
            unit.last_run = Some(seen.run);
            unit.started = Some(self.now);
            let mut run = Run::ordered(seen.run, self.now.mono);
            run.ready = unit.policy.ready.is_none();
            unit.phase = Phase::Live(Box::new(run));
        } else if continues {
            unit.started = record.started;
            unit.since = record.since;
            unit.phase = self.restored_phase(&unit, record.phase, record.end, record.old_stop);
            if let Some(run) = unit.run_mut() {
                run.beats.every = record.said.beat_every;
                run.main = record.said.main;
                run.stopping_itself = record.said.stopping;
                run.stop_begun = record.stop_begun;
            }
        } else if let Some(Observed {
            run,
            state: ObservedState::Alive { .. },
            ..
        }) = seen
        {
            unit.started = record.started;
            unit.phase = Phase::Live(Box::new(Run::ordered(*run, self.now.mono)));
        }
        if !continues {
            unit.forget_crashes();
            unit.awaits_connection = unit.starts_on_connection();
            unit.wanted = unit.enabled && !unit.held && !unit.removing;
        }
        if unit.is_live() {
            self.live += 1;
        }
        unit.shown = unit.state();
        self.graph
            .insert(id, &unit.name.clone(), unit.names_needed());
        self.units.insert(id, unit);
        self.wake(id);
    }

    /// Each version of the configuration was checked for circles, but of a change that was cut short only
    /// some units may have been written down. In a circle everything would wait for ever, so it is
    /// opened, and a later apply finds the unit changed and puts the edge back.
    fn break_circles(&mut self) {
        while let Some(circle) = self.circle() {
            let [.., from, to] = circle.as_slice() else {
                return;
            };
            let Some(unit) = self.graph.id(from).and_then(|id| self.units.get_mut(&id)) else {
                return;
            };
            let id = unit.id;
            self.graph.remove(id, from, names_needed(&unit.policy));
            let mut policy = unit.policy.whole();
            let Policy {
                requires,
                wants,
                after,
                ..
            } = &mut policy;
            for names in [requires, wants, after] {
                names.retain(|name| name != to);
            }
            unit.policy = self.policies.keep(&policy);
            self.graph.insert(id, from, names_needed(&unit.policy));
            let text = format!(
                "{from} and {to} depend on each other, since a change of their configuration was cut \
                 short; {from} goes on without {to}, until the configuration is applied again"
            );
            self.event(id, None, EventKind::Warning { text });
            self.save(id, false);
        }
    }

    fn circle(&self) -> Option<Vec<UnitName>> {
        let starts = self.units.values().filter(|unit| !unit.removing);
        find_cycle(starts.map(|unit| &unit.name), |name| {
            let unit = self.graph.id(name).and_then(|id| self.units.get(&id));
            unit.into_iter()
                .filter(|unit| !unit.removing)
                .flat_map(Unit::names_needed)
                .collect()
        })
    }

    fn restored_phase(
        &self,
        unit: &Unit,
        saved: SavedPhase,
        end: Option<EndWhy>,
        old_stop: Option<StopPlan>,
    ) -> Phase {
        let live = |ready: bool, stage: Stage| {
            let Some(id) = unit.last_run else {
                return Phase::Stopped;
            };
            let ordered = unit.started.map_or(self.now.mono, |started| started.mono);
            let mut run = Run::ordered(id, ordered);
            run.ready = ready;
            run.exited = unit.last_exit.as_ref().is_some_and(|exit| exit.run == id);
            run.end = end;
            run.old_stop = old_stop.clone();
            run.stage = stage;
            Phase::Live(Box::new(run))
        };
        match saved {
            SavedPhase::Down => Phase::Stopped,
            SavedPhase::Failed { reason } => Phase::Failed { reason },
            SavedPhase::Exited => Phase::Exited,
            SavedPhase::Backoff { .. } if planted(Fault::BackoffForgottenAtResume) => {
                Phase::Stopped
            }
            SavedPhase::Backoff { due } => Phase::Backoff { due },
            SavedPhase::Live { ready } => live(ready, Stage::Alive),
            SavedPhase::BeforeStop { ready } => live(
                ready,
                Stage::Hook(Held::begun(Holding::BeforeStop, self.now.mono)),
            ),
            SavedPhase::AfterStop => live(
                false,
                Stage::Hook(Held::begun(Holding::AfterStop, self.now.mono)),
            ),
            SavedPhase::Stopping {
                step,
                asked,
                deadline,
                step_due,
                ready,
            } => {
                let step = usize::try_from(step).unwrap_or(usize::MAX);
                let stop = old_stop.as_ref().unwrap_or(&unit.policy.stop);
                let anew = || {
                    let within = stop.steps.get(step).and_then(|step| step.within);
                    within.map_or(deadline, |within| self.now.mono.after(within))
                };
                let until = step_due.unwrap_or_else(anew).min(deadline);
                live(
                    ready,
                    Stage::Asked {
                        step,
                        effect: None,
                        confirmed: asked,
                        until,
                        deadline,
                    },
                )
            }
            SavedPhase::Killing { ready } => live(
                ready,
                Stage::Killing {
                    sweep: Sweep::Thorough,
                    tries: 0,
                },
            ),
        }
    }

    fn restore_operation(
        &mut self,
        mut operation: Operation,
        taken_by: &BTreeMap<UnitId, OperationId>,
        continues: bool,
    ) {
        let id = operation.id;
        let down = operation.kind == OperationKind::Down;
        operation.state = OperationState::Running;
        // How far each step was is seen again from the units themselves.
        let mut goals = Vec::new();
        for step in &mut operation.steps {
            let unit = self
                .graph
                .id(&step.unit)
                .and_then(|unit| self.units.get(&unit));
            match unit {
                // It was said how it went, and how far a rolling operation was is not seen otherwise.
                _ if step.state != StepState::Pending => {}
                Some(_) if down && !continues => step.state = StepState::Done,
                Some(unit) if taken_by.get(&unit.id) == Some(&id) => {
                    let goal = match operation.kind {
                        _ if unit.removing || is_leaving(unit) => Goal::Gone,
                        OperationKind::Stop | OperationKind::Down => Goal::Down,
                        _ => Goal::Up,
                    };
                    goals.push((unit.id, goal));
                }
                Some(_) => step.state = StepState::Superseded,
                None => step.state = StepState::Done,
            }
        }
        let held = self.units.values().any(|unit| {
            unit.rolling
                .as_ref()
                .is_some_and(|part| part.operation == id)
        });
        self.operations.resume(operation, held);
        for (unit, goal) in goals {
            self.take_over(unit, id, goal);
        }
        // A `down` that a loss of power cut short is over: whoever starts a daemon then wants it up.
        if down && continues {
            self.halt = Halt::Asked(id);
        }
    }

    /// Gives the units that are to be told again. What was told of a step was written down.
    fn restore_reload(
        &mut self,
        mut operation: Operation,
        continues: bool,
    ) -> Vec<(UnitId, OperationId)> {
        operation.state = OperationState::Running;
        let mut again = Vec::new();
        for step in &mut operation.steps {
            if step.state != StepState::Pending {
                continue;
            }
            match self.graph.id(&step.unit) {
                Some(unit) if continues => again.push((unit, operation.id)),
                _ => {
                    step.state = StepState::Failed;
                    step.note = Some("its run ended before it had reloaded".into());
                }
            }
        }
        self.operations.resume(operation, false);
        again
    }

    /// A run ended, the next was begun, and the daemon died before either was written down: the next one goes on,
    /// and how this one ended is told here or nowhere.
    fn tell_of_end(&mut self, seen: Observed) {
        let (status, output_may_be_lost) = match seen.state {
            ObservedState::Alive { .. } => return,
            ObservedState::Exited(status) => (status, false),
            ObservedState::ExitedUnheld(status) => (status, true),
        };
        let reason = if output_may_be_lost {
            describe_unheld(None, &status)
        } else {
            status.to_string()
        };
        let Some(unit) = self.units.get_mut(&seen.unit) else {
            return;
        };
        unit.last_exit = Some(Box::new(LastExit {
            status: status.clone(),
            at: self.now.wall,
            run: seen.run,
            ran_for: Duration::ZERO,
            reason: reason.clone(),
            output_may_be_lost,
        }));
        let kind = EventKind::Exited {
            status,
            reason,
            trace_ids: Vec::new(),
            output_may_be_lost,
        };
        self.event(seen.unit, Some(seen.run), kind);
        // Until this is written down, the keeper remembers it.
        self.save(seen.unit, false);
    }

    /// Sets in motion what was under way.
    fn go_on(&mut self, id: UnitId, seen: Option<Observed>) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        if let Phase::Backoff { due } = unit.phase {
            self.timers.set(Some(id), WakeReason::Restart, due);
            return;
        }
        let confirmed = unit.started.is_some();
        let Some(run) = unit.run_mut() else { return };
        let run_id = run.id;
        let known_exit = run.exited;
        if run.is_held_by(Holding::AfterStop) {
            self.hold_again(id, Holding::AfterStop);
            return;
        }
        match seen
            .filter(|seen| seen.run == run_id && !known_exit)
            .map(|seen| seen.state)
        {
            Some(ObservedState::Alive { pid }) => {
                run.pid = Some(pid);
                run.main = run.main.filter(|main| *main == pid);
                if !confirmed {
                    unit.started = Some(now);
                    self.save(id, false);
                }
                self.event(id, Some(run_id), EventKind::Adopted { pid });
                self.adopt(id);
                return;
            }
            Some(ObservedState::Exited(status)) => self.note_exit(id, status),
            Some(ObservedState::ExitedUnheld(status)) => {
                self.note_exit_held(id, status, Output::Unheld);
            }
            None if planted(Fault::LostRunTakenForAlive) => {
                self.adopt(id);
                return;
            }
            None if known_exit => {}
            None if confirmed => self.note_exit_held(id, ExitStatus::Unknown, Output::Unheld),
            None if run.end.is_none() => run.end = Some(EndWhy::NeverBegan),
            None => {}
        }
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let within = unit.policy.stop.within;
        let Some(run) = unit.run_mut() else { return };
        let within = run.old_stop.as_ref().map_or(within, |stop| stop.within);
        if let Stage::Asked {
            until, deadline, ..
        } = &mut run.stage
        {
            // What it left behind has what is left of the stop's time, and never more than all of it:
            // the record may be of another boot's clock.
            *deadline = now.mono.after(within).min(*deadline);
            *until = (*deadline).min(*until);
            let until = *until;
            self.timers.set(Some(id), WakeReason::Stop, until);
            self.intents.push(Effect::WatchTree {
                unit: id,
                run: run_id,
            });
            return;
        }
        if run.is_held_by(Holding::BeforeStop) {
            self.watch_rest(id);
            return;
        }
        let ends = self.units.get(&id).is_some_and(Unit::is_leaving);
        if !planted(Fault::EffectLostAtResume) {
            self.kill(id, if ends { Sweep::Thorough } else { Sweep::Prompt });
        }
    }

    /// Goes on with a run that lives.
    fn adopt(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let has_probe = unit.policy.ready.is_some();
        let ready_within = unit.policy.ready.as_ref().map(|ready| ready.within);
        let plan = unit.policy.stop.clone();
        let Some(run) = unit.run_mut() else { return };
        let run_id = run.id;
        match run.stage {
            Stage::Alive => {
                run.ready |= !has_probe;
                let watch = !run.ready;
                let stopping = run.stopping_itself;
                self.arm(id);
                if stopping {
                    let by = now.after(plan.within);
                    self.timers.set(Some(id), WakeReason::SelfStop, by);
                } else if watch && let Some(within) = ready_within {
                    self.intents.push(Effect::WatchReady {
                        unit: id,
                        run: run_id,
                    });
                    self.timers
                        .set(Some(id), WakeReason::Ready, now.after(within));
                }
            }
            Stage::Asked {
                step,
                confirmed: false,
                deadline,
                ..
            } => {
                if !planted(Fault::EffectLostAtResume) {
                    self.ask_step(id, step, deadline);
                }
            }
            Stage::Asked { until, .. } => {
                self.timers.set(Some(id), WakeReason::Stop, until);
            }
            Stage::Hook(ref held) => {
                let by = held.by;
                self.hold_again(id, by);
            }
            Stage::Killing { sweep, .. } => {
                if !planted(Fault::EffectLostAtResume) {
                    self.kill(id, sweep);
                }
            }
        }
    }

    /// Nothing lives: what is enabled starts, and what it needs with it.
    fn start_enabled(&mut self) {
        let enabled: Vec<UnitId> = self
            .units
            .values()
            .filter(|unit| unit.wanted)
            .map(|unit| unit.id)
            .collect();
        for id in self.pulled_in(enabled) {
            if let Some(unit) = self.units.get_mut(&id)
                && !unit.held
                && !unit.removing
            {
                unit.wanted = true;
            }
        }
        let all: Vec<UnitId> = self.units.keys().copied().collect();
        for id in all {
            self.save(id, false);
        }
    }
}
