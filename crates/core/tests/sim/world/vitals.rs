//! Checks, reloads, and what programs say of themselves.

use std::time::Duration;

use abide_core::{Command, Effect, Input, Outcome};
use abide_model::{EffectId, ExitStatus, RunId, UnitId};

use crate::history::unit_name;
use crate::vitals::{Answers, Vital, Words};
use crate::watch::Violation;
use crate::world::{Event, World};

impl World {
    /// What becomes of a round or a reload.
    pub(super) fn answer(&mut self, id: EffectId, effect: &Effect) {
        match *effect {
            Effect::Probe { unit, run } => {
                self.watch.probe_ordered(id, unit, run, self.now);
                let Some(check) = self.core.unit(unit).and_then(|v| v.policy.health.clone()) else {
                    return;
                };
                let how = self.how(unit).0;
                self.answer_so(id, how, check.timeout);
            }
            Effect::Reload { unit, run } => {
                let Some(reload) = self.core.unit(unit).and_then(|v| v.policy.reload.clone())
                else {
                    return;
                };
                let (_, how, words) = self.how(unit);
                self.answer_so(id, how, reload.within);
                if reload.confirm {
                    let first = self.rng.millis(400);
                    let second = first + self.rng.millis(2000);
                    let life = self.life;
                    if words != Words::None {
                        self.later(first, Event::Tell(life, Input::Reloading { unit, run }));
                    }
                    if words == Words::Both {
                        self.later(second, Event::Tell(life, Input::Ready { unit, run }));
                    }
                }
            }
            _ => {}
        }
    }

    fn answer_so(&mut self, effect: EffectId, how: Answers, within: Duration) {
        for (after, good) in how.of(within, &mut self.rng) {
            let outcome = if good {
                Outcome::Ok
            } else {
                Outcome::Failed {
                    reason: "bad".into(),
                }
            };
            let life = self.life;
            self.later(after, Event::Tell(life, Input::Done { effect, outcome }));
        }
    }

    fn how(&self, unit: UnitId) -> (Answers, Answers, Words) {
        let name = self.ids.iter().find(|(_, id)| **id == unit);
        name.and_then(|(name, _)| self.vitals.get(name))
            .copied()
            .unwrap_or((Answers::Good, Answers::Good, Words::Both))
    }

    pub(super) fn act_vital(&mut self, index: usize, vital: Vital) -> Result<(), Violation> {
        let how = self.vitals.entry(unit_name(index)).or_insert((
            Answers::Good,
            Answers::Good,
            Words::Both,
        ));
        match vital {
            Vital::Checks(answers) => how.0 = answers,
            Vital::Reloads(answers, words) => (how.1, how.2) = (answers, words),
            Vital::Reload => return self.command(Command::Reload(self.known(&[index]))),
            _ => {
                for unit in self.known(&[index]) {
                    if let Some(run) = self.main_of(unit) {
                        self.say(unit, run, vital)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The run whose main process lives, and whose spawn the core knows of.
    fn main_of(&self, unit: UnitId) -> Option<RunId> {
        let process = self.processes.get(&unit)?;
        let known = self.core.unit(unit)?.run == Some(process.run);
        (process.main && known).then_some(process.run)
    }

    fn say(&mut self, unit: UnitId, run: RunId, vital: Vital) -> Result<(), Violation> {
        match vital {
            Vital::SaysReloading => {
                if self.rng.chance(70) {
                    let (after, life) = (self.rng.millis(4000), self.life);
                    self.later(after, Event::Tell(life, Input::Ready { unit, run }));
                }
                self.input(Input::Reloading { unit, run })
            }
            Vital::Triggers => self.input(Input::BeatTrigger { unit, run }),
            Vital::StopsItself(after) => {
                if let Some(after) = after {
                    self.later(after, Event::Die(unit, run, ExitStatus::Code(0)));
                }
                self.input(Input::SelfStopping { unit, run })
            }
            Vital::MainChanges => {
                self.last_pid += 1;
                let pid = self.last_pid;
                if let Some(process) = self.processes.get_mut(&unit) {
                    process.pid = pid;
                }
                self.input(Input::MainChanged { unit, run, pid })
            }
            Vital::NeedsTime(by) => self.input(Input::ExtendTimeout { unit, run, by }),
            Vital::Owes(every) => {
                if let Some(process) = self.processes.get_mut(&unit) {
                    process.owes = Some(every);
                }
                self.later(Duration::ZERO, Event::Beat(unit, run));
                self.input(Input::BeatInterval { unit, run, every })
            }
            Vital::Checks(_) | Vital::Reloads(..) | Vital::Reload => Ok(()),
        }
    }
}
