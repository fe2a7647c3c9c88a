//! A new daemon goes on with rolling operations where the old one died.

use abide_model::{OperationState, UnitId};

use crate::record::Turn;
use crate::supervisor::Supervisor;
use crate::teeth::{Fault, planted};
use crate::{Effect, WakeReason};

impl Supervisor {
    /// Units and operations are restored, and nothing was set in motion yet.
    pub(in crate::supervisor) fn restore_rolling(&mut self, continues: bool) {
        let parts: Vec<UnitId> = self
            .units
            .values()
            .filter(|unit| unit.rolling.is_some())
            .map(|unit| unit.id)
            .collect();
        for id in parts {
            self.restore_part(id, continues);
        }
        self.end_superseded();
    }

    /// A later operation had taken the place of an earlier one, and only that was written down.
    fn end_superseded(&mut self) {
        let due = self.rolling_due.clone();
        for &earlier in &due {
            let Some(progress) = self.operations.rolling(earlier) else {
                continue;
            };
            let superseded = due.range(earlier..).skip(1).any(|later| {
                let units = self.operations.rolling(*later).map(|later| &later.units);
                let mut units = units.into_iter().flatten();
                units.any(|name| progress.units.contains(name))
            });
            if superseded {
                self.abandon_rolling(earlier);
            }
        }
    }

    fn restore_part(&mut self, id: UnitId, continues: bool) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let policy = Box::new(unit.policy.whole());
        let Some(part) = &mut unit.rolling else {
            return;
        };
        let operation = part.operation;
        match &part.turn {
            Turn::Begun {
                previous: Some(_), ..
            } => self.intents.push(Effect::Advance(id)),
            Turn::Begun { .. } | Turn::Waiting { .. } | Turn::Added | Turn::Leaving => {}
        }
        if planted(Fault::RollingDoneAgain)
            && let Turn::Begun {
                good: true,
                previous,
                ..
            } = &part.turn
        {
            let next = previous.is_some().then_some(policy);
            part.turn = Turn::Waiting { next };
        }
        let known = self
            .operations
            .get(operation)
            .is_some_and(|o| o.state == OperationState::Running && o.rolling.is_some());
        if !known {
            // A full disk refused to remember the operation: the unit keeps what it has.
            self.drop_part(id);
            return;
        }
        self.rolling_due.insert(operation);
        let until = self
            .operations
            .rolling(operation)
            .and_then(|p| p.hold_until);
        match until {
            Some(until) if continues => self.timers.set(operation, WakeReason::Hold, until),
            // Of another boot's clock: the canaries are watched anew.
            Some(_) => self
                .operations
                .change_rolling(operation, |progress| progress.hold_until = None),
            None => {}
        }
    }
}

/// It goes when its operation comes to that.
pub(in crate::supervisor) fn is_leaving(unit: &crate::supervisor::unit::Unit) -> bool {
    unit.rolling
        .as_ref()
        .is_some_and(|part| part.turn == Turn::Leaving)
}
