//! Crash recovery: one unit is killed with SIGKILL. From before the kill until its successor is in `main()`.
//! One at a time, each unit at most once, so that nobody's backoff is what is measured.

use std::time::Duration;

use super::session::{Out, Session};
use crate::clock;

/// In milliseconds.
pub const WHAT: &str = "crash ms";

/// Measures so many times, or until the time is over: some peers wait a second before each restart.
///
/// # Errors
/// A unit does not come back.
pub fn measure(
    session: &mut Session,
    out: &mut Out,
    kills: usize,
    within: Duration,
) -> Result<(), String> {
    let mut values = Vec::new();
    let first = clock::now();
    let units: Vec<usize> = session.pids.keys().copied().take(kills).collect();
    for unit in units {
        if clock::ms(first, clock::now()) > within.as_secs_f64() * 1e3 {
            break;
        }
        clock::let_pass(Duration::from_millis(3));
        let pid = session.pid_here(unit)?;
        let begun = clock::now();
        crate::processes::signal(pid, rustix::process::Signal::KILL)?;
        let back = session.all_again(&[unit], 30)?;
        values.push(clock::ms(begun, back));
    }
    session.say(out, WHAT, &values);
    Ok(())
}
