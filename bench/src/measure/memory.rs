//! Memory: the proportional set size of all processes of the peer, without the units, two seconds after the
//! last unit came up.

use std::time::Duration;

use super::session::{Out, Session};
use crate::{clock, processes};

/// In MiB.
pub const WHAT: &str = "memory MiB";

/// Measures.
///
/// # Errors
/// A process ends meanwhile.
pub fn measure(session: &Session, out: &mut Out) -> Result<(), String> {
    clock::let_pass(Duration::from_secs(2));
    let mut sum = 0.0;
    for pid in session.guard.supervisors() {
        sum += processes::pss(pid)?;
    }
    session.say(out, WHAT, &[sum]);
    Ok(())
}
