//! One home and what befalls it, round after round, until it is taken down and counted up.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use abide_e2e::{Home, processes, wait};

use super::acts::Act;
use super::cast::{Wanted, crashes};
use super::command::{self, Ended};
use super::dice::Dice;
use super::disk::Disks;
use super::file::{Action, FaultFile, POINTS};
use super::plan::{Coverage, Fault};
use super::report::Tally;
use super::settle::Before;
use super::told::Told;
use super::{Programs, inspect, lines};

/// Daemons that die before they are ready are brought back without their API when there are too
/// many of them; a home has no more than this.
const EARLY_DEATHS: u32 = 3;

/// How long it is waited for that somebody comes by at a point, once everything was said.
const COMES_BY_WITHIN: Duration = Duration::from_millis(1500);

pub struct Chapter<'a> {
    pub home: Home,
    pub dir: PathBuf,
    pub program: PathBuf,
    pub faults: FaultFile,
    pub dice: Dice,
    coverage: &'a Mutex<Coverage>,
    pub disks: Option<Disks>,
    pub wanted: Wanted,
    /// Everything that ever ran here.
    pub units: BTreeSet<String>,
    pub may_lose_end: BTreeSet<lines::RunOf>,
    early_deaths: u32,
    pub commands: u64,
    pub history: Vec<String>,
    began: Instant,
    /// What keeper and daemon held after the first `up`.
    pub held: Option<inspect::Held>,
    /// The control group of the home, where there is one.
    pub group: Option<PathBuf>,
    pub tally: Tally,
}

/// Who is there.
#[derive(Clone, Copy, Default)]
pub struct Who {
    pub daemon: u32,
    pub keeper: u32,
}

impl<'a> Chapter<'a> {
    /// `disks`: those of the home are to be ones that can hang.
    pub fn open(
        seed: u64,
        programs: &Programs,
        coverage: &'a Mutex<Coverage>,
        disks: bool,
    ) -> Result<Self, String> {
        let mut home = Home::with(&format!("faults-{seed}"), &programs.abide);
        // Another file, as a next version is one; and one that takes over and dies.
        home.bring_as(&programs.next, "abide-next");
        home.bring_as(&programs.impostor, "short-lived");
        let dir = home.make_dir("programs");
        let tools = home.make_dir("tools");
        let program = tools.join("numbered");
        copy(&programs.numbered, &program)?;
        let disks = match disks.then(|| Disks::make(&home.path("."), &home.home(), &tools)) {
            Some(Ok(disks)) => Some(disks),
            Some(Err(why)) => return Err(why),
            None => None,
        };
        let faults = FaultFile::create(&home.path("fault"))?;
        let path = home.path("fault").display().to_string();
        home.set("ABIDE_FAULT_FILE", &path);
        let wanted = Wanted::new();
        Ok(Self {
            units: wanted.names().into_iter().collect(),
            home,
            dir,
            program,
            faults,
            dice: Dice::new(seed),
            coverage,
            disks,
            wanted,
            may_lose_end: BTreeSet::new(),
            early_deaths: 0,
            commands: 0,
            history: Vec::new(),
            began: Instant::now(),
            held: None,
            group: None,
            tally: Tally::default(),
        })
    }

    pub fn note(&mut self, text: impl std::fmt::Display) {
        let at = self.began.elapsed().as_secs_f64();
        self.history.push(format!("{at:8.3}  {text}"));
    }

    fn coverage(&self) -> MutexGuard<'a, Coverage> {
        // Nobody panics in the middle of a change to it.
        self.coverage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All rounds, and the end.
    pub fn play(&mut self, rounds: u32, until: Instant) -> Result<(), String> {
        self.settle(&BTreeSet::new())?;
        self.held = Some(inspect::held(&self.home));
        self.group = inspect::group(self);
        for number in 1..=rounds {
            if Instant::now() > until {
                break;
            }
            self.note(format_args!("round {number}"));
            self.round()?;
            self.tally.rounds += 1;
        }
        self.end()
    }

    /// What was passed and struck here.
    pub fn count(&self) {
        let mut coverage = self.coverage();
        for point in 0..POINTS.len() {
            coverage.passed[point] += self.faults.passed(point);
            coverage.struck[point] += self.faults.struck(point);
        }
    }

    fn who(&self) -> Who {
        let daemon = self.home.daemon().unwrap_or(0);
        Who {
            daemon,
            keeper: processes::parent(daemon).unwrap_or(0),
        }
    }

    fn next_fault(&mut self) -> Fault {
        loop {
            let disks = self.disks.is_some();
            let fault = self.coverage().next(&mut self.dice, disks);
            if !is_early(fault.at()) {
                return fault;
            }
            if self.early_deaths < EARLY_DEATHS {
                self.early_deaths += 1;
                return fault;
            }
            self.coverage().again(&fault);
            if self.dice.one_in(20) {
                return Fault::Peace;
            }
        }
    }

    fn round(&mut self) -> Result<(), String> {
        let fault = self.next_fault();
        let who = self.who();
        let before = Before::of(self);
        let struck = self.struck(&fault);
        self.note(format_args!(
            "{fault} (daemon {}, keeper {})",
            who.daemon, who.keeper
        ));
        let mut touched = BTreeSet::new();
        let mut unsure = BTreeSet::new();
        let mut renewed = BTreeSet::new();
        let mut running = Vec::new();
        self.arm(&fault, who);
        for act in self.choose(&fault) {
            let mut own = BTreeSet::new();
            let command = self.act(act, &mut own)?;
            // What two commands want of one unit at once may be either.
            unsure.extend(touched.intersection(&own).cloned());
            touched.extend(own.iter().cloned());
            running.extend(command.map(|command| (act, own, command)));
        }
        let up = self.befall(&fault, who, &mut touched)?;
        running.extend(up.map(|command| (Act::Up, BTreeSet::new(), command)));
        // Who stands still has nobody else to set it going again.
        let passes = fault
            .told()
            .is_some_and(|(_, action)| action != Action::Kill);
        if passes && matches!(fault, Fault::Point { .. }) {
            self.pass_over(&fault, struck);
        }
        let mut alone = false;
        for (act, own, command) in running {
            let ended = command.wait();
            self.hear(&ended)?;
            alone |= ended.started();
            if !ended.done() {
                unsure.extend(own);
            } else if matches!(act, Act::Restart(_)) {
                renewed.extend(own);
            }
        }
        self.tell(&fault, struck);
        self.faults.disarm();
        alone |= self.settle(&unsure)?;
        alone |= fault.leaves_nobody();
        for unit in renewed.difference(&unsure) {
            let now = inspect::alive(&self.dir, &self.units);
            let run = now.get(unit).map_or(0, |(run, _)| *run);
            let counts = !crashes(unit) && !self.wanted.stopped.contains(unit);
            if counts && run <= before.run(unit) {
                return Err(format!("{unit} was restarted, and is what it was"));
            }
        }
        self.compare(&before, &touched, alone, &fault)
    }

    pub fn struck(&self, fault: &Fault) -> u32 {
        match fault {
            Fault::Point { point, .. } => self.faults.struck(*point),
            _ => 0,
        }
    }

    /// Waits until somebody has come by; says whether.
    pub fn comes_by(&self, fault: &Fault, struck: u32) -> bool {
        let strike = || (self.struck(fault) > struck).then_some(());
        wait::try_until("it is struck", COMES_BY_WITHIN, strike).is_ok()
    }

    /// Counts what came about, and has what did not come about come again.
    fn tell(&mut self, fault: &Fault, struck: u32) {
        let point = matches!(fault, Fault::Point { .. });
        if point && !self.comes_by(fault, struck) {
            self.coverage().again(fault);
            return self.note("was not struck");
        }
        self.tally.struck += u32::from(point);
        if let Some(told) = fault.told() {
            *self.tally.told.entry(told).or_default() += 1;
        }
    }

    /// A command that was answered has to be true; of one that was not, either may be.
    fn hear(&mut self, ended: &Ended) -> Result<(), String> {
        self.note(format_args!(
            "abide {}: {:?} {}",
            ended.words,
            ended.code,
            ended.last_word()
        ));
        if ended.overdue {
            return Err(format!(
                "`abide {}` took longer than anything may",
                ended.words
            ));
        }
        // What is not sure is said again when it is calm.
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let events = self.say(&["events", "-n", "1000000", "--json"])?;
        let told = Told::from_events(&events.said);
        for unit in &self.units {
            let runs = lines::runs(&self.dir, unit);
            self.may_lose_end.extend(told.ends_of(unit, &runs));
        }
        self.note("down");
        let ended = self.say(&["down"])?;
        if ended.code != Some(0) {
            return Err(format!(
                "`abide down` ended with {:?}: {}",
                ended.code, ended.complained
            ));
        }
        inspect::down(self)?;
        let log = self.say(&["logs", "-n", "1000000000", "--format", "json"])?;
        if log.code != Some(0) {
            return Err(format!(
                "`abide logs` ended with {:?}: {}",
                log.code,
                log.last_word()
            ));
        }
        let (count, wrong) =
            lines::check(&self.dir, &self.units, &log.said, &self.may_lose_end, &told);
        self.tally.lines = count;
        let runs = |unit: &String| lines::runs(&self.dir, unit).len() as u64;
        self.tally.runs = self.units.iter().map(runs).sum();
        // Before the home's folder goes.
        self.disks = None;
        match wrong.as_slice() {
            [] => Ok(()),
            wrong => Err(format!(
                "{} times a line was lost, torn or doubled:\n{}",
                wrong.len(),
                wrong[..wrong.len().min(12)].join("\n")
            )),
        }
    }

    /// Runs a command to its end.
    pub fn say(&mut self, words: &[&str]) -> Result<Ended, String> {
        self.commands += 1;
        Ok(command::start(&self.home, self.commands, words)?.wait())
    }
}

/// A daemon that dies there was not ready.
fn is_early(point: &str) -> bool {
    point.starts_with("adopt.")
        || [
            "keeper.hello",
            "keeper.table",
            "keeper.forked",
            "upgrade.turn",
        ]
        .contains(&point)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    // By a process of its own, as `Home::bring` says.
    let copied = std::process::Command::new("cp").arg(from).arg(to).status();
    match copied {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("cannot copy {}: {other:?}", from.display())),
    }
}
