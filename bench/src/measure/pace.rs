//! A program that writes line by line, at a pace: how often the peer wakes, what that costs, and how long it
//! takes until who follows the log has a line.

use std::io::Read;
use std::process::{ChildStdout, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::session::{Out, Session};
use crate::ground::{Ground, Unit, Writing};
use crate::peers::Peer;
use crate::{clock, lines, processes, tool};

/// Context switches of the peer a second, at a line each 100 µs.
pub const SWITCHES: &str = "line by line switches/s";
/// Of one core.
pub const CPU: &str = "line by line CPU %";

/// From the write of a line to its arrival at who follows the log, at a line each millisecond, in ms.
pub const DELAY: &str = "line by line delay ms";

/// One program that writes so many bytes a time, and so many µs apart, until it is ended.
fn writer<'a>(
    ground: &'a mut Ground,
    peer: &dyn Peer,
    block: usize,
    pace_us: u64,
) -> Result<(Session<'a>, Unit), String> {
    let writing = Writing {
        gate: None,
        block,
        lines: 1_000_000_000,
        pace_us,
    };
    let unit = ground.writer(0, &writing);
    let session = Session::begin(ground, peer, vec![unit.clone()])?;
    Ok((session, unit))
}

/// Measures once what it costs.
///
/// # Errors
/// It cannot be started.
pub fn measure(
    ground: &mut Ground,
    peer: &dyn Peer,
    time: Duration,
    out: &mut Out,
) -> Result<(), String> {
    let (session, _) = writer(ground, peer, 100, 100)?;
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

/// Measures for so long when lines arrive.
///
/// # Errors
/// It cannot be started, or nobody can follow.
pub fn delay(
    ground: &mut Ground,
    peer: &dyn Peer,
    time: Duration,
    out: &mut Out,
) -> Result<(), String> {
    let (session, unit) = writer(ground, peer, 0, 1000)?;
    clock::let_pass(Duration::from_secs(1));
    let mut follow = session
        .guard
        .follow(&unit)
        .ok_or("there is nothing to follow a log with")?;
    let mut follower = tool::start(follow.stdout(Stdio::piped()))?;
    let stdout = follower.stdout.take().ok_or("it has no output")?;
    let delays = arrivals(stdout, time)?;
    // It may have ended with what it follows.
    let _ = follower.kill();
    let _ = follower.wait();
    if delays.is_empty() {
        return Err("no line arrived at the one who follows".to_owned());
    }
    session.say(out, DELAY, &delays);
    session.end()
}

/// How old each line is that comes within this time, in ms. The first second does not count: whoever begins to
/// follow may be shown what is there already.
fn arrivals(mut from: ChildStdout, time: Duration) -> Result<Vec<f64>, String> {
    let failed = |error: std::io::Error| format!("cannot follow the log: {error}");
    let warm = clock::now() + 1_000_000_000;
    let until = warm + u64::try_from(time.as_nanos()).unwrap_or(0);
    let (mut delays, mut pending, mut buffer) = (Vec::new(), Vec::new(), [0; 1 << 16]);
    while let Some(left) = until.checked_sub(clock::now()) {
        let left = Timespec::try_from(Duration::from_nanos(left)).map_err(|e| e.to_string())?;
        let mut fds = [PollFd::new(&from, PollFlags::IN)];
        if poll(&mut fds, Some(&left)).map_err(|e| failed(e.into()))? == 0 {
            break;
        }
        let count = from.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return Err("who follows the log has ended".to_owned());
        }
        let now = clock::now();
        pending.extend_from_slice(buffer.get(..count).unwrap_or_default());
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            if let Some((_, written)) = lines::last(&line).filter(|_| now > warm) {
                delays.push(age(written as u64, now / 1000) as f64 / 1e3);
            }
        }
    }
    Ok(delays)
}

/// Stamps have the last nine digits of a time in µs.
fn age(stamp: u64, now: u64) -> u64 {
    const STAMP: u64 = 1_000_000_000;
    (now % STAMP + STAMP - stamp) % STAMP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_as_old_as_it_is_also_over_its_end() {
        assert_eq!(age(5, 1_000_000_025), 20);
        assert_eq!(age(999_999_990, 7_000_000_010), 20);
    }
}
