//! The two specs of a unit while a rolling `Apply` is under way: the one it had, and the one it gets in
//! its turn. Which one holds is the core's to say; it says so again to each new daemon.
//!
//! In the journal `Spec` is the one it had, and `Next` the other, until that is settled either way.

use std::sync::Arc;

use abide_model::{Spec, UnitId};

use super::run::Daemon;
use crate::board::KeptSpec;
use crate::store::{Entry, Image};

/// Both specs of a unit.
pub struct Versions {
    /// Before the rolling `Apply`.
    pub old: Arc<KeptSpec>,
    /// What that brings.
    pub new: Arc<KeptSpec>,
}

impl Daemon {
    /// A rolling `Apply` brings the unit this spec, when its turn comes.
    pub(super) fn hold_back(&mut self, id: UnitId, new: Spec) {
        let Some(unit) = self.units.get_mut(id) else {
            return;
        };
        let old = Arc::clone(&unit.spec);
        let held_already = unit.versions.take().is_some();
        let next = Box::new(new.clone());
        let new = Arc::new(self.keep.keep(new));
        unit.versions = Some(Versions {
            old: Arc::clone(&old),
            new: Arc::clone(&new),
        });
        if held_already {
            // What it has now may be what the `Apply` before brought.
            self.write_spec(id, &old);
        }
        self.store.write(Entry::Next(id, Some(next)), false, None);
    }

    /// Its turn has come.
    pub(super) fn advance(&mut self, id: UnitId) {
        let new = self
            .units
            .get(id)
            .and_then(|unit| Some(Arc::clone(&unit.versions.as_ref()?.new)));
        if let Some(new) = new {
            self.put_on(id, new);
        }
    }

    /// It goes back to what it had, or stays with it.
    pub(super) fn revert(&mut self, id: UnitId) {
        if let Some(versions) = self.units.get_mut(id).and_then(|u| u.versions.take()) {
            self.put_on(id, versions.old);
            self.store.write(Entry::Next(id, None), false, None);
        }
    }

    /// It keeps what it has now.
    pub(super) fn settle_version(&mut self, id: UnitId) {
        let Some(unit) = self.units.get_mut(id) else {
            return;
        };
        if unit.versions.take().is_some() {
            let spec = Arc::clone(&unit.spec);
            self.write_spec(id, &spec);
            self.store.write(Entry::Next(id, None), false, None);
        }
    }

    /// From now on the unit has this spec.
    fn put_on(&mut self, id: UnitId, spec: Arc<KeptSpec>) {
        let old = self.units.put(id, Arc::clone(&spec));
        if old.as_ref().is_some_and(|old| **old == *spec) {
            return;
        }
        self.note_sockets(id);
        self.log_changed(id, old.as_deref());
        self.serve_beats_if_wanted();
        self.dirty.insert(id);
    }

    pub(super) fn write_spec(&self, id: UnitId, spec: &KeptSpec) {
        let entry = Entry::Spec(id, Box::new(spec.whole()));
        self.store.write(entry, false, None);
    }

    /// After the death of a daemon: those that were held back are again, if the core still has to do
    /// with them.
    pub(super) fn take_versions(&mut self, image: &Image) {
        for (id, next) in &image.next {
            let waits = image
                .units
                .get(id)
                .is_some_and(|record| record.rolling.is_some());
            match self.units.get_mut(*id) {
                Some(unit) if waits => {
                    unit.versions = Some(Versions {
                        old: Arc::clone(&unit.spec),
                        new: Arc::new(self.keep.keep(next.clone())),
                    });
                }
                _ => self.store.write(Entry::Next(*id, None), false, None),
            }
        }
    }
}
