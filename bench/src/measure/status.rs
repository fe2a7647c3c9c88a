//! The status command: from before its start to its end, with all units shown.

use std::time::Duration;

use super::session::{Out, Session};
use crate::{clock, tool};

/// In milliseconds.
pub const WHAT: &str = "status ms";

/// Measures so many times. The first time, which reads the program from the disk, does not count.
///
/// # Errors
/// The command cannot be run.
pub fn measure(session: &Session, out: &mut Out, times: usize) -> Result<(), String> {
    let mut values = Vec::new();
    for time in 0..=times {
        let Some(mut command) = session.guard.status() else {
            return Ok(());
        };
        let begun = clock::now();
        tool::within(&mut command, Duration::from_secs(60))?;
        if time > 0 {
            values.push(clock::ms(begun, clock::now()));
        }
    }
    session.say(out, WHAT, &values);
    Ok(())
}
