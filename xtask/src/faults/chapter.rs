//! One home and what befalls it, round after round, until it is taken down and counted up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use abide_e2e::{Home, processes, wait};
use rustix::process::Signal;

use super::cast::{Wanted, crashes};
use super::command::{self, Ended, Running};
use super::dice::Dice;
use super::file::{Action, FaultFile, POINTS};
use super::plan::{Coverage, Fault, Victim};
use super::{inspect, lines};

/// How long a home may take to be again as it is wanted.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// Daemons that die before they are ready are brought back without their API when there are too
/// many of them; a home has no more than this.
const EARLY_DEATHS: u32 = 3;

pub struct Chapter<'a> {
    pub home: Home,
    pub dir: PathBuf,
    program: PathBuf,
    faults: FaultFile,
    dice: Dice,
    coverage: &'a Mutex<Coverage>,
    pub wanted: Wanted,
    /// Everything that ever ran here.
    pub units: BTreeSet<String>,
    may_lose_end: BTreeSet<lines::RunOf>,
    early_deaths: u32,
    commands: u64,
    pub history: Vec<String>,
    began: Instant,
    /// What keeper and daemon held after the first `up`.
    pub held: Option<inspect::Held>,
}

/// What a chapter had.
#[derive(Default)]
pub struct Tally {
    pub rounds: u32,
    pub lines: u64,
    pub runs: u64,
    pub struck: u32,
}

/// Who is there.
#[derive(Clone, Copy, Default)]
struct Who {
    daemon: u32,
    keeper: u32,
}

impl<'a> Chapter<'a> {
    pub fn open(
        seed: u64,
        abide: &std::path::Path,
        program: &std::path::Path,
        coverage: &'a Mutex<Coverage>,
    ) -> Result<Self, String> {
        let mut home = Home::with(&format!("faults-{seed}"), abide);
        let program = home.bring(program);
        let faults = FaultFile::create(&home.path("fault"))?;
        let path = home.path("fault").display().to_string();
        home.set("ABIDE_FAULT_FILE", &path);
        let dir = home.make_dir("programs");
        let wanted = Wanted::new();
        Ok(Self {
            units: wanted.names().into_iter().collect(),
            home,
            dir,
            program,
            faults,
            dice: Dice::new(seed),
            coverage,
            wanted,
            may_lose_end: BTreeSet::new(),
            early_deaths: 0,
            commands: 0,
            history: Vec::new(),
            began: Instant::now(),
            held: None,
        })
    }

    pub fn note(&mut self, text: impl std::fmt::Display) {
        let at = self.began.elapsed().as_secs_f64();
        self.history.push(format!("{at:8.3}  {text}"));
    }

    /// All rounds, and the end.
    pub fn play(&mut self, rounds: u32, until: Instant) -> Result<Tally, String> {
        let mut tally = Tally::default();
        self.settle(&BTreeSet::new())?;
        self.held = Some(inspect::held(&self.home));
        for number in 1..=rounds {
            if Instant::now() > until {
                break;
            }
            self.note(format_args!("round {number}"));
            self.round()?;
            tally.rounds += 1;
        }
        self.end(&mut tally)?;
        let mut coverage = self
            .coverage
            .lock()
            .map_err(|_| "another chapter panicked")?;
        for point in 0..POINTS.len() {
            coverage.passed[point] += self.faults.passed(point);
            let struck = self.faults.struck(point);
            coverage.struck[point] += struck;
            tally.struck += struck;
        }
        Ok(tally)
    }

    fn who(&self) -> Who {
        let daemon = self.home.daemon().unwrap_or(0);
        Who {
            daemon,
            keeper: processes::parent(daemon).unwrap_or(0),
        }
    }

    fn round(&mut self) -> Result<(), String> {
        let fault = {
            let mut coverage = self
                .coverage
                .lock()
                .map_err(|_| "another chapter panicked")?;
            coverage.next(&mut self.dice)
        };
        let early = matches!(fault, Fault::Point { point, .. } if is_early(POINTS[point].0));
        if early && self.early_deaths >= EARLY_DEATHS {
            if let Fault::Point { point, victim, .. } = fault {
                self.coverage
                    .lock()
                    .map_err(|_| "another chapter panicked")?
                    .again(point, victim);
            }
            return Ok(());
        }
        self.early_deaths += u32::from(early);
        let who = self.who();
        let before = inspect::alive(&self.dir, &self.units);
        let count = |unit: &String| (unit.clone(), lines::runs(&self.dir, unit).len() as u64);
        let counts: BTreeMap<String, u64> = self.units.iter().map(count).collect();
        let struck = match &fault {
            Fault::Point { point, .. } => self.faults.struck(*point),
            _ => 0,
        };
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
            let command = self.run(act, &mut own)?;
            // What two commands want of one unit at once may be either.
            unsure.extend(touched.intersection(&own).cloned());
            touched.extend(own.iter().cloned());
            running.extend(command.map(|command| (act, own, command)));
        }
        self.befall(&fault, who);
        for (act, own, command) in running {
            let ended = command.wait();
            self.hear(&ended)?;
            if !ended.done() {
                unsure.extend(own);
            } else if matches!(act, Act::Restart(_)) {
                renewed.extend(own);
            }
        }
        if let Fault::Point { point, victim, .. } = fault {
            let strike = || (self.faults.struck(point) > struck).then_some(());
            let patience = Duration::from_millis(1500);
            if wait::try_until("it is struck", patience, strike).is_err() {
                self.coverage
                    .lock()
                    .map_err(|_| "another chapter panicked")?
                    .again(point, victim);
                self.note("was not struck");
            }
        }
        self.faults.disarm();
        let settled_alone = self.settle(&unsure)?;
        // A command of the round may have found nobody and started both; a keeper that is killed alone is
        // succeeded, and that must lose nothing.
        let succeeded = matches!(
            fault,
            Fault::Random {
                victim: Victim::Keeper,
                ..
            }
        );
        let alone = settled_alone || (self.who().keeper != who.keeper && !succeeded);
        for unit in renewed.difference(&unsure) {
            let run = |of: &BTreeMap<String, (u64, u32)>| of.get(unit).map_or(0, |(run, _)| *run);
            let now = inspect::alive(&self.dir, &self.units);
            let counts = !crashes(unit) && !self.wanted.stopped.contains(unit);
            if counts && run(&now) <= run(&before) {
                return Err(format!("{unit} was restarted, and is what it was"));
            }
        }
        self.compare(&before, &touched, &counts, alone, &fault)
    }

    /// Before the commands.
    fn arm(&mut self, fault: &Fault, who: Who) {
        let Fault::Point {
            point,
            action,
            victim,
            pass,
        } = fault
        else {
            return;
        };
        let passing = match (victim, POINTS[*point].1) {
            (Victim::Passing, _) => [0, 0],
            (Victim::Daemon, _) => [who.daemon, 0],
            (Victim::Keeper, _) => [who.keeper, 0],
            (Victim::Both, "daemon") => [0, who.keeper],
            (Victim::Both, "keeper") => [0, who.daemon],
            (Victim::Both, _) => [who.daemon, who.keeper],
        };
        self.faults.arm(*point, *action, *pass, passing);
    }

    /// What a person does meanwhile, and what leads to the point.
    fn choose(&mut self, fault: &Fault) -> Vec<Act> {
        let area = match fault {
            Fault::Point { point, .. } => POINTS[*point].0,
            _ => "",
        };
        let mut acts = Vec::new();
        match area {
            name if name.starts_with("spawn.") || name.starts_with("exit.") => {
                acts.push(Act::Restart(4))
            }
            name if name.starts_with("stop.")
                || name.starts_with("command.")
                || name.starts_with("store.") =>
            {
                acts.push(*self.dice.pick(&[Act::Restart(3), Act::Stop, Act::Start]));
                acts.push(Act::Restart(2));
            }
            name if name.starts_with("config.")
                || name == "keeper.hold"
                || name == "cli.asked"
                || name == "cli.ready" =>
            {
                acts.push(Act::Edit);
            }
            _ => {}
        }
        if self.dice.one_in(2) {
            acts.push(*self.dice.pick(&[
                Act::Restart(5),
                Act::Stop,
                Act::Start,
                Act::Scale,
                Act::Edit,
                Act::Follow,
                Act::KillPrograms,
            ]));
        }
        acts
    }

    fn run(&mut self, act: Act, touched: &mut BTreeSet<String>) -> Result<Option<Running>, String> {
        let names = self.wanted.names();
        let up: Vec<String> = names
            .iter()
            .filter(|name| !self.wanted.stopped.contains(*name))
            .cloned()
            .collect();
        let mut words: Vec<String> = Vec::new();
        match act {
            Act::Restart(count) => {
                words.push("restart".into());
                for _ in 0..count {
                    let name = self.dice.pick(&up).clone();
                    if !words.contains(&name) {
                        touched.insert(name.clone());
                        words.push(name);
                    }
                }
            }
            Act::Stop => {
                let apart: Vec<String> = up
                    .iter()
                    .filter(|name| !name.starts_with("multi"))
                    .cloned()
                    .collect();
                let name = self.dice.pick(&apart).clone();
                touched.insert(name.clone());
                self.wanted.stopped.insert(name.clone());
                words = vec!["stop".into(), name];
            }
            Act::Start => {
                let name = self.dice.pick(&names).clone();
                touched.insert(name.clone());
                self.wanted.stopped.remove(&name);
                words = vec!["start".into(), name];
            }
            Act::Scale => {
                let count = 2 + u32::try_from(self.dice.below(3)).unwrap_or(0);
                for n in 1..=4 {
                    touched.insert(format!("multi@{n}"));
                    self.units.insert(format!("multi@{n}"));
                }
                self.wanted.instances = count;
                self.wanted
                    .stopped
                    .retain(|name| !name.starts_with("multi"));
                words = vec!["scale".into(), format!("multi={count}")];
            }
            Act::Edit => {
                let kept: Vec<String> = self.wanted.units.keys().cloned().collect();
                for _ in 0..2 {
                    let name = self.dice.pick(&kept).clone();
                    if let Some(changes) = self.wanted.units.get_mut(&name) {
                        *changes += 1;
                    }
                    touched.insert(name);
                }
                let extra = "steady-extra".to_owned();
                touched.insert(extra.clone());
                self.units.insert(extra.clone());
                if self.wanted.units.remove(&extra).is_none() {
                    self.wanted.units.insert(extra, 0);
                } else {
                    self.wanted.stopped.remove(&extra);
                }
                self.write_file();
                words = vec!["up".into(), "abide.toml".into(), "--no-wait".into()];
            }
            Act::Follow => words = vec!["logs".into(), "burst-0".into(), "-f".into()],
            Act::KillPrograms => {
                for _ in 0..3 {
                    let name = self.dice.pick(&up).clone();
                    if let Some(pid) = inspect::current(&self.dir, &name) {
                        self.note(format_args!("kill {name}, process {pid}"));
                        processes::signal(pid, Signal::KILL);
                    }
                    touched.insert(name);
                }
                return Ok(None);
            }
        }
        self.note(format_args!("abide {}", words.join(" ")));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.commands += 1;
        let mut command = command::start(&self.home, self.commands, &words)?;
        let follows = matches!(act, Act::Follow);
        if follows || self.dice.one_in(8) {
            wait::let_pass(Duration::from_millis(self.dice.below(60)));
            self.note("is killed");
            command.kill();
        }
        Ok(Some(command))
    }

    /// After the commands.
    fn befall(&mut self, fault: &Fault, who: Who) {
        let strike = |pid: u32, action: Action| {
            let signal = match action {
                Action::Kill => Signal::KILL,
                Action::Stop => Signal::STOP,
            };
            if pid > 1 {
                processes::signal(pid, signal);
            }
        };
        match fault {
            Fault::Random { action, victim } => {
                wait::let_pass(Duration::from_millis(self.dice.below(120)));
                match victim {
                    Victim::Keeper => strike(who.keeper, *action),
                    Victim::Both => {
                        strike(who.keeper, *action);
                        strike(who.daemon, *action);
                    }
                    Victim::Daemon | Victim::Passing => strike(who.daemon, *action),
                }
                if *action == Action::Stop {
                    wait::let_pass(Duration::from_millis(self.dice.below(500)));
                    // The daemon is its keeper's to continue, the keeper is ours.
                    processes::signal(who.keeper, Signal::CONT);
                }
            }
            Fault::Point { point, .. } => {
                let name = POINTS[*point].0;
                match name.split('.').next().unwrap_or(name) {
                    "adopt" => strike(who.daemon, Action::Kill),
                    "handover" => strike(who.keeper, Action::Kill),
                    "keeper" if name == "keeper.begin" => strike(who.keeper, Action::Kill),
                    "keeper" if name != "keeper.hold" => strike(who.daemon, Action::Kill),
                    "cli" if name.starts_with("cli.launch") => {
                        strike(who.keeper, Action::Kill);
                        strike(who.daemon, Action::Kill);
                        let gone = || {
                            (!processes::lives(who.keeper) && !processes::lives(who.daemon))
                                .then_some(())
                        };
                        // If they are not, `up` finds them.
                        let _ = wait::try_until("both are gone", Duration::from_secs(5), gone);
                        self.commands += 1;
                        if let Ok(running) = command::start(
                            &self.home,
                            self.commands,
                            &["up", "abide.toml", "--no-wait"],
                        ) {
                            let ended = running.wait();
                            self.note(format_args!("abide up ended with {:?}", ended.code));
                        }
                    }
                    _ => {}
                }
            }
            Fault::Peace => {}
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

    fn write_file(&self) {
        self.home
            .write("abide.toml", &self.wanted.file(&self.program, &self.dir));
    }

    /// Has the home be as it is wanted, where that is `unsure`. Tells whether nobody was there who held
    /// anything.
    fn settle(&mut self, unsure: &BTreeSet<String>) -> Result<bool, String> {
        self.write_file();
        let begun = Instant::now();
        let mut alone = false;
        let mut say = |this: &mut Self, words: &[&str]| -> Result<(), String> {
            loop {
                this.commands += 1;
                let ended = command::start(&this.home, this.commands, words)?.wait();
                alone |= ended.said.contains("abide started in");
                if ended.done() {
                    return Ok(());
                }
                this.note(format_args!(
                    "abide {}: {:?} {}",
                    ended.words,
                    ended.code,
                    ended.complained.trim()
                ));
                if begun.elapsed() > SETTLED_WITHIN || ended.overdue {
                    return Err(format!(
                        "`abide {}` fails: {}",
                        ended.words,
                        ended.complained.trim()
                    ));
                }
                wait::pause();
            }
        };
        say(self, &["up", "abide.toml", "--no-wait"])?;
        inspect::desired(self, unsure)?;
        let stopped: Vec<String> = self.wanted.stopped.iter().cloned().collect();
        let mut words = vec!["stop", "--no-wait"];
        words.extend(stopped.iter().map(String::as_str));
        if !stopped.is_empty() {
            say(self, &words)?;
        }
        let up: Vec<String> = self
            .wanted
            .names()
            .into_iter()
            .filter(|name| !self.wanted.stopped.contains(name))
            .collect();
        let mut words = vec!["start", "--no-wait"];
        words.extend(up.iter().map(String::as_str));
        say(self, &words)?;
        let mut why = String::new();
        wait::try_until(
            "everything is as it is wanted",
            SETTLED_WITHIN,
            || match inspect::state(self) {
                Ok(()) => Some(()),
                Err(not_yet) => {
                    why = not_yet;
                    None
                }
            },
        )
        .map_err(|error| format!("{error}: {why}"))?;
        self.note("settled");
        Ok(alone)
    }

    /// What no fault may have done.
    fn compare(
        &mut self,
        before: &BTreeMap<String, (u64, u32)>,
        touched: &BTreeSet<String>,
        counts: &BTreeMap<String, u64>,
        alone: bool,
        fault: &Fault,
    ) -> Result<(), String> {
        let now = inspect::alive(&self.dir, &self.units);
        if alone {
            self.note("keeper and daemon were both gone");
            for unit in &self.units {
                let (first, last) = (
                    counts.get(unit).copied().unwrap_or(0),
                    lines::runs(&self.dir, unit).len() as u64,
                );
                // What lives on has lost nothing.
                let ended = |run: &u64| now.get(unit).is_none_or(|(lives, _)| lives != run);
                let runs = (first.max(1)..=last).filter(ended);
                self.may_lose_end
                    .extend(runs.map(|run| (unit.clone(), run)));
            }
        }
        for (unit, (_, pid)) in before {
            let same = now.get(unit).is_some_and(|(_, now)| now == pid);
            if same {
                continue;
            }
            if !touched.contains(unit) && !crashes(unit) {
                return Err(format!(
                    "{unit}: process {pid} was neither touched nor kept ({fault}); now {:?}",
                    now.get(unit)
                ));
            }
        }
        inspect::round(self)
    }

    fn end(&mut self, tally: &mut Tally) -> Result<(), String> {
        self.note("down");
        self.commands += 1;
        let ended = command::start(&self.home, self.commands, &["down"])?.wait();
        if ended.code != Some(0) {
            return Err(format!(
                "`abide down` ended with {:?}: {}",
                ended.code, ended.complained
            ));
        }
        inspect::down(self)?;
        self.commands += 1;
        let log = command::start(
            &self.home,
            self.commands,
            &["logs", "-n", "1000000000", "--format", "raw"],
        )?
        .wait();
        if log.code != Some(0) {
            return Err(format!(
                "`abide logs` ended with {:?}: {}",
                log.code,
                log.last_word()
            ));
        }
        let (count, wrong) = lines::check(&self.dir, &self.units, &log.said, &self.may_lose_end);
        tally.lines = count;
        tally.runs = self
            .units
            .iter()
            .map(|unit| lines::runs(&self.dir, unit).len() as u64)
            .sum();
        match wrong.as_slice() {
            [] => Ok(()),
            wrong => Err(format!(
                "{} times a line was lost, torn or doubled:\n{}",
                wrong.len(),
                wrong[..wrong.len().min(12)].join("\n")
            )),
        }
    }
}

#[derive(Clone, Copy)]
enum Act {
    Restart(usize),
    Stop,
    Start,
    Scale,
    Edit,
    Follow,
    KillPrograms,
}

/// A daemon that dies there was not ready.
fn is_early(point: &str) -> bool {
    point.starts_with("adopt.")
        || ["keeper.hello", "keeper.table", "keeper.forked"].contains(&point)
}
