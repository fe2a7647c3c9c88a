//! The first phase: each woken unit is brought one step towards what is wanted of it, and its
//! neighbours are woken if that concerns them.

use std::collections::BTreeSet;

use abide_model::{EventKind, StepState, UnitId, UnitName, UnitType};

use crate::record::EndWhy;
use crate::supervisor::unit::{Goal, Holding, Phase, Run, Stage, Told, Unit};
use crate::supervisor::{Halt, Supervisor};
use crate::teeth::{Fault, planted};
use crate::{Change, Effect, WakeReason};

/// Something that a unit waits for before it starts.
pub(super) struct Blocker<'a> {
    pub name: &'a UnitName,
    /// It is in `requires`, not only in `wants` or `after`.
    pub required: bool,
    /// `None`: it does not exist.
    pub unit: Option<&'a Unit>,
}

impl Supervisor {
    pub(super) fn settle(&mut self) {
        loop {
            self.settle_queue();
            let due = std::mem::take(&mut self.rolling_due);
            if due.is_empty() {
                return;
            }
            for operation in due {
                self.roll(operation);
            }
        }
    }

    fn settle_queue(&mut self) {
        // From here on units look at each other as they are now. What they see must be what was told,
        // or a change back while they are settled would wake nobody.
        for at in 0..self.queue.len() {
            self.tell(self.queue[at]);
        }
        while let Some(id) = self.queue.pop_front() {
            self.queued.remove(&id);
            self.steps += 1;
            self.settle_unit(id);
        }
        // Only now: what units were told of each other on the way may have been out of date.
        for id in std::mem::take(&mut self.settled) {
            self.progress(id);
        }
    }

    fn settle_unit(&mut self, id: UnitId) {
        let halting = self.halt != Halt::No;
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        if unit.is_live() {
            self.settle_live(id);
        } else if unit.removing {
            self.forget(id);
            return;
        } else if !unit.wanted || halting {
            let rests = match unit.phase {
                Phase::Stopped => true,
                Phase::Failed { .. } | Phase::Exited => unit.wanted,
                Phase::Backoff { .. } => planted(Fault::StopLeavesRestart) && !halting,
                _ => false,
            };
            if !rests {
                unit.phase = Phase::Stopped;
                self.timers.clear(Some(id), WakeReason::Restart);
                self.save(id, false);
            } else if matches!(unit.phase, Phase::Backoff { due } if due <= now) {
                self.spawn(id); // only ever with a planted fault
            }
        } else {
            let due = match unit.phase {
                Phase::Stopped | Phase::Waiting | Phase::Listening => true,
                Phase::Backoff { due } => due <= now,
                Phase::Failed { .. } | Phase::Exited | Phase::Live(_) => false,
            };
            if due {
                self.start_or_wait(id);
            }
        }
        self.watch_socket(id);
        self.show(id);
        self.tell(id);
        self.settled.insert(id);
    }

    /// A run that is to end begins to end when its turn comes.
    fn settle_live(&mut self, id: UnitId) {
        let halting = self.halt != Halt::No;
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let Some(run) = unit.run() else { return };
        let unspawned = run.is_held_by(Holding::BeforeStart);
        let gone = run.is_held_by(Holding::AfterStop);
        let begun = !matches!(run.stage, Stage::Alive) && !unspawned && run.end.is_some();
        if begun {
            return;
        }
        let end = match &run.end {
            // What it requires was started again before its turn came: it may as well stay.
            Some(EndWhy::Dependency(name)) if unit.wanted && !halting && self.stays(name) => {
                run.unless_outdated()
            }
            Some(why) => Some(why.clone()),
            None if halting => Some(EndWhy::Down),
            None if unit.removing => Some(EndWhy::Removed),
            None if !unit.wanted => Some(EndWhy::ByHand),
            None => None,
        };
        // What has no process yet, nobody depends on; what has none any more ends by itself.
        let turn = end.is_some() && !gone && (unspawned || self.is_turn_to_end(id));
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        if run.end != end {
            run.end = end;
            self.save(id, false);
        }
        if turn {
            self.begin_end(id);
        }
    }

    fn stays(&self, name: &UnitName) -> bool {
        let unit = self.graph.id(name).and_then(|id| self.units.get(&id));
        unit.is_some_and(|unit| unit.wanted && !unit.is_leaving())
    }

    /// No unit that depends on this one is still to end.
    ///
    /// A unit that is being removed keeps its old edges until it is gone, and the graph that was
    /// checked for circles is the one without it: so order holds among those that stay and among those
    /// that go, not between the two.
    pub(super) fn is_turn_to_end(&mut self, id: UnitId) -> bool {
        if planted(Fault::StopOrderIgnored) {
            return true;
        }
        let Some(unit) = self.units.get(&id) else {
            return true;
        };
        for dependent in self.graph.dependents(&unit.name) {
            self.steps += 1;
            let other = self.units.get(&dependent);
            if other.is_some_and(|other| other.is_leaving() && other.removing == unit.removing) {
                return false;
            }
        }
        true
    }

    /// What keeps the unit from starting, in the order of its policy.
    pub(super) fn blockers<'a>(&'a self, unit: &'a Unit) -> impl Iterator<Item = Blocker<'a>> {
        let requires = unit.policy.requires.iter().map(|name| (name, true));
        let order = unit
            .policy
            .wants
            .iter()
            .chain(&unit.policy.after)
            .map(|name| (name, false));
        requires.chain(order).filter_map(move |(name, required)| {
            let needed = self.graph.id(name).and_then(|id| self.units.get(&id));
            let open = match (needed, required) {
                (Some(needed), true) => needed.is_up() || planted(Fault::StartOrderIgnored),
                (Some(needed), false) => is_settled(needed, needed.told.hopeless),
                (None, required) => !required,
            };
            (!open).then_some(Blocker {
                name,
                required,
                unit: needed,
            })
        })
    }

    /// It will not come up by itself, or keeps crashing, or waits for such a unit.
    fn is_hopeless(&self, unit: &Unit) -> bool {
        if unit.is_up() {
            return false;
        }
        if !unit.wanted || unit.is_crash_looping() {
            return true;
        }
        match unit.phase {
            Phase::Failed { .. } | Phase::Exited => true,
            Phase::Waiting => self
                .blockers(unit)
                .any(|blocker| blocker.required && blocker.unit.is_none_or(|b| b.told.hopeless)),
            Phase::Stopped | Phase::Listening | Phase::Live(_) | Phase::Backoff { .. } => false,
        }
    }

    fn start_or_wait(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        self.steps += unit.names_needed().count() as u64;
        // Order is of the moment of a start: what listens has had its turn, until a connection comes.
        let in_turn = unit.is_listening() && unit.awaits_connection;
        let missing: Vec<String> = self
            .blockers(unit)
            .filter(|blocker| blocker.required || !in_turn)
            .map(|blocker| blocker.name.to_string())
            .collect();
        if missing.is_empty() {
            if !self.listen(id) {
                self.spawn(id);
            }
            return;
        }
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        if !matches!(unit.phase, Phase::Waiting) {
            unit.phase = Phase::Waiting;
            self.timers.clear(Some(id), WakeReason::Restart);
            let reason = format!("for {}", missing.join(", "));
            self.event(id, None, EventKind::Waiting { reason });
            self.save(id, false);
        }
    }

    pub(super) fn spawn(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let (run, reserved) = unit.run_ids.take();
        unit.phase = Phase::Live(Box::new(Run::ordered(run, now)));
        unit.last_run = Some(run);
        unit.started = None;
        self.live += 1;
        self.timers.clear(Some(id), WakeReason::Restart);
        self.save(id, reserved);
        self.watch_socket(id);
        if !self.hold(id, Holding::BeforeStart) {
            self.intents.push(Effect::Spawn {
                unit: id,
                run,
                after: None,
            });
        }
    }

    /// Shows its state to people, if that changed.
    fn show(&mut self, id: UnitId) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let shown = unit.state();
        if unit.shown != shown {
            unit.shown = shown;
            unit.since = now;
            self.touched.insert(id);
        }
    }

    /// Tells the neighbours, if what they see of the unit changed.
    pub(super) fn tell(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let hopeless = self.is_hopeless(unit);
        let told = Told {
            up: unit.is_up(),
            settled: is_settled(unit, hopeless),
            leaving: unit.is_leaving(),
            hopeless,
        };
        if unit.told == told {
            return;
        }
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let was = std::mem::replace(&mut unit.told, told);
        if planted(Fault::DependentsNotWoken) && told.up {
            return;
        }
        self.wake_dependents(id);
        if was.up && !told.up {
            self.close_dependents(id);
        }
        if was.leaving != told.leaving {
            self.wake_needed(id);
        }
    }

    /// Those that name this unit may go on, or have to wait.
    pub(super) fn wake_dependents(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let dependents: Vec<UnitId> = self.graph.dependents(&unit.name).collect();
        self.steps += dependents.len() as u64;
        for dependent in dependents {
            self.wake(dependent);
        }
    }

    /// Those that this unit names may have their turn to end.
    pub(super) fn wake_needed(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let needed: Vec<UnitId> = unit
            .names_needed()
            .filter_map(|name| self.graph.id(name))
            .collect();
        self.steps += needed.len() as u64;
        for needed in needed {
            self.wake(needed);
        }
    }

    /// Its run is over and it is being removed.
    fn forget(&mut self, id: UnitId) {
        self.wake_dependents(id);
        self.wake_needed(id);
        let Some(unit) = self.units.remove(&id) else {
            return;
        };
        self.graph.remove(id, &unit.name, unit.names_needed());
        if let Some(units) = self.sources.get_mut(&unit.source) {
            units.remove(&id);
            if units.is_empty() {
                self.sources.remove(&unit.source);
            }
        }
        self.clear_timers(id);
        if unit.watched {
            self.intents.push(Effect::UnwatchSocket(id));
        }
        let hooks = unit.beside.iter().filter_map(|beside| beside.effect);
        for awaited in unit.saving.into_iter().chain(hooks) {
            self.awaited.remove(&awaited);
        }
        self.unsaved.remove(&id);
        if let Some((operation, _)) = unit.operation {
            self.operations
                .step(operation, &unit.name, StepState::Done, None);
        }
        if let Some(part) = &unit.rolling {
            self.rolling_due.insert(part.operation);
        }
        self.event(id, unit.last_run, EventKind::Removed);
        self.changes.push(Change::Forgotten(id));
    }

    /// Tells the unit's operation how far it is.
    fn progress(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        if let Some(part) = &unit.rolling {
            self.rolling_due.insert(part.operation);
        }
        let Some((operation, goal)) = unit.operation else {
            return;
        };
        if self.operations.rolling(operation).is_some() {
            self.rolling_due.insert(operation);
        }
        if let Some(part) = &unit.rolling
            && part.operation == operation
        {
            let note = self.rolling_note(unit, part);
            let name = unit.name.clone();
            self.operations
                .step(operation, &name, StepState::Pending, note);
            return;
        }
        let (state, note) = match goal {
            Goal::Up => self.progress_up(unit),
            Goal::Down if !unit.is_live() => (StepState::Done, None),
            Goal::Down if unit.wanted && self.halt == Halt::No => (
                StepState::Superseded,
                Some("a later command needs it up".into()),
            ),
            Goal::Gone if !unit.removing => (
                StepState::Superseded,
                Some("a later command keeps it".into()),
            ),
            Goal::Down | Goal::Gone => (StepState::Pending, self.reason(unit)),
        };
        let name = unit.name.clone();
        let (state, note) = self.if_rolled_back(operation, state, note);
        self.operations.step(operation, &name, state, note);
    }

    fn progress_up(&self, unit: &Unit) -> (StepState, Option<String>) {
        let hopeless = match &unit.phase {
            _ if unit.is_up() => return (StepState::Done, None),
            Phase::Exited if unit.policy.unit_type == UnitType::Service => {
                return (StepState::Done, self.reason(unit));
            }
            Phase::Stopped if !unit.wanted => {
                return (
                    StepState::Superseded,
                    Some("it is not wanted up any more".into()),
                );
            }
            Phase::Failed { .. } => true,
            Phase::Waiting if unit.told.hopeless => true,
            _ => unit.is_crash_looping() && !unit.is_leaving(),
        };
        let failed = hopeless && !planted(Fault::FailedStepForgotten);
        (
            if failed {
                StepState::Failed
            } else {
                StepState::Pending
            },
            self.reason(unit),
        )
    }

    /// The units that must be wanted for these to come up: they themselves, and all they name in
    /// `requires` and `wants`, and so on.
    pub(super) fn pulled_in(&mut self, ids: impl IntoIterator<Item = UnitId>) -> BTreeSet<UnitId> {
        let mut found = BTreeSet::new();
        let mut open: Vec<UnitId> = ids.into_iter().collect();
        while let Some(id) = open.pop() {
            if !found.insert(id) {
                continue;
            }
            self.steps += 1;
            let Some(unit) = self.units.get(&id) else {
                continue;
            };
            let names = unit.policy.requires.iter().chain(&unit.policy.wants);
            open.extend(names.filter_map(|name| self.graph.id(name)));
        }
        found
    }
}

/// It had its chance to come up, which is all that `wants` and `after` ask for: it is up, or rests,
/// or has failed at least once, or waits for what will not come (`hopeless`).
fn is_settled(unit: &Unit, hopeless: bool) -> bool {
    if unit.is_up() || !unit.wanted || unit.row > 0 {
        return true;
    }
    match unit.phase {
        Phase::Failed { .. } | Phase::Exited | Phase::Backoff { .. } => true,
        Phase::Waiting => hopeless,
        Phase::Stopped | Phase::Listening | Phase::Live(_) => false,
    }
}
