//! Turning what the core says into what everybody reads.

use std::sync::Arc;
use std::time::Duration;

use abide_model::{ActualState, Mono, Now, OperationId, OperationState, UnitId};

use super::run::Daemon;
use crate::board::{UnitEntry, UnitView};

/// What is shown is copied with the next change, all steps of it, so one of many units is shown this much later for each,
/// and all that changed meanwhile with it: else an operation of n units would cost n².
const PER_STEP: Duration = Duration::from_micros(20);
/// Operations of no more units than this are shown at once.
const SMALL: usize = 64;

impl Daemon {
    /// An operation went on.
    pub(super) fn operation_changed(&mut self, id: OperationId, now: Mono) {
        let Some(operation) = self.core.operation(id) else {
            return;
        };
        let steps = operation.steps.len();
        let small = steps <= SMALL || operation.state != OperationState::Running;
        // Whoever is told of it asks for it.
        if small || self.board.operation(id).is_none() {
            self.changed_operations.remove(&id);
            self.board.publish_operation(Arc::clone(operation));
            return;
        }
        let wait = PER_STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX));
        self.changed_operations
            .entry(id)
            .or_insert_with(|| now.after(wait));
    }

    /// Shows the operations whose time has come.
    pub(super) fn publish_operations(&mut self, now: Mono) {
        while let Some(id) = self
            .changed_operations
            .iter()
            .find_map(|(id, at)| (*at <= now).then_some(*id))
        {
            self.changed_operations.remove(&id);
            if let Some(operation) = self.core.operation(id) {
                self.board.publish_operation(Arc::clone(operation));
            }
        }
    }

    /// Publishes all units that changed since the last time.
    pub(super) fn publish_dirty(&mut self, now: Now) {
        for id in std::mem::take(&mut self.dirty) {
            self.publish_unit(id, now);
            self.note_for_manager(id);
        }
    }

    fn publish_unit(&self, id: UnitId, now: Now) {
        let (Some(unit), Some(view)) = (self.units.get(id), self.core.unit(id)) else {
            return;
        };
        let mut shown = UnitView::of(&view, now, unit.beat);
        // While it starts, what its check last said tells more than that it is not ready.
        let run = unit.run.as_ref().filter(|run| Some(run.run) == view.run);
        let not_ready = run.and_then(|run| run.not_ready.as_deref());
        if let (ActualState::Starting, Some(not_ready)) = (view.state, not_ready) {
            let reason = shown.reason.take().unwrap_or_default();
            shown.reason = Some(format!("{reason}: {not_ready}"));
        }
        self.board.publish(UnitEntry {
            id,
            name: unit.name.clone(),
            spec: unit.spec.clone(),
            view: shown,
            limits_unsupported: unit.limits_unsupported.clone(),
            tree: unit.run.as_ref().map(|run| run.tree.clone()),
            facts: Arc::clone(&unit.facts),
        });
    }
}
