//! Every deadline of the supervisor, in one ordered set.

use std::collections::{BTreeMap, BTreeSet};

use abide_model::{Mono, OperationId, UnitId};

use crate::WakeReason;

/// Whose deadline it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owner {
    /// The supervisor's own.
    Supervisor,
    Unit(UnitId),
    Operation(OperationId),
}

/// A unit's, or the supervisor's own.
impl From<Option<UnitId>> for Owner {
    fn from(unit: Option<UnitId>) -> Self {
        unit.map_or(Self::Supervisor, Self::Unit)
    }
}

impl From<OperationId> for Owner {
    fn from(operation: OperationId) -> Self {
        Self::Operation(operation)
    }
}

/// At most one deadline per owner and reason.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Mono, Owner, WakeReason)>,
    by_owner: BTreeMap<(Owner, WakeReason), Mono>,
}

impl Timers {
    /// Sets, or moves, a deadline.
    pub(crate) fn set(&mut self, owner: impl Into<Owner>, reason: WakeReason, at: Mono) {
        let owner = owner.into();
        self.clear_of(owner, reason);
        self.by_owner.insert((owner, reason), at);
        self.by_time.insert((at, owner, reason));
    }

    pub(crate) fn clear(&mut self, owner: impl Into<Owner>, reason: WakeReason) {
        self.clear_of(owner.into(), reason);
    }

    fn clear_of(&mut self, owner: Owner, reason: WakeReason) {
        if let Some(at) = self.by_owner.remove(&(owner, reason)) {
            self.by_time.remove(&(at, owner, reason));
        }
    }

    pub(crate) fn get(&self, owner: impl Into<Owner>, reason: WakeReason) -> Option<Mono> {
        self.by_owner.get(&(owner.into(), reason)).copied()
    }

    pub(crate) fn next(&self) -> Option<(Mono, WakeReason)> {
        self.by_time.first().map(|&(at, _, reason)| (at, reason))
    }

    /// Takes out the earliest deadline, if it is not later than `now`.
    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<(Owner, WakeReason)> {
        let &(at, owner, reason) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.clear_of(owner, reason);
        Some((owner, reason))
    }
}
