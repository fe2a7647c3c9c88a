//! Turning what the core says into what everybody reads.

use abide_model::{ActualState, Now, UnitId};

use super::run::Daemon;
use crate::board::{UnitEntry, UnitView};

impl Daemon {
    /// Publishes all units that changed since the last time.
    pub(super) fn publish_dirty(&mut self, now: Now) {
        for id in std::mem::take(&mut self.dirty) {
            self.publish_unit(id, now);
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
            facts: unit.facts.clone(),
        });
    }
}
