//! A home comes to what is wanted of it, and nothing has become of it that no fault may do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use abide_e2e::wait;

use super::cast::crashes;
use super::chapter::Chapter;
use super::plan::Fault;
use super::{inspect, lines};

/// How long a home may take to be again as it is wanted.
const SETTLED_WITHIN: Duration = wait::GENEROUS;

/// What there was before a round.
pub struct Before {
    /// Runs that lived, and their processes.
    alive: BTreeMap<String, (u64, u32)>,
    /// How many runs each unit had had.
    counts: BTreeMap<String, u64>,
}

impl Before {
    pub fn of(chapter: &Chapter<'_>) -> Self {
        let count = |unit: &String| (unit.clone(), lines::runs(&chapter.dir, unit).len() as u64);
        Self {
            alive: inspect::alive(&chapter.dir, &chapter.units),
            counts: chapter.units.iter().map(count).collect(),
        }
    }

    /// Which run of the unit lived; 0: none.
    pub fn run(&self, unit: &str) -> u64 {
        self.alive.get(unit).map_or(0, |(run, _)| *run)
    }
}

impl Chapter<'_> {
    pub fn write_file(&self) {
        self.home
            .write("abide.toml", &self.wanted.file(&self.program, &self.dir));
    }

    /// Has the home be as it is wanted, where that is `unsure`. Tells whether nobody was there who held
    /// anything.
    pub fn settle(&mut self, unsure: &BTreeSet<String>) -> Result<bool, String> {
        self.write_file();
        let deadline = Instant::now() + SETTLED_WITHIN;
        let mut alone = self.insist(&["up", "abide.toml", "--no-wait"], deadline)?;
        inspect::desired(self, unsure)?;
        let names = self.wanted.names();
        let (stopped, up): (Vec<_>, Vec<_>) = names
            .iter()
            .map(String::as_str)
            .partition(|name| self.wanted.stopped.contains(*name));
        for (word, units) in [("stop", stopped), ("start", up)] {
            let words = [&[word, "--no-wait"], &units[..]].concat();
            if !units.is_empty() {
                alone |= self.insist(&words, deadline)?;
            }
        }
        let mut why = String::new();
        let look = || match inspect::state(self) {
            Ok(()) => Some(()),
            Err(not_yet) => {
                why = not_yet;
                None
            }
        };
        wait::try_until("everything is as it is wanted", SETTLED_WITHIN, look)
            .map_err(|error| format!("{error}: {why}"))?;
        self.note("settled");
        Ok(alone)
    }

    /// Says a command until it is done. Tells whether it had to start a keeper and a daemon.
    fn insist(&mut self, words: &[&str], deadline: Instant) -> Result<bool, String> {
        let mut alone = false;
        loop {
            let ended = self.say(words)?;
            alone |= ended.started();
            if ended.done() {
                return Ok(alone);
            }
            let complained = ended.complained.trim();
            self.note(format_args!(
                "abide {}: {:?} {complained}",
                ended.words, ended.code
            ));
            if Instant::now() > deadline || ended.overdue {
                return Err(format!("`abide {}` fails: {complained}", ended.words));
            }
            wait::pause();
        }
    }

    /// What no fault may have done. `alone`: keeper and daemon were both gone for a while.
    pub fn compare(
        &mut self,
        before: &Before,
        touched: &BTreeSet<String>,
        alone: bool,
        fault: &Fault,
    ) -> Result<(), String> {
        let now = inspect::alive(&self.dir, &self.units);
        if alone {
            self.note("keeper and daemon were both gone");
            self.excuse(before, &now);
        }
        for (unit, (_, pid)) in &before.alive {
            let same = now.get(unit).is_some_and(|(_, now)| now == pid);
            if !same && !touched.contains(unit) && !crashes(unit) {
                return Err(format!(
                    "{unit}: process {pid} was neither touched nor kept ({fault}); now {:?}",
                    now.get(unit)
                ));
            }
        }
        inspect::round(self)
    }

    /// Runs that may have ended while nobody held their pipes may have lost what they wrote last; one
    /// that lives on has lost nothing.
    fn excuse(&mut self, before: &Before, now: &BTreeMap<String, (u64, u32)>) {
        for unit in &self.units {
            let first = before.counts.get(unit).copied().unwrap_or(0).max(1);
            let last = lines::runs(&self.dir, unit).len() as u64;
            let ended = |run: &u64| now.get(unit).is_none_or(|(lives, _)| lives != run);
            let runs = (first..=last).filter(ended);
            self.may_lose_end
                .extend(runs.map(|run| (unit.clone(), run)));
        }
    }
}
