//! Identifiers. Each is a number of its own type, so that a run is never taken for a unit.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(
    /// A unit within one home. Given once, never reused, kept over restarts of the daemon.
    UnitId(u32), "u"
);
id!(
    /// One execution of a unit, from spawn to reaped exit. Grows by one per run of that unit and is
    /// never reused within it: an input that carries an old run is stale and is dropped.
    RunId(u64), "r"
);
id!(
    /// Something the core asked for; the result that comes back names it.
    EffectId(u64), "e"
);
id!(
    /// A client's request that waits for its [`crate::Operation`] or its refusal.
    RequestId(u64), "q"
);
id!(
    /// A long-running piece of work (`up FILE`, `restart all`, `down`) that clients can follow.
    OperationId(u64), "o"
);
