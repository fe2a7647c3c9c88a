//! The clock that programs and benchmark share: CLOCK_MONOTONIC, which is one for the whole machine.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since some point that is the same for all processes.
#[must_use]
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Lets time pass, where what happens in that time is what is measured, or where a peer has no event
/// to wait for.
#[expect(
    clippy::disallowed_methods,
    reason = "the time that passes is what is measured"
)]
pub fn let_pass(time: Duration) {
    std::thread::sleep(time);
}

/// Milliseconds between two readings; 0 if the second came first.
#[must_use]
pub fn ms(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e6
}
