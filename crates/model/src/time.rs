//! Points in time, as the rest of abide hands them to the core. Nothing here reads a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on a clock that never jumps and that counts suspended time (`CLOCK_BOOTTIME`),
/// in nanoseconds since boot. Comparable only within one boot.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Mono(pub u64);

/// A point on the calendar, in nanoseconds since 1970-01-01T00:00:00Z. May jump either way.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Wall(pub i64);

/// Both clocks, read together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Now {
    /// For deadlines and durations.
    pub mono: Mono,
    /// For what people read.
    pub wall: Wall,
}

impl Mono {
    /// The point `d` later; saturates at the end of the range instead of wrapping.
    #[must_use]
    pub fn after(self, d: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// How long it is from `earlier` to `self`; zero when `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Wall {
    /// The point `d` later; saturates.
    #[must_use]
    pub fn after(self, d: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)),
        )
    }
}

impl Now {
    /// What the calendar will show at `mono`, if nobody sets the clock in between.
    #[must_use]
    pub fn wall_at(self, mono: Mono) -> Wall {
        if mono >= self.mono {
            self.wall.after(mono.since(self.mono))
        } else {
            let back = i64::try_from(self.mono.since(mono).as_nanos()).unwrap_or(i64::MAX);
            Wall(self.wall.0.saturating_sub(back))
        }
    }
}
