//! The driver and the operating system: what becomes of effects, and what happens by itself.

use std::time::Duration;

use abide_core::{Change, Effect, Input, Outcome};
use abide_model::{EffectId, ExitStatus, RequestId, RunId, Signal, UnitId, UnitType};

use crate::history::{Badness, SpawnNature};
use crate::watch::Violation;
use crate::world::{Event, Process, World, Write};

impl World {
    pub(super) fn carry_out(&mut self, id: EffectId, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Spawn { unit, run, after } => {
                self.check_unhindered(unit, "the spawn")?;
                let after = after.filter(|after| self.is_open(*after));
                let launch = self.core.unit(unit).map_or((0, false), |view| {
                    let oneshot = view.policy.unit_type == UnitType::Oneshot;
                    let known = self.launches.get(&unit);
                    let digest = known.map_or(view.launch_digest, |launch| launch.now);
                    (digest, oneshot)
                });
                self.ordered.insert((unit, run), launch);
                self.spawning.insert((unit, run), (id, after));
                if after.is_none() {
                    self.begin_spawn(unit, run, id);
                }
            }
            Effect::Probe { .. } | Effect::Reload { .. } => self.answer(id, &effect),
            Effect::RunHook { .. }
            | Effect::CancelHook { .. }
            | Effect::WatchSocket(_)
            | Effect::UnwatchSocket(_)
            | Effect::LookIdle { .. } => self.carry_out_around(id, effect)?,
            Effect::Advance(unit) => self.advance(unit),
            Effect::Revert(unit) => self.revert(unit),
            Effect::Settled(unit) => self.settle_version(unit),
            Effect::WatchReady { unit, run } => {
                let digest = self.processes.get(&unit).map(|process| process.digest);
                let never = digest.and_then(|digest| self.bad_versions.get(&digest))
                    == Some(&Badness::NeverReady);
                if let Some(after) = self.nature(unit).ready_after.filter(|_| !never) {
                    let life = self.life;
                    self.later(after, Event::Tell(life, Input::Ready { unit, run }));
                }
            }
            Effect::AskStop { unit, run, .. } => {
                match self.rng.below(20) {
                    0 | 1 => {}
                    2 => self.tell(Input::Done {
                        effect: id,
                        outcome: Outcome::Failed {
                            reason: "no such process".into(),
                        },
                    }),
                    _ => self.tell(Input::Done {
                        effect: id,
                        outcome: Outcome::Ok,
                    }),
                }
                if self.nature(unit).obeys_stop {
                    let after = self.rng.millis(800);
                    let status = ExitStatus::Signal {
                        signal: Signal::TERM,
                        core: false,
                    };
                    self.later(after, Event::Die(unit, run, status));
                }
            }
            Effect::KillTree { unit, run, .. } => {
                self.killed.insert((unit, run));
                if let Some((effect, None)) = self.spawning.remove(&(unit, run))
                    && self.rng.chance(30)
                {
                    self.begin(unit, run, effect);
                }
                let wait = self.nature(unit).dies_after;
                self.later(wait, Event::TreeDies(unit, run));
            }
            Effect::WatchTree { unit, run } => {
                // Some of what is left ends in time, some does not.
                if self.nature(unit).obeys_stop && self.rng.chance(80) {
                    let wait = self.rng.millis(3000);
                    self.later(wait, Event::TreeDies(unit, run));
                }
            }
            Effect::Persist { change, durable } => {
                self.journal.push(Write {
                    effect: id,
                    change,
                    durable,
                    done: false,
                });
                let wait = if self.rng.chance(70) {
                    Duration::ZERO
                } else {
                    self.rng.millis(400)
                };
                let life = self.life;
                // Writes are done in their order: this event completes the oldest one.
                self.later(wait, Event::WriteDone(life));
            }
            Effect::Reply { request, after, .. } => {
                if after.is_some_and(|after| self.is_open(after)) {
                    self.held_replies.push((request, after));
                } else {
                    self.watch.released(request);
                }
            }
            Effect::Forget(unit) => {
                self.ids.retain(|_, id| *id != unit);
                self.launches.remove(&unit);
            }
            Effect::Halt => {
                self.watch.halted(self.processes.keys().next().copied())?;
                self.halt = true;
            }
            Effect::Signal { .. }
            | Effect::Publish(_)
            | Effect::PublishOperation(_)
            | Effect::Event { .. } => {}
        }
        Ok(())
    }

    /// The write has no result yet.
    pub(super) fn is_open(&self, effect: EffectId) -> bool {
        self.journal
            .iter()
            .rev()
            .any(|write| write.effect == effect && !write.done)
    }

    pub(super) fn begin_spawn(&mut self, unit: UnitId, run: RunId, effect: EffectId) {
        let wait = match self.nature(unit).spawn {
            SpawnNature::Quick => Duration::ZERO,
            // Without a backoff the next try follows at once: some time must pass.
            SpawnNature::Fails => Duration::from_millis(100),
            SpawnNature::Slow => self.rng.millis(3000),
            SpawnNature::Hangs => return,
        };
        let life = self.life;
        self.later(wait, Event::Spawn(life, unit, run, effect));
    }

    /// The program is executed.
    pub(super) fn begin(&mut self, unit: UnitId, run: RunId, effect: EffectId) {
        self.last_pid += 1;
        let pid = self.last_pid;
        self.watch.executed(unit, run);
        let (digest, oneshot) = self.ordered.remove(&(unit, run)).unwrap_or_default();
        self.processes.insert(
            unit,
            Process {
                run,
                pid,
                main: true,
                digest,
                oneshot,
                owes: None,
            },
        );
        self.tell(Input::Done {
            effect,
            outcome: Outcome::Spawned { pid },
        });
        let nature = self.nature(unit);
        let ends = match self.bad_versions.get(&digest) {
            Some(Badness::EndsAfter(life)) => Some(*life),
            _ => None,
        };
        let life = ends
            .or(nature.exits_after)
            .or(oneshot.then_some(Duration::from_millis(200)));
        if let Some(life) = life {
            self.later(
                life,
                Event::Die(unit, run, ExitStatus::Code(nature.exit_code)),
            );
        }
        self.later(Duration::ZERO, Event::Beat(unit, run));
        self.takes_soon(unit, run);
    }

    pub(super) fn happen(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Tell(life, input) if life == self.life => self.input(input),
            Event::Tell(..) => Ok(()),
            Event::Spawn(life, unit, run, effect) => {
                if life != self.life || self.spawning.remove(&(unit, run)).is_none() {
                    return Ok(());
                }
                if self.nature(unit).spawn == SpawnNature::Fails {
                    let reason = "cannot execute it".to_string();
                    self.tell(Input::Done {
                        effect,
                        outcome: Outcome::SpawnFailed { reason },
                    });
                } else {
                    self.begin(unit, run, effect);
                }
                Ok(())
            }
            Event::Die(unit, run, status) => {
                self.main_ends(unit, run, status);
                Ok(())
            }
            Event::TreeDies(unit, run) => {
                let status = ExitStatus::Signal {
                    signal: Signal::KILL,
                    core: false,
                };
                self.main_ends(unit, run, status);
                if self
                    .processes
                    .get(&unit)
                    .is_some_and(|process| process.run == run)
                {
                    self.processes.remove(&unit);
                }
                let name = self
                    .ids
                    .iter()
                    .find(|(_, id)| **id == unit)
                    .map(|(name, _)| name.clone());
                if let Some(nature) = name.and_then(|name| self.natures.get_mut(&name))
                    && std::mem::take(&mut nature.loses_empty)
                {
                    return Ok(());
                }
                // After the exit, which may be told late.
                let life = self.life;
                self.later(
                    Duration::from_millis(301),
                    Event::Tell(life, Input::TreeEmpty { unit, run }),
                );
                Ok(())
            }
            Event::Beat(unit, run) => self.program_beats(unit, run),
            Event::HookEnds(life, effect, well) => {
                if life == self.life {
                    self.hook_ends(effect, well);
                }
                Ok(())
            }
            Event::Takes(unit, run) => {
                self.takes(unit, run);
                Ok(())
            }
            Event::WriteDone(life) if life == self.life => self.write_done(),
            Event::WriteDone(_) => Ok(()),
        }
    }

    pub(super) fn main_ends(&mut self, unit: UnitId, run: RunId, status: ExitStatus) {
        let Some(process) = self.processes.get_mut(&unit) else {
            return;
        };
        if process.run != run || !process.main {
            return;
        }
        process.main = false;
        self.kept_exits.insert((unit, run), status.clone());
        self.tell(Input::Exited { unit, run, status });
    }

    fn program_beats(&mut self, unit: UnitId, run: RunId) -> Result<(), Violation> {
        let lives = self
            .processes
            .get(&unit)
            .is_some_and(|p| p.run == run && p.main);
        if !lives {
            return Ok(());
        }
        let policy = self.core.unit(unit).map(|view| view.policy);
        let said = self.processes.get(&unit).and_then(|process| process.owes);
        let owed = policy.and_then(|policy| policy.heartbeat.as_ref().map(|h| h.every));
        let owed = said.or(owed).filter(|every| !every.is_zero());
        let next = owed.map_or(Duration::from_secs(5), |every| every / 2);
        self.later(next, Event::Beat(unit, run));
        if owed.is_some() && self.nature(unit).beats {
            return self.input(Input::Beat { unit, run });
        }
        Ok(())
    }

    fn write_done(&mut self) -> Result<(), Violation> {
        let Some(at) = self.journal.iter().position(|write| !write.done) else {
            return Ok(());
        };
        let effect = self.journal[at].effect;
        let outcome = if self.disk_full {
            self.journal.remove(at);
            self.refused_writes = true;
            Outcome::Failed {
                reason: "no space left".into(),
            }
        } else {
            let write = &mut self.journal[at];
            write.done = true;
            if let Change::Unit(record) = &write.change
                && let Some(exit) = &record.last_exit
            {
                self.kept_exits.remove(&(record.id, exit.run));
            }
            if write.durable {
                for write in self.journal.drain(..=at) {
                    self.disk.write(write.change);
                }
            }
            Outcome::Ok
        };
        let waiting: Vec<_> = self
            .spawning
            .iter_mut()
            .filter(|(_, (_, after))| *after == Some(effect))
            .map(|(key, (spawn, after))| {
                *after = None;
                (key.0, key.1, *spawn)
            })
            .collect();
        for (unit, run, spawn) in waiting {
            self.begin_spawn(unit, run, spawn);
        }
        self.begin_hooks_after(effect)?;
        let released: Vec<RequestId> = self
            .held_replies
            .extract_if(.., |(_, after)| *after == Some(effect))
            .map(|(request, _)| request)
            .collect();
        for request in released {
            self.watch.released(request);
        }
        self.input(Input::Done { effect, outcome })
    }
}
