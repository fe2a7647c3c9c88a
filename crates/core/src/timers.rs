//! Every deadline of the supervisor, in one ordered set.

use std::collections::{BTreeMap, BTreeSet};

use abide_model::{Mono, UnitId};

use crate::WakeReason;

/// Whose deadline it is; `None` is the supervisor's own.
pub(crate) type Owner = Option<UnitId>;

/// At most one deadline per owner and reason.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Mono, Owner, WakeReason)>,
    by_owner: BTreeMap<(Owner, WakeReason), Mono>,
}

impl Timers {
    /// Sets, or moves, a deadline.
    pub(crate) fn set(&mut self, owner: Owner, reason: WakeReason, at: Mono) {
        self.clear(owner, reason);
        self.by_owner.insert((owner, reason), at);
        self.by_time.insert((at, owner, reason));
    }

    pub(crate) fn clear(&mut self, owner: Owner, reason: WakeReason) {
        if let Some(at) = self.by_owner.remove(&(owner, reason)) {
            self.by_time.remove(&(at, owner, reason));
        }
    }

    pub(crate) fn get(&self, owner: Owner, reason: WakeReason) -> Option<Mono> {
        self.by_owner.get(&(owner, reason)).copied()
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
        self.clear(owner, reason);
        Some((owner, reason))
    }
}
