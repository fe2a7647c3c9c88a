//! What people ask for, apart from `Apply`.
//!
//! Each command changes what is *wanted*, marks the runs that are to end, and begins an operation;
//! settling does the rest. Nothing here waits for anything.

use std::collections::BTreeSet;

use abide_model::{
    OperationId, OperationKind, OperationStep, Refusal, Signal, StepState, UnitId, UnitName,
};

use crate::record::EndWhy;
use crate::supervisor::unit::{Goal, Phase, Stage, Unit};
use crate::supervisor::{Halt, Supervisor};
use crate::teeth::{Fault, planted};
use crate::{Command, Effect, WakeReason};

impl Supervisor {
    pub(super) fn command(&mut self, command: Command) -> Result<OperationId, Refusal> {
        match (self.halt, &command) {
            (Halt::No, _) => {}
            (
                Halt::Asked(operation) | Halt::Saving(operation, _) | Halt::Halted(operation),
                Command::Down,
            ) => return Ok(operation),
            _ => return Err(Refusal::ShuttingDown),
        }
        match command {
            // One unit that a person runs by name is not a fleet.
            Command::Apply {
                kind,
                sources,
                rolling: Some(plan),
            } if kind != OperationKind::Run => self.apply_rolling(kind, &sources, plan),
            Command::Apply { kind, sources, .. } => self.apply(kind, sources),
            Command::Start(ids) => self.start(&ids),
            Command::Stop(ids) => self.stop(&ids),
            Command::Restart(ids) => self.restart(&ids),
            Command::RestartRolling { units, plan } => self.restart_rolling(&units, plan),
            Command::Reload(ids) => self.reload(&ids),
            Command::Reset(ids) => self.reset(&ids),
            Command::Remove(ids) => self.remove(&ids, OperationKind::Remove),
            Command::Enable(ids) => self.enable(&ids, true),
            Command::Disable(ids) => self.enable(&ids, false),
            Command::Signal(ids, signal) => self.signal(&ids, signal),
            Command::DownSource(source) => self.down_source(&source),
            Command::Down => Ok(self.down()),
        }
    }

    /// All of these are known and not being removed.
    pub(super) fn known(&self, ids: &[UnitId]) -> Result<BTreeSet<UnitId>, Refusal> {
        for id in ids {
            match self.units.get(id) {
                Some(unit) if !unit.removing => {}
                Some(unit) => return Err(Refusal::NoSuchUnit(unit.name.to_string())),
                None => return Err(Refusal::NoSuchUnit(id.to_string())),
            }
        }
        Ok(ids.iter().copied().collect())
    }

    /// Begins an operation whose steps are all pending.
    pub(super) fn begin_operation(
        &mut self,
        kind: OperationKind,
        goals: &[(UnitId, Goal)],
    ) -> OperationId {
        let steps = goals
            .iter()
            .filter_map(|(id, _)| self.units.get(id))
            .map(|unit| step(&unit.name, StepState::Pending, None))
            .collect();
        let operation = self.operations.begin(kind, self.now.wall, steps);
        for &(id, goal) in goals {
            self.take_over(id, operation, goal);
        }
        operation
    }

    /// From now on the unit is this operation's; an earlier one that waits for it is told.
    pub(super) fn take_over(&mut self, id: UnitId, operation: OperationId, goal: Goal) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let earlier = unit.operation.replace((operation, goal));
        if let Some((earlier, _)) = earlier {
            let name = unit.name.clone();
            let note = format!("a later command ({operation}) took it over");
            self.operations
                .step(earlier, &name, StepState::Superseded, Some(note));
            self.taken_from_rolling(id, operation);
            // It may have waited for this unit.
            self.rolling_due.insert(earlier);
        }
        self.save(id, false);
    }

    /// An operation that is over as soon as it is asked for, and takes no unit from another.
    fn done_at_once(&mut self, kind: OperationKind, ids: &BTreeSet<UnitId>) -> OperationId {
        let steps = ids
            .iter()
            .filter_map(|id| self.units.get(id))
            .map(|unit| step(&unit.name, StepState::Done, None))
            .collect();
        self.operations.begin(kind, self.now.wall, steps)
    }

    fn start(&mut self, ids: &[UnitId]) -> Result<OperationId, Refusal> {
        let named = self.known(ids)?;
        let goals: Vec<_> = named.iter().map(|id| (*id, Goal::Up)).collect();
        let operation = self.begin_operation(OperationKind::Start, &goals);
        for id in self.pulled_in(named.iter().copied()) {
            self.want_up(id, named.contains(&id));
        }
        Ok(operation)
    }

    /// A person wants it up, by name or because it is needed by such a unit. A oneshot that is done is
    /// run again only by name.
    pub(super) fn want_up(&mut self, id: UnitId, by_name: bool) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        if unit.removing {
            return;
        }
        let was_up = unit.is_up();
        unit.wanted = true;
        unit.held = false;
        if let Some(run) = unit.run_mut() {
            if matches!(run.stage, Stage::Alive)
                && matches!(run.end, Some(EndWhy::ByHand | EndWhy::Dependency(_)))
            {
                run.end = run.unless_outdated(); // its turn to end had not come yet
            }
        } else if !unit.is_listening() && (by_name || !was_up) {
            unit.forget_crashes();
            unit.start_anew();
            self.timers.clear(Some(id), WakeReason::Restart);
        }
        self.save(id, true);
    }

    fn stop(&mut self, ids: &[UnitId]) -> Result<OperationId, Refusal> {
        let named = self.known(ids)?;
        let goals: Vec<_> = named.iter().map(|id| (*id, Goal::Down)).collect();
        let operation = self.begin_operation(OperationKind::Stop, &goals);
        for &id in &named {
            let Some(unit) = self.units.get_mut(&id) else {
                continue;
            };
            unit.wanted = false;
            unit.held = true;
            if let Some(run) = unit.run_mut() {
                run.end = Some(EndWhy::ByHand);
            }
            if planted(Fault::DesiredNotSaved) {
                self.touch(id);
                self.unsaved.remove(&id);
            } else {
                self.save(id, true);
            }
        }
        self.end_dependents(&named);
        Ok(operation)
    }

    /// What lives and requires one of these ends before them, and is still wanted.
    fn end_dependents(&mut self, stopped: &BTreeSet<UnitId>) {
        let mut open: Vec<UnitId> = stopped.iter().copied().collect();
        while let Some(id) = open.pop() {
            let Some(unit) = self.units.get(&id) else {
                continue;
            };
            let name = unit.name.clone();
            if !unit.is_live() && !unit.is_listening() {
                continue;
            }
            let dependents: Vec<UnitId> = self.graph.dependents(&name).collect();
            for dependent in dependents {
                self.steps += 1;
                let Some(unit) = self.units.get_mut(&dependent) else {
                    continue;
                };
                if !unit.policy.requires.contains(&name) {
                    continue;
                }
                let Some(run) = unit.run_mut() else { continue };
                if run.end.is_none() {
                    run.end = Some(EndWhy::Dependency(name.clone()));
                    self.save(dependent, false);
                    open.push(dependent);
                }
            }
        }
    }

    fn restart(&mut self, ids: &[UnitId]) -> Result<OperationId, Refusal> {
        let named = self.known(ids)?;
        let goals: Vec<_> = named.iter().map(|id| (*id, Goal::Up)).collect();
        let operation = self.begin_operation(OperationKind::Restart, &goals);
        for id in self.pulled_in(named.iter().copied()) {
            let by_name = named.contains(&id);
            self.want_up(id, by_name);
            let Some(unit) = self.units.get_mut(&id) else {
                continue;
            };
            if by_name && unit.is_live() {
                unit.forget_crashes();
                self.end_and_start(id, EndWhy::Restart);
            }
        }
        Ok(operation)
    }

    /// The unit's run is to end, and what follows is a start like any other.
    pub(super) fn end_and_start(&mut self, id: UnitId, why: EndWhy) {
        if let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) {
            run.end = Some(why);
            self.save(id, true);
        }
    }

    fn reset(&mut self, ids: &[UnitId]) -> Result<OperationId, Refusal> {
        let named = self.known(ids)?;
        for &id in &named {
            let Some(unit) = self.units.get_mut(&id) else {
                continue;
            };
            unit.forget_crashes();
            if matches!(unit.phase, Phase::Failed { .. } | Phase::Backoff { .. }) {
                unit.phase = Phase::Stopped;
            }
            self.timers.clear(Some(id), WakeReason::Restart);
            self.timers.clear(Some(id), WakeReason::Stable);
            self.save(id, true);
        }
        Ok(self.done_at_once(OperationKind::Reset, &named))
    }

    fn enable(&mut self, ids: &[UnitId], enabled: bool) -> Result<OperationId, Refusal> {
        let named = self.known(ids)?;
        for &id in &named {
            if let Some(unit) = self.units.get_mut(&id) {
                unit.enabled = enabled;
                self.save(id, true);
            }
        }
        let kind = if enabled {
            OperationKind::Enable
        } else {
            OperationKind::Disable
        };
        Ok(self.done_at_once(kind, &named))
    }

    fn signal(&mut self, ids: &[UnitId], signal: Signal) -> Result<OperationId, Refusal> {
        let named = self.known(ids)?;
        let mut signals = Vec::new();
        for &id in &named {
            let Some(unit) = self.units.get(&id) else {
                continue;
            };
            match unit.run() {
                Some(run) if run.pid.is_some() && !run.exited => {
                    signals.push(Effect::Signal {
                        unit: id,
                        run: run.id,
                        signal,
                    });
                }
                _ => return Err(Refusal::NotRunning(unit.name.clone())),
            }
        }
        self.intents.append(&mut signals);
        Ok(self.done_at_once(OperationKind::Signal, &named))
    }

    fn remove(&mut self, ids: &[UnitId], kind: OperationKind) -> Result<OperationId, Refusal> {
        let named = self.known(ids)?;
        for &id in &named {
            self.check_not_required(id, &named)?;
        }
        let goals: Vec<_> = named.iter().map(|id| (*id, Goal::Gone)).collect();
        let operation = self.begin_operation(kind, &goals);
        for &id in &named {
            self.begin_removal(id);
        }
        Ok(operation)
    }

    /// Nothing outside of `going` requires the unit.
    fn check_not_required(&self, id: UnitId, going: &BTreeSet<UnitId>) -> Result<(), Refusal> {
        let Some(unit) = self.units.get(&id) else {
            return Ok(());
        };
        let by: Vec<UnitName> = self
            .graph
            .dependents(&unit.name)
            .filter(|dependent| !going.contains(dependent))
            .filter_map(|dependent| self.units.get(&dependent))
            .filter(|other| !other.removing && other.policy.requires.contains(&unit.name))
            .map(|other| other.name.clone())
            .collect();
        if by.is_empty() {
            Ok(())
        } else {
            Err(Refusal::RequiredBy {
                unit: unit.name.clone(),
                by,
            })
        }
    }

    pub(super) fn begin_removal(&mut self, id: UnitId) {
        self.drop_part(id);
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        unit.removing = true;
        unit.wanted = false;
        if let Some(run) = unit.run_mut() {
            run.end = Some(EndWhy::Removed);
        }
        self.save(id, true);
        self.wake_needed(id);
    }

    fn down_source(&mut self, source: &str) -> Result<OperationId, Refusal> {
        let Some(units) = self.sources.get(source) else {
            return Err(Refusal::BadRequest(format!(
                "no unit comes from {source}; `abide status --json` shows where each one comes from"
            )));
        };
        let ids: Vec<UnitId> = units
            .iter()
            .copied()
            .filter(|id| self.units.get(id).is_some_and(|unit| !unit.removing))
            .collect();
        self.remove(&ids, OperationKind::DownFile)
    }

    /// Everything ends; what is wanted stays as it is.
    fn down(&mut self) -> OperationId {
        self.end_rolling();
        let all: Vec<UnitId> = self.units.keys().copied().collect();
        let goals: Vec<_> = all
            .iter()
            .map(|id| {
                (
                    *id,
                    if self.units.get(id).is_some_and(|unit| unit.removing) {
                        Goal::Gone
                    } else {
                        Goal::Down
                    },
                )
            })
            .collect();
        let operation = self.begin_operation(OperationKind::Down, &goals);
        self.halt = Halt::Asked(operation);
        self.end_all();
        operation
    }

    /// Marks every run before the first is settled, so that each waits for its turn.
    pub(super) fn end_all(&mut self) {
        let all: Vec<UnitId> = self.units.keys().copied().collect();
        for id in all {
            let Some(unit) = self.units.get_mut(&id) else {
                continue;
            };
            if let Some(run) = unit.run_mut()
                && run.end.is_none()
            {
                run.end = Some(EndWhy::Down);
                self.save(id, false);
            }
            self.wake(id);
        }
    }
}

pub(super) fn step(unit: &UnitName, state: StepState, note: Option<String>) -> OperationStep {
    OperationStep {
        unit: unit.clone(),
        state,
        note,
    }
}
