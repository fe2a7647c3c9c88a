//! A peer with its units, from launch to end.
//!
//! *Launch* is the time from before the peer's first command until the last unit is in `main()`.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use crate::clock;
use crate::ground::{Ground, Unit};
use crate::peers::{Guard, Peer};
use crate::processes;
use crate::reports::{Report, What};
use crate::results::Results;

/// Where figures go to.
pub struct Out<'a> {
    /// All of them.
    pub results: &'a mut Results,
    /// In which round.
    pub round: usize,
}

/// A peer that keeps its units.
pub struct Session<'a> {
    /// Where it is.
    pub ground: &'a mut Ground,
    /// The peer.
    pub guard: Box<dyn Guard>,
    /// Its name.
    pub peer: &'static str,
    /// What it keeps.
    pub units: Vec<Unit>,
    /// The pid of each unit, as it knows itself.
    pub pids: BTreeMap<usize, u32>,
    /// How long the launch took, in seconds.
    pub launch: f64,
}

impl<'a> Session<'a> {
    /// Starts the peer with these units, in a fresh folder, and waits until all are in `main()`.
    ///
    /// # Errors
    /// They are not, within two minutes.
    pub fn begin(
        ground: &'a mut Ground,
        peer: &dyn Peer,
        units: Vec<Unit>,
    ) -> Result<Self, String> {
        let dir = ground.session()?;
        let mut guard = peer.prepare(ground, &dir, &units)?;
        ground.reports.clear();
        let begun = clock::now();
        guard.launch()?;
        let mut session = Self {
            ground,
            guard,
            peer: peer.name(),
            units,
            pids: BTreeMap::new(),
            launch: 0.0,
        };
        let last = session.wait_for(|session| session.pids.len() == session.units.len(), 120)?;
        session.launch = clock::ms(begun, last) / 1e3;
        Ok(session)
    }

    /// Ends the peer in its own way, and kills what is left.
    ///
    /// # Errors
    /// Something cannot be ended.
    pub fn end(mut self) -> Result<(), String> {
        let stopped = self.guard.stop();
        processes::end_all()?;
        stopped
    }

    /// Takes note of a unit that came up.
    fn note(&mut self, report: Report) {
        if report.what == What::Main {
            self.pids.insert(report.unit, report.pid);
        }
    }

    /// Takes reports until this holds; the time of the last that counted.
    ///
    /// # Errors
    /// It does not within so many seconds.
    pub fn wait_for(&mut self, done: impl Fn(&Self) -> bool, seconds: u64) -> Result<u64, String> {
        let until = clock::now() + seconds * 1_000_000_000;
        let mut last = 0;
        while !done(self) {
            let left = Duration::from_nanos(until.saturating_sub(clock::now()));
            let Some(report) = self.ground.reports.next(left) else {
                return Err(format!(
                    "{}: {} of {} units were up after {seconds} s",
                    self.peer,
                    self.pids.len(),
                    self.units.len()
                ));
            };
            if report.what == What::Main {
                last = last.max(report.at);
            }
            self.note(report);
        }
        Ok(last)
    }

    /// Waits until each of these units is in `main()` once more; when the last was.
    ///
    /// # Errors
    /// One is not, within so many seconds.
    pub fn all_again(&mut self, units: &[usize], seconds: u64) -> Result<u64, String> {
        for unit in units {
            self.pids.remove(unit);
        }
        let units = units.to_vec();
        self.wait_for(
            |session| units.iter().all(|unit| session.pids.contains_key(unit)),
            seconds,
        )
    }

    /// Sends `kill -9` to a unit.
    ///
    /// # Errors
    /// It is not there.
    pub fn kill(&self, unit: usize) -> Result<(), String> {
        processes::signal(self.pid_here(unit)?, Signal::KILL)
    }

    /// The pid of a unit, as it is here.
    ///
    /// # Errors
    /// The unit is not there.
    pub fn pid_here(&self, unit: usize) -> Result<u32, String> {
        self.pids
            .get(&unit)
            .and_then(|pid| self.guard.pid_here(*pid))
            .ok_or_else(|| format!("{}: unit {unit} has no process", self.peer))
    }

    /// Notes figures under the name of the peer and the number of units.
    pub fn say(&self, out: &mut Out, what: &str, values: &[f64]) {
        if let Some(summary) = crate::statistics::summary(values) {
            println!(
                "  {:<12} {:>6}  {what:<44} {:>9}{}",
                self.peer,
                self.units.len(),
                crate::statistics::shown(summary.median),
                if values.len() > 1 {
                    format!(
                        "  p99 {} of {}",
                        crate::statistics::shown(summary.p99),
                        summary.count
                    )
                } else {
                    String::new()
                }
            );
        }
        out.results
            .add(self.peer, what, self.units.len(), out.round, values);
    }
}
