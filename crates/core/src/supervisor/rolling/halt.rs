//! When a rolling operation does not go well, or somebody takes its place.

use std::collections::BTreeSet;

use abide_model::{EventKind, OperationId, RollingProgress, StepState, UnitId, UnitName};

use crate::record::{EndWhy, Turn};
use crate::supervisor::Supervisor;
use crate::supervisor::rolling::{failure, is_coming, is_plain};
use crate::supervisor::unit::Phase;
use crate::teeth::{Fault, planted};
use crate::{Effect, WakeReason};

/// What a halt of an `Apply` ends with.
const ROLLED_BACK: &str = "; rolled back";

impl Supervisor {
    /// A run of the unit ended by itself. If it was of the new version, no other one is to follow.
    pub(in crate::supervisor) fn halt_if_failed(&mut self, id: UnitId) {
        let part = self.units.get(&id).and_then(|unit| unit.rolling.as_ref());
        let Some(operation) = part.map(|part| part.operation) else {
            return;
        };
        if let Some(progress) = self.operations.rolling(operation).cloned()
            && progress.halted.is_none()
        {
            self.halt_if_any_failed(operation, &progress);
        }
    }

    pub(super) fn halt_if_any_failed(
        &mut self,
        operation: OperationId,
        progress: &RollingProgress,
    ) -> bool {
        let failed = self.what_failed(operation, progress);
        let Some((name, why)) = failed.filter(|_| !planted(Fault::RollingHaltIgnored)) else {
            return false;
        };
        self.halt_rolling(operation, progress, &name, &why);
        true
    }

    /// The first unit whose new version is no good, and why.
    fn what_failed(
        &mut self,
        operation: OperationId,
        progress: &RollingProgress,
    ) -> Option<(UnitName, String)> {
        if let Some(taken) = self.rolling_halts.remove(&operation) {
            return Some(taken);
        }
        progress.units.iter().find_map(|name| {
            let unit = self.rolled(name, operation)?;
            let hopeless = matches!(unit.phase, Phase::Waiting) && unit.told.hopeless;
            let begun = matches!(
                unit.rolling.as_ref()?.turn,
                Turn::Begun { .. } if hopeless && unit.wanted
            );
            let why = match failure(unit) {
                None if begun => self.reason(unit).unwrap_or_default(),
                why => why?,
            };
            Some((name.clone(), why))
        })
    }

    /// A later command takes the unit. Nothing new comes of what it tells about the new version; the last
    /// word on a canary that is on trial was not said.
    pub(in crate::supervisor) fn taken_from_rolling(&mut self, id: UnitId, by: OperationId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let Some(part) = &unit.rolling else { return };
        let (operation, plain) = (part.operation, is_plain(&part.turn));
        if operation == by {
            return;
        }
        let on_trial = matches!(part.turn, Turn::Begun { good: false, .. });
        let canary = self
            .operations
            .rolling(operation)
            .is_some_and(|progress| progress.halted.is_none() && progress.done < progress.canaries);
        if on_trial && canary {
            let why = format!("a later command ({by}) took it over before it was found good");
            let name = unit.name.clone();
            self.rolling_halts
                .entry(operation)
                .or_insert_with(|| (name, why));
        }
        if plain {
            self.leave_rolling(id);
        }
        self.rolling_due.insert(operation);
    }

    /// It does not go well: the rest is left alone, and what an `Apply` brought is taken back.
    fn halt_rolling(
        &mut self,
        operation: OperationId,
        progress: &RollingProgress,
        name: &UnitName,
        why: &str,
    ) {
        let parts = self.parts_of(operation);
        let plain = parts.iter().all(|id| {
            let part = self.units.get(id).and_then(|unit| unit.rolling.as_ref());
            part.is_none_or(|part| is_plain(&part.turn))
        });
        let done = if plain { "" } else { ROLLED_BACK };
        let reason = format!("{name}: {why}{done}");
        let halted = reason.clone();
        self.operations.change_rolling(operation, |progress| {
            progress.halted = Some(halted);
            progress.hold_until = None;
        });
        self.timers.clear(operation, WakeReason::Hold);
        let unit = self.graph.id(name);
        let run = unit.and_then(|id| self.units.get(&id)?.last_run);
        self.intents.push(Effect::Event {
            unit,
            run,
            kind: EventKind::RollingHalted {
                reason: reason.clone(),
            },
        });
        let progress = RollingProgress {
            halted: Some(reason),
            ..progress.clone()
        };
        self.roll_back(operation, &progress);
    }

    /// Nothing is to come any more for those whose turn did not come, or that were only restarted.
    fn stop_parts(&mut self, operation: OperationId, reason: &str) {
        for id in self.parts_of(operation) {
            let Some(unit) = self.units.get(&id) else {
                continue;
            };
            let Some(turn) = unit.rolling.as_ref().map(|part| part.turn.clone()) else {
                continue;
            };
            let is_up = failure(unit).is_none() && unit.is_up();
            match turn {
                Turn::Begun {
                    previous: Some(_), ..
                } => continue, // in its turn
                Turn::Begun { .. } if is_up => {
                    let note = Some("restarted".into());
                    self.rolling_step(id, operation, StepState::Done, note);
                }
                _ => {
                    let note = Some(format!("halted: {reason}"));
                    self.rolling_step(id, operation, StepState::Failed, note);
                }
            }
            match turn {
                Turn::Waiting { next: Some(_) } => self.intents.push(Effect::Revert(id)),
                Turn::Added => self.begin_removal(id),
                _ => {}
            }
            self.leave_rolling(id);
        }
    }

    /// Those that have the new version get back what they had: first those that are not up, then the
    /// others, one after the other.
    pub(super) fn roll_back(&mut self, operation: OperationId, progress: &RollingProgress) {
        self.stop_parts(operation, progress.halted.as_deref().unwrap_or_default());
        let mut left = Vec::new();
        for name in &progress.units {
            let Some(unit) = self.rolled(name, operation) else {
                continue;
            };
            if unit.is_up() {
                left.push(unit.id);
            } else {
                self.revert(unit.id, operation);
            }
        }
        let coming = progress.units.iter().any(|name| {
            let id = self.graph.id(name);
            let unit = id.and_then(|id| self.units.get(&id));
            unit.is_some_and(|unit| {
                is_coming(unit) && unit.operation.is_some_and(|(id, _)| id == operation)
            })
        });
        if !left.is_empty() && planted(Fault::RollingBackForgets) {
            for id in left.drain(..) {
                self.leave_rolling(id);
            }
        }
        match left.first() {
            Some(&next) if !coming => self.revert(next, operation),
            Some(_) => {}
            None => self.operations.release(operation),
        }
    }

    /// The unit has what it had before the operation, for good.
    fn revert(&mut self, id: UnitId, operation: OperationId) {
        let Some(Turn::Begun {
            previous: Some(previous),
            ..
        }) = self.leave_rolling(id)
        else {
            return;
        };
        self.intents.push(Effect::Revert(id));
        self.give_policy(id, &previous, &EndWhy::RolledBack);
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let name = unit.name.clone();
        unit.forget_crashes();
        if !unit.is_live() && !unit.is_listening() {
            unit.phase = Phase::Stopped;
            self.timers.clear(Some(id), WakeReason::Restart);
        }
        self.operations.reopen(operation, &name);
        let followed = self
            .units
            .get(&id)
            .is_some_and(|unit| unit.operation.is_some_and(|(id, _)| id == operation));
        if !followed {
            // It is not wanted up, so there is nothing to wait for.
            let note = Some("rolled back; it is not wanted up".into());
            self.rolling_step(id, operation, StepState::Failed, note);
        }
        self.rolling_due.insert(operation);
    }

    /// Ends the rolling operations that have to do with these units where they are: what had its turn
    /// keeps what it got, the others keep what they had.
    pub(in crate::supervisor) fn abandon_rolling_of(
        &mut self,
        ids: impl IntoIterator<Item = UnitId>,
    ) {
        for id in ids {
            let part = self.units.get(&id).and_then(|unit| unit.rolling.as_ref());
            if let Some(operation) = part.map(|part| part.operation) {
                self.abandon_rolling(operation);
            }
        }
    }

    /// The same for a later `Apply` of these: what was held back of them is out of date as it is.
    pub(in crate::supervisor) fn abandon_rolling_for(&mut self, applied: &BTreeSet<UnitId>) {
        let operations: BTreeSet<OperationId> = applied
            .iter()
            .filter_map(|id| self.units.get(id)?.rolling.as_ref())
            .map(|part| part.operation)
            .collect();
        for operation in operations {
            self.abandon(operation, applied);
        }
    }

    pub(super) fn abandon_rolling(&mut self, operation: OperationId) {
        self.abandon(operation, &BTreeSet::new());
    }

    fn abandon(&mut self, operation: OperationId, applied: &BTreeSet<UnitId>) {
        for id in self.parts_of(operation) {
            let note = Some("a later command ended the operation".into());
            self.rolling_step(id, operation, StepState::Superseded, note);
            if applied.contains(&id) {
                self.leave_rolling(id);
            } else {
                self.drop_part(id);
            }
        }
        self.timers.clear(operation, WakeReason::Hold);
        self.rolling_halts.remove(&operation);
        self.operations.release(operation);
    }

    /// The unit has nothing to do with its operation any more, and keeps what it has now.
    pub(in crate::supervisor) fn drop_part(&mut self, id: UnitId) {
        match self.leave_rolling(id) {
            Some(Turn::Waiting { next: Some(_) }) => self.intents.push(Effect::Revert(id)),
            Some(Turn::Begun {
                previous: Some(_), ..
            }) => self.intents.push(Effect::Settled(id)),
            _ => {}
        }
    }

    /// Everything goes down: no operation is rolling any more. One that was taking a version back
    /// has that done.
    pub(in crate::supervisor) fn end_rolling(&mut self) {
        let parts: Vec<UnitId> = self
            .units
            .values()
            .filter(|unit| unit.rolling.is_some())
            .map(|unit| unit.id)
            .collect();
        for &id in &parts {
            let part = self.units.get(&id).and_then(|unit| unit.rolling.as_ref());
            let operation = part.map(|part| part.operation);
            let halted = operation
                .and_then(|operation| self.operations.rolling(operation))
                .is_some_and(|progress| progress.halted.is_some());
            if let (Some(operation), true) = (operation, halted) {
                self.revert(id, operation);
            }
        }
        self.abandon_rolling_of(parts);
    }

    /// How a step that is over reads when its operation was halted meanwhile.
    pub(in crate::supervisor) fn if_rolled_back(
        &self,
        operation: OperationId,
        state: StepState,
        note: Option<String>,
    ) -> (StepState, Option<String>) {
        let halted = self
            .operations
            .rolling(operation)
            .and_then(|progress| progress.halted.as_ref());
        let halted = halted.map(|why| why.strip_suffix(ROLLED_BACK).unwrap_or(why));
        match (halted, state) {
            (Some(why), StepState::Done) => {
                (StepState::Failed, Some(format!("rolled back: {why}")))
            }
            (Some(why), StepState::Failed) => {
                let now = note.unwrap_or_default();
                let note = format!("rolled back: {why}; and does not come up so: {now}");
                (StepState::Failed, Some(note))
            }
            _ => (state, note),
        }
    }
}
