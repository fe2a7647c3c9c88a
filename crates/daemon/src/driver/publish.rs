//! Turning what the core says into what everybody reads.

use abide_model::{Now, UnitId};

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
        self.board.publish(UnitEntry {
            id,
            name: unit.name.clone(),
            spec: unit.spec.clone(),
            view: UnitView::of(&view, now, unit.beat),
            limits_unsupported: unit.limits_unsupported.clone(),
            tree: unit.run.as_ref().map(|run| run.tree.clone()),
            facts: unit.facts.clone(),
        });
    }
}
