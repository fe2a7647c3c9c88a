//! Waiting for a condition that only another process can bring about.

use std::time::{Duration, Instant};

/// How long a scenario waits for what takes milliseconds on an idle machine.
pub const GENEROUS: Duration = Duration::from_secs(120);

/// Looks until `look` finds something, or until `deadline` has passed.
///
/// # Errors
/// Says what was waited for, and for how long.
pub fn try_until<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, String> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if begun.elapsed() > deadline {
            return Err(format!(
                "waited {:.1} s in vain: {what}",
                begun.elapsed().as_secs_f64()
            ));
        }
        pause();
    }
}

/// As [`try_until`], for scenarios.
///
/// # Panics
/// When the deadline has passed.
#[track_caller]
pub fn until<T>(what: &str, deadline: Duration, look: impl FnMut() -> Option<T>) -> T {
    match try_until(what, deadline, look) {
        Ok(found) => found,
        Err(why) => panic!("{why}"),
    }
}

/// Between two looks. Another process's doings can only be looked for, and never depend on how
/// long this is.
#[expect(
    clippy::disallowed_methods,
    reason = "a look at another process, repeated until a deadline"
)]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Lets `time` pass where the passing of time is itself the scenario ("it goes on for a second").
#[expect(
    clippy::disallowed_methods,
    reason = "the time that passes is the scenario"
)]
pub fn let_pass(time: Duration) {
    std::thread::sleep(time);
}
