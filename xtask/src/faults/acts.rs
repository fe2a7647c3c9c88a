//! What a person does to a home while something befalls it.

use std::collections::BTreeSet;
use std::time::Duration;

use abide_e2e::{processes, wait};
use rustix::process::Signal;

use super::chapter::Chapter;
use super::command::{self, Running};
use super::file::Action;
use super::inspect;
use super::plan::{self, Fault, Victim};

#[derive(Clone, Copy)]
pub enum Act {
    Restart(usize),
    Stop,
    Start,
    Scale,
    Edit,
    Follow,
    KillPrograms,
    /// To itself or to another file; the keeper executes it too, or need not.
    Upgrade {
        renew: bool,
    },
    /// To a file that takes over and dies.
    UpgradeInVain,
    /// Of what is there already.
    Up,
}

/// More than a command that is answered ever takes.
const UPGRADED_WITHIN: &str = "20s";

impl Chapter<'_> {
    /// What a person does meanwhile, and what leads to the point.
    pub fn choose(&mut self, fault: &Fault) -> Vec<Act> {
        let area = fault.at();
        let mut acts = Vec::new();
        match area {
            "keeper.rolled-back" => acts.push(Act::UpgradeInVain),
            name if plan::is_of_upgrade(name) => {
                let renew = name == "keeper.renew" || name == "keeper.written";
                acts.push(Act::Upgrade { renew });
            }
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
        // A keeper that dies between two daemons leaves nobody who holds anything: at chosen points, where it is
        // known.
        let keeper_lives =
            matches!(fault, Fault::Random { victim, .. } if *victim != Victim::Keeper);
        if keeper_lives && self.dice.one_in(3) {
            acts.push(Act::Upgrade { renew: false });
        }
        acts
    }

    pub fn act(
        &mut self,
        act: Act,
        touched: &mut BTreeSet<String>,
    ) -> Result<Option<Running>, String> {
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
            Act::Up => words = vec!["up".into(), "abide.toml".into(), "--no-wait".into()],
            Act::Upgrade { .. } | Act::UpgradeInVain => {
                let file = match act {
                    Act::UpgradeInVain => "short-lived",
                    _ => *self.dice.pick(&["abide", "abide-next"]),
                };
                let file = self.home.path("bin").join(file).display().to_string();
                words = ["upgrade", &file, "--timeout", UPGRADED_WITHIN]
                    .map(str::to_owned)
                    .to_vec();
                if matches!(act, Act::Upgrade { renew: true }) || self.dice.one_in(3) {
                    words.push("--keeper".into());
                }
            }
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
            *self
                .tally
                .told
                .entry(("command", Action::Kill))
                .or_default() += 1;
        }
        Ok(Some(command))
    }
}
