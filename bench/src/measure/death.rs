//! The death of the supervisor: `kill -9`, while units run and one more writes a numbered line every 10 ms.
//! Whoever does not come back by itself is started again at once. One unit is killed just after, to
//! see how long nobody minds. Five seconds later: copies of each unit, units that were restarted, lines lost.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use super::capture;
use super::session::{Out, Session};
use crate::ground::{Ground, Writing};
use crate::peers::Peer;
use crate::reports::What;
use crate::{clock, processes};

/// The most processes that one unit has.
pub const COPIES: &str = "copies";
/// Units whose process is not the one that it was, without the one that was killed.
pub const RESTARTED: &str = "units restarted";
/// Of the numbered lines that were written.
pub const LOST: &str = "lines lost";
/// From the death until the successor of the unit that was killed just after is in `main()`, in ms.
pub const GAP: &str = "gap ms";

/// Measures one way to die (an index into the peer's list); false if it knows no such way.
///
/// # Errors
/// It cannot be started.
pub fn measure(
    ground: &mut Ground,
    peer: &dyn Peer,
    way: usize,
    units: usize,
    out: &mut Out,
) -> Result<bool, String> {
    let writing = Writing {
        gate: None,
        block: 100,
        lines: 1_000_000_000,
        pace_us: 10_000,
    };
    let mut all: Vec<_> = (0..units).map(|id| ground.child(id)).collect();
    all.push(ground.writer(units, &writing));
    let mut session = Session::begin(ground, peer, all)?;
    clock::let_pass(Duration::from_secs(2));
    let deaths = session.guard.deaths();
    let Some((name, victims)) = deaths.get(way) else {
        session.end()?;
        return Ok(false);
    };
    let before = session.pids.clone();
    // As they are called here, while somebody knows: in a container that is booted anew the numbers come again.
    let old: Vec<(usize, Option<u32>)> = before
        .iter()
        .map(|(unit, pid)| (*unit, session.guard.pid_here(*pid)))
        .collect();
    let begun = clock::now();
    for pid in victims {
        // One may take another along.
        let _ = processes::signal(*pid, Signal::KILL);
    }
    // In a namespace of its own everything may be gone with its first process.
    let _ = session.kill(0);
    session.guard.again()?;
    let came = mains(&mut session, Duration::from_secs(5));
    let gap = came
        .iter()
        .find(|(unit, ..)| *unit == 0)
        .map(|(.., at)| clock::ms(begun, *at));
    let restarted: std::collections::BTreeSet<usize> = came
        .iter()
        .map(|(unit, ..)| *unit)
        .filter(|unit| *unit != 0)
        .collect();
    let mut copies: BTreeMap<usize, usize> = BTreeMap::new();
    let new = came
        .iter()
        .map(|(unit, pid, _)| (*unit, session.guard.pid_here(*pid)));
    for (unit, pid) in old.into_iter().chain(new) {
        if pid.is_some_and(processes::lives) {
            *copies.entry(unit).or_default() += 1;
        }
    }
    let label = |what: &str| format!("death of {name}: {what}");
    let most = copies.values().copied().max().unwrap_or(0);
    session.say(out, &label(COPIES), &[most as f64]);
    session.say(out, &label(RESTARTED), &[restarted.len() as f64]);
    session.say(out, &label(GAP), &gap.into_iter().collect::<Vec<f64>>());
    if peer.captures() {
        let lost = lost(&mut session, units, &before, &came)?;
        session.say(out, &label(LOST), &[lost as f64]);
    }
    session.end()?;
    Ok(true)
}

/// Everybody who comes up within this time.
fn mains(session: &mut Session, time: Duration) -> Vec<(usize, u32, u64)> {
    let until = clock::now() + u64::try_from(time.as_nanos()).unwrap_or(0);
    let mut came = Vec::new();
    while let Some(left) = until.checked_sub(clock::now()) {
        if let Some(report) = session.ground.reports.next(Duration::from_nanos(left))
            && report.what == What::Main
        {
            came.push((report.unit, report.pid, report.at));
        }
    }
    came
}

/// Ends the writing, and counts what is missing in the log, of each copy of the writer. Of one that died
/// nobody knows how much it wrote: what is missing below its highest number counts.
fn lost(
    session: &mut Session,
    writer: usize,
    before: &BTreeMap<usize, u32>,
    came: &[(usize, u32, u64)],
) -> Result<u64, String> {
    let copies: Vec<u32> = before
        .get(&writer)
        .copied()
        .into_iter()
        .chain(
            came.iter()
                .filter(|came| came.0 == writer)
                .map(|came| came.1),
        )
        .collect();
    let mut wrote: BTreeMap<u32, u64> = BTreeMap::new();
    for pid in &copies {
        if let Some(here) = session.guard.pid_here(*pid) {
            // It may be dead: then it says nothing.
            let _ = processes::signal(here, Signal::USR1);
        }
    }
    while let Some(report) = session.ground.reports.next(Duration::from_millis(500)) {
        if let What::Wrote(lines) = report.what {
            wrote.insert(report.pid, lines);
        }
    }
    clock::let_pass(Duration::from_secs(1));
    let unit = session.units.get(writer).cloned();
    let unit = unit.ok_or("there is no writer")?;
    let count = capture::count(session, &unit)?;
    let mut lost = 0;
    for pid in &copies {
        let seen = count.writers.get(pid);
        let highest = seen.map_or(0, crate::lines::Seen::highest);
        let wrote = wrote.get(pid).copied().unwrap_or(highest);
        lost += seen.map_or(wrote, |seen| seen.lost(wrote));
    }
    Ok(lost)
}
