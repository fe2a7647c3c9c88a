//! How a fault comes about, and how it passes.

use std::collections::BTreeSet;
use std::time::Duration;

use abide_e2e::{processes, wait};
use rustix::process::Signal;

use super::chapter::{Chapter, Who};
use super::command::{self, Running};
use super::disk::Place;
use super::file::{Action, POINTS};
use super::inspect;
use super::plan::{self, Fault, Victim};

/// While a disk hangs, what has nothing to do with it takes no longer than this on a machine that is busy
/// with something else.
const GOES_ON_WITHIN: Duration = wait::GENEROUS;

impl Chapter<'_> {
    /// Before the commands.
    pub fn arm(&mut self, fault: &Fault, who: Who) {
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

    /// After the commands. Returns one more, if that is how it comes about.
    pub fn befall(
        &mut self,
        fault: &Fault,
        who: Who,
        touched: &mut BTreeSet<String>,
    ) -> Result<Option<Running>, String> {
        match fault {
            Fault::Random { action, victim } => self.befall_any(*action, *victim, who),
            Fault::Point { .. } => return self.lead_to(fault.at(), who),
            Fault::Disk(place) => self.hang(*place, who, touched)?,
            Fault::Peace => {}
        }
        Ok(None)
    }

    fn befall_any(&mut self, action: Action, victim: Victim, who: Who) {
        wait::let_pass(Duration::from_millis(self.dice.below(120)));
        let signal = match action {
            Action::Kill => Signal::KILL,
            Action::Stop | Action::Hang => Signal::STOP,
        };
        let victims = match victim {
            Victim::Keeper => [who.keeper, 0],
            Victim::Both => [who.keeper, who.daemon],
            Victim::Daemon | Victim::Passing => [who.daemon, 0],
        };
        for pid in victims {
            send(pid, signal);
        }
        if action == Action::Stop {
            wait::let_pass(Duration::from_millis(self.dice.below(500)));
            // The daemon is its keeper's to continue, the keeper is ours.
            send(who.keeper, Signal::CONT);
        }
    }

    /// What has to happen for somebody to come by there, besides the commands.
    fn lead_to(&mut self, name: &str, who: Who) -> Result<Option<Running>, String> {
        match name.split('.').next().unwrap_or(name) {
            _ if plan::is_of_upgrade(name) || name == "keeper.hold" => {}
            "adopt" => send(who.daemon, Signal::KILL),
            "handover" => send(who.keeper, Signal::KILL),
            "keeper" if name == "keeper.begin" => send(who.keeper, Signal::KILL),
            "keeper" => send(who.daemon, Signal::KILL),
            "cli" if name.starts_with("cli.launch") => {
                // Neither has the time to bring the other one back.
                send(who.keeper, Signal::STOP);
                send(who.daemon, Signal::KILL);
                send(who.keeper, Signal::KILL);
                let gone = || {
                    let lives = processes::lives(who.keeper) || processes::lives(who.daemon);
                    (!lives).then_some(())
                };
                // If they are not, `up` finds them.
                let _ = wait::try_until("both are gone", Duration::from_secs(5), gone);
                self.commands += 1;
                let words = ["up", "abide.toml", "--no-wait"];
                return command::start(&self.home, self.commands, &words).map(Some);
            }
            _ => {}
        }
        Ok(None)
    }

    /// Whoever was stopped, or hangs, at a point stays so for a while, and then goes on.
    pub fn pass_over(&mut self, fault: &Fault, struck: u32) {
        if self.comes_by(fault, struck) {
            wait::let_pass(Duration::from_millis(50 + self.dice.below(400)));
        }
        self.faults.disarm();
        let mut all = self.home.running("abide");
        all.extend(self.home.running("abide-next"));
        for pid in all.iter().filter(|pid| processes::is_stopped(**pid)) {
            // A daemon that has a keeper is that one's to continue, but for a new one beside it.
            let keeper = processes::parent(*pid).filter(|parent| all.contains(parent));
            let guarded = keeper.is_some_and(|keeper| !processes::is_stopped(keeper));
            if !guarded || plan::is_of_upgrade(fault.at()) {
                send(*pid, Signal::CONT);
            }
        }
    }

    /// A disk hangs, and what does not need it goes on.
    fn hang(
        &mut self,
        place: Place,
        who: Who,
        touched: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let names = self.wanted.names();
        let steady: Vec<&String> = names
            .iter()
            .filter(|name| name.starts_with("steady") && !touched.contains(*name))
            .filter(|name| !self.wanted.stopped.contains(*name))
            .collect();
        let unit = (*self.dice.pick(&steady)).clone();
        touched.insert(unit.clone());
        if place == Place::State {
            // The first start that a daemon makes of a unit waits for the disk, which is to say that its
            // next run ids are nobody else's.
            self.kill_and_see(&unit)?;
        }
        let Some(mut disks) = self.disks.take() else {
            return Ok(());
        };
        let hung = disks
            .hang(place)
            .and_then(|()| self.live_through(place, who, &unit));
        disks.thaw();
        self.disks = Some(disks);
        self.note("goes on");
        hung.map_err(|error| format!("while the {} hangs: {error}", place.told()))
    }

    fn live_through(&mut self, place: Place, who: Who, unit: &str) -> Result<(), String> {
        wait::let_pass(Duration::from_millis(self.dice.below(300)));
        let answers = || self.home.units();
        wait::try_until("the API answers", GOES_ON_WITHIN, answers)?;
        if self.dice.one_in(3) {
            // It is gone only when its threads come back from the disk; nothing else has to wait for that.
            self.note("kill the daemon meanwhile");
            send(who.daemon, Signal::KILL);
        } else if place == Place::Programs {
            // It is started again when its program can be reached.
            send(inspect::current(&self.dir, unit).unwrap_or(0), Signal::KILL);
        } else {
            self.kill_and_see(unit)?;
        }
        wait::let_pass(Duration::from_millis(self.dice.below(700)));
        Ok(())
    }

    /// Kills the unit's program and waits for the next one.
    fn kill_and_see(&mut self, unit: &str) -> Result<(), String> {
        let Some(pid) = inspect::current(&self.dir, unit) else {
            return Ok(());
        };
        self.note(format_args!("kill {unit}, process {pid}"));
        send(pid, Signal::KILL);
        let again = || inspect::current(&self.dir, unit).filter(|now| *now != pid);
        wait::try_until("it is started again", GOES_ON_WITHIN, again)
            .map(drop)
            .map_err(|error| format!("{unit}: {error}"))
    }
}

/// A process that is gone needs no signal.
fn send(pid: u32, signal: Signal) {
    if pid > 1 {
        processes::signal(pid, signal);
    }
}
