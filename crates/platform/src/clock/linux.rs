use std::sync::OnceLock;

use abide_model::{Mono, Now, Wall};
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::Boot;

fn nanoseconds(t: Timespec) -> i64 {
    t.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(t.tv_nsec)
}

/// Reads `CLOCK_BOOTTIME` and `CLOCK_REALTIME`.
#[must_use]
pub fn now() -> Now {
    let mono = nanoseconds(clock_gettime(ClockId::Boottime));
    let wall = nanoseconds(clock_gettime(ClockId::Realtime));
    Now {
        mono: Mono(u64::try_from(mono).unwrap_or(0)),
        wall: Wall(wall),
    }
}

/// The running boot, from `/proc/sys/kernel/random/boot_id` (random(4)).
#[must_use]
pub fn boot() -> Boot {
    // A process lives in one boot.
    static BOOT: OnceLock<Boot> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        text.trim().replace('-', "").parse().unwrap_or_default()
    })
}
