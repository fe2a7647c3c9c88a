//! A program that writes line by line, at a pace: how often the peer wakes, and what that costs.

use std::time::Duration;

use super::session::{Out, Session};
use crate::ground::{Ground, Writing};
use crate::peers::Peer;
use crate::{clock, processes};

/// Context switches of the peer a second, at a line each 100 µs.
pub const SWITCHES: &str = "line by line switches/s";
/// Of one core.
pub const CPU: &str = "line by line CPU %";

/// Measures once.
///
/// # Errors
/// It cannot be started.
pub fn measure(
    ground: &mut Ground,
    peer: &dyn Peer,
    time: Duration,
    out: &mut Out,
) -> Result<(), String> {
    let writing = Writing {
        gate: None,
        block: 100,
        lines: 1_000_000_000,
        pace_us: 100,
    };
    let unit = ground.writer(0, &writing);
    let session = Session::begin(ground, peer, vec![unit])?;
    clock::let_pass(Duration::from_secs(2));
    let pids = session.guard.supervisors();
    let (before, begun) = (processes::used(&pids), clock::now());
    clock::let_pass(time);
    let (cost, ended) = (processes::used(&pids).since(&before), clock::now());
    let seconds = clock::ms(begun, ended) / 1e3;
    session.say(out, SWITCHES, &[cost.switches as f64 / seconds]);
    session.say(out, CPU, &[cost.cpu.as_secs_f64() / seconds * 100.0]);
    session.end()
}
