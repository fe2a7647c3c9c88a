//! Restart of all units by command: from before the command until the last new program is in `main()`.

use std::time::Duration;

use super::session::{Out, Session};
use crate::{clock, tool};

/// In seconds.
pub const WHAT: &str = "restart all s";

/// Measures once.
///
/// # Errors
/// The command does not end, or a unit does not come back.
pub fn measure(session: &mut Session, out: &mut Out) -> Result<(), String> {
    let Some(mut command) = session.guard.restart_all() else {
        return Ok(());
    };
    let all: Vec<usize> = session.pids.keys().copied().collect();
    let begun = clock::now();
    tool::within(&mut command, Duration::from_secs(180))?;
    let last = session.all_again(&all, 60)?;
    session.say(out, WHAT, &[clock::ms(begun, last) / 1e3]);
    Ok(())
}
