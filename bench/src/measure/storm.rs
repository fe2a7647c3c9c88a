//! The storm: all units are killed at once. From before the first kill until the last successor is in
//! `main()`.

use super::session::{Out, Session};
use crate::clock;

/// In milliseconds.
pub const WHAT: &str = "storm ms";

/// Measures once.
///
/// # Errors
/// They do not all come back.
pub fn measure(session: &mut Session, out: &mut Out) -> Result<(), String> {
    let all: Vec<usize> = session.pids.keys().copied().collect();
    let pids = all
        .iter()
        .map(|unit| session.pid_here(*unit))
        .collect::<Result<Vec<u32>, String>>()?;
    let begun = clock::now();
    for pid in pids {
        crate::processes::signal(pid, rustix::process::Signal::KILL)?;
    }
    let last = session.all_again(&all, 60)?;
    session.say(out, WHAT, &[clock::ms(begun, last)]);
    Ok(())
}
