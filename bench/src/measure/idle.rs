//! Idleness: ten seconds in which nothing happens. Context switches and CPU time of all threads of the peer.

use std::time::Duration;

use super::session::{Out, Session};
use crate::{clock, processes};

/// How many.
pub const SWITCHES: &str = "idle switches";
/// In milliseconds.
pub const CPU: &str = "idle CPU ms";

/// Measures once.
pub fn measure(session: &Session, out: &mut Out, time: Duration) {
    let pids = session.guard.supervisors();
    let before = processes::used(&pids);
    clock::let_pass(time);
    let cost = processes::used(&pids).since(&before);
    session.say(out, SWITCHES, &[cost.switches as f64]);
    session.say(out, CPU, &[cost.cpu.as_secs_f64() * 1e3]);
}
