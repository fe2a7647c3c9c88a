//! All units, by id.

use std::collections::BTreeMap;

use abide_model::UnitId;

use crate::supervisor::unit::Unit;

/// A map whose values are boxed: ids are given in ascending order, which leaves the nodes of the tree half
/// empty, and an empty place for a whole unit in each would cost as much as the units.
#[derive(Debug, Default)]
pub(super) struct Units(BTreeMap<UnitId, Box<Unit>>);

impl Units {
    pub(super) fn get(&self, id: &UnitId) -> Option<&Unit> {
        self.0.get(id).map(|unit| &**unit)
    }

    pub(super) fn get_mut(&mut self, id: &UnitId) -> Option<&mut Unit> {
        self.0.get_mut(id).map(|unit| &mut **unit)
    }

    pub(super) fn contains_key(&self, id: &UnitId) -> bool {
        self.0.contains_key(id)
    }

    pub(super) fn insert(&mut self, id: UnitId, unit: Unit) {
        self.0.insert(id, Box::new(unit));
    }

    pub(super) fn remove(&mut self, id: &UnitId) -> Option<Unit> {
        self.0.remove(id).map(|unit| *unit)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Unit> + Clone {
        self.0.values().map(|unit| &**unit)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &UnitId> {
        self.0.keys()
    }
}
