//! Policies as they are kept: what is equal is there once.
//!
//! Units that were written alike have equal policies but for the digest of what they run, so a thousand
//! units of one file cost a thousand digests and one policy.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use abide_model::Policy;

/// So many different policies are looked through for an equal one: a file's units come one after the
/// other, and those alike are mostly near each other. More would make a new unit's cost grow with the
/// number of policies.
const RECENT: usize = 16;

/// A unit's policy. It reads like one, but for the digest, which is the unit's own.
#[derive(Clone, Debug)]
pub(super) struct KeptPolicy {
    /// Its digest is 0.
    shared: Arc<Policy>,
    digest: u64,
}

impl KeptPolicy {
    /// The policy with its digest.
    pub(super) fn whole(&self) -> Policy {
        Policy {
            launch_digest: self.digest,
            ..Policy::clone(&self.shared)
        }
    }

    /// See [`Policy::launch_digest`].
    pub(super) fn launch_digest(&self) -> u64 {
        self.digest
    }

    /// Whether it is this one.
    pub(super) fn is(&self, policy: &Policy) -> bool {
        self.digest == policy.launch_digest && same_but_for_digest(&self.shared, policy)
    }
}

impl Deref for KeptPolicy {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.shared
    }
}

/// The policies that were kept last.
#[derive(Debug, Default)]
pub(super) struct Policies {
    recent: VecDeque<Weak<Policy>>,
}

impl Policies {
    /// Keeps a policy, together with an equal one if there is one.
    pub(super) fn keep(&mut self, policy: &Policy) -> KeptPolicy {
        let digest = policy.launch_digest;
        self.recent.retain(|known| known.strong_count() > 0);
        let known = self.recent.iter().filter_map(Weak::upgrade);
        let known = known
            .into_iter()
            .find(|known| same_but_for_digest(known, policy));
        let shared = known.unwrap_or_else(|| {
            let new = Arc::new(Policy {
                launch_digest: 0,
                ..policy.clone()
            });
            self.recent.truncate(RECENT - 1);
            self.recent.push_front(Arc::downgrade(&new));
            new
        });
        KeptPolicy { shared, digest }
    }
}

/// Compares without copying: all fields but the digest.
fn same_but_for_digest(a: &Policy, b: &Policy) -> bool {
    // Taken apart, so that a new field cannot be forgotten here.
    let Policy {
        unit_type,
        enabled,
        restart,
        success_exit,
        backoff,
        give_up,
        stop,
        reload,
        ready,
        heartbeat,
        health,
        hooks,
        socket,
        requires,
        wants,
        after,
        launch_digest: _,
    } = a;
    (unit_type, enabled, restart, success_exit, backoff, give_up)
        == (
            &b.unit_type,
            &b.enabled,
            &b.restart,
            &b.success_exit,
            &b.backoff,
            &b.give_up,
        )
        && (stop, reload, ready, heartbeat) == (&b.stop, &b.reload, &b.ready, &b.heartbeat)
        && (health, hooks, socket) == (&b.health, &b.hooks, &b.socket)
        && (requires, wants, after) == (&b.requires, &b.wants, &b.after)
}
