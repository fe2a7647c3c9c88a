//! The driver's part around runs: hooks that are carried out, sockets that are watched, and people who
//! connect to them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use abide_core::{Effect, HOOK_SLACK, Input, Outcome};
use abide_model::{EffectId, HookKind, Mono, RunId, UnitId, UnitName};

use crate::around::{Around, Ends};
use crate::history::unit_name;
use crate::watch::{Violation, holds_up};
use crate::world::{Event, World};

#[derive(Default)]
pub struct Surroundings {
    ends: BTreeMap<UnitName, Ends>,
    /// Their programs take no connections.
    deaf: BTreeSet<UnitName>,
    hooks: BTreeMap<EffectId, Running>,
    watched: BTreeSet<UnitId>,
    /// Somebody waits in the backlog.
    callers: BTreeSet<UnitId>,
    /// Somebody is connected, so long.
    connected: BTreeMap<UnitId, Mono>,
}

struct Running {
    unit: UnitId,
    run: RunId,
    hook: HookKind,
    /// The write that it waits for.
    after: Option<EffectId>,
    /// When none of its processes is left, as far as that is known.
    ends: Mono,
}

impl Surroundings {
    /// The daemon died, and what it looked at and had run is gone with it.
    pub fn without_daemon(&mut self, reboot: bool) {
        self.hooks.clear();
        self.watched.clear();
        if reboot {
            self.callers.clear();
            self.connected.clear();
        }
    }

    /// Faults cease.
    pub fn calm(&mut self) {
        self.ends.clear();
        self.deaf.clear();
    }

    pub fn waits(&self, unit: UnitId) -> bool {
        self.callers.contains(&unit)
    }

    /// A hook that holds up the unit really runs.
    fn held_up(&self, unit: UnitId, now: Mono) -> Option<&Running> {
        self.hooks.values().find(|other| {
            other.unit == unit && other.after.is_none() && holds_up(other.hook) && other.ends > now
        })
    }
}

impl World {
    pub(super) fn act_around(&mut self, unit: usize, around: Around) -> Result<(), Violation> {
        let name = unit_name(unit);
        match around {
            Around::Hooks(ends) => {
                self.around.ends.insert(name, ends);
            }
            Around::Takes(true) => {
                self.around.deaf.remove(&name);
            }
            Around::Takes(_) => {
                self.around.deaf.insert(name);
            }
            Around::Connect => {
                for unit in self.known(&[unit]) {
                    self.around.callers.insert(unit);
                    self.look_for_callers(unit);
                    if let Some(process) = self.processes.get(&unit) {
                        let run = process.run;
                        self.later(Duration::from_millis(20), Event::Takes(unit, run));
                    }
                }
                return self.pass(Duration::ZERO);
            }
            Around::LateConnection => {
                for unit in self.known(&[unit]) {
                    self.input(Input::Connection { unit })?;
                }
            }
        }
        Ok(())
    }

    /// Tells of a caller, once for each order to look.
    fn look_for_callers(&mut self, unit: UnitId) {
        if self.around.callers.contains(&unit) && self.around.watched.remove(&unit) {
            self.tell(Input::Connection { unit });
        }
    }

    pub(super) fn carry_out_around(
        &mut self,
        id: EffectId,
        effect: Effect,
    ) -> Result<(), Violation> {
        match effect {
            Effect::RunHook {
                unit,
                run,
                hook,
                after,
            } => {
                let after = after.filter(|after| self.is_open(*after));
                let mut running = Running {
                    unit,
                    run,
                    hook,
                    after,
                    ends: self.now.mono,
                };
                if after.is_none() {
                    self.begin_hook(id, &mut running)?;
                }
                self.around.hooks.insert(id, running);
            }
            Effect::CancelHook { unit, run, hook } => {
                let same = |running: &Running| {
                    (running.unit, running.run, running.hook) == (unit, run, hook)
                };
                let ids = self.around.hooks.iter();
                let ids: Vec<EffectId> = ids.filter(|(_, r)| same(r)).map(|(id, _)| *id).collect();
                for id in ids {
                    let waits = |running: &Running| running.after.is_some();
                    if self.around.hooks.get(&id).is_some_and(waits) {
                        // It never begins.
                        self.hook_ends(id, false);
                        continue;
                    }
                    let wait = self.rng.millis(500);
                    let ends = self.now.mono.after(wait);
                    if let Some(running) = self.around.hooks.get_mut(&id) {
                        running.ends = running.ends.min(ends);
                    }
                    let life = self.life;
                    self.later(wait, Event::HookEnds(life, id, false));
                }
            }
            Effect::WatchSocket(unit) => {
                self.around.watched.insert(unit);
                self.look_for_callers(unit);
            }
            Effect::UnwatchSocket(unit) => {
                self.around.watched.remove(&unit);
            }
            Effect::LookIdle { unit, .. } => {
                let now = self.now.mono;
                let connected = self.around.connected.get(&unit).is_some_and(|to| *to > now);
                let outcome = if connected || self.around.waits(unit) {
                    Outcome::Failed {
                        reason: "somebody is connected".into(),
                    }
                } else {
                    Outcome::Ok
                };
                if !self.rng.chance(10) {
                    self.tell(Input::Done {
                        effect: id,
                        outcome,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Nothing that is spawned meets a hook that holds it up.
    pub(super) fn check_unhindered(&self, unit: UnitId, what: &str) -> Result<(), Violation> {
        match self.around.held_up(unit, self.now.mono) {
            None => Ok(()),
            Some(other) => Err(Violation {
                invariant: "a hook that holds up its run is waited for",
                detail: format!(
                    "{what} of {unit} begins while {} of {} runs",
                    other.hook, other.run
                ),
            }),
        }
    }

    fn begin_hook(&mut self, id: EffectId, running: &mut Running) -> Result<(), Violation> {
        if holds_up(running.hook) {
            self.check_unhindered(running.unit, running.hook.as_str())?;
        }
        let view = self.core.unit(running.unit);
        let time = view.and_then(|view| view.policy.hooks.time(running.hook));
        let time = time.unwrap_or(Duration::from_secs(1));
        let short = self.rng.millis(400);
        let (wait, well) = match self.ends_of(running.unit) {
            Ends::Well | Ends::Unheard => (short, true),
            Ends::Badly => (short, false),
            Ends::Slowly => (time / 2, true),
            Ends::Killed | Ends::HeardLate => (time, false),
        };
        let life = self.life;
        running.ends = self.now.mono.after(wait);
        self.later(wait, Event::HookEnds(life, id, well));
        Ok(())
    }

    fn ends_of(&self, unit: UnitId) -> Ends {
        let name = self.core.unit(unit).map(|view| view.name.clone());
        name.and_then(|name| self.around.ends.get(&name).copied())
            .unwrap_or(Ends::Well)
    }

    pub(super) fn hook_ends(&mut self, effect: EffectId, well: bool) {
        let Some(running) = self.around.hooks.remove(&effect) else {
            return;
        };
        let outcome = if well {
            Outcome::Ok
        } else {
            Outcome::Failed {
                reason: "exit 1".into(),
            }
        };
        let done = Input::Done { effect, outcome };
        match self.ends_of(running.unit) {
            Ends::Unheard => {}
            Ends::HeardLate => {
                let late = HOOK_SLACK + self.rng.millis(9000);
                let life = self.life;
                self.later(late, Event::Tell(life, done));
            }
            _ => self.tell(done),
        }
    }

    /// A write has its result: hooks that waited for it begin.
    pub(super) fn begin_hooks_after(&mut self, write: EffectId) -> Result<(), Violation> {
        let waiting: Vec<EffectId> = self
            .around
            .hooks
            .iter()
            .filter(|(_, running)| running.after == Some(write))
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            if let Some(mut running) = self.around.hooks.remove(&id) {
                running.after = None;
                self.begin_hook(id, &mut running)?;
                self.around.hooks.insert(id, running);
            }
        }
        Ok(())
    }

    /// A program was executed.
    pub(super) fn takes_soon(&mut self, unit: UnitId, run: RunId) {
        self.around.connected.remove(&unit);
        self.later(Duration::from_millis(20), Event::Takes(unit, run));
    }

    /// The program takes the connection that waits, if there is one.
    pub(super) fn takes(&mut self, unit: UnitId, run: RunId) {
        let lives = self.processes.get(&unit);
        let lives = lives.is_some_and(|process| process.run == run && process.main);
        let name = self.core.unit(unit).map(|view| view.name.clone());
        let deaf = name.is_some_and(|name| self.around.deaf.contains(&name));
        if lives && !deaf && self.around.callers.remove(&unit) {
            let until = self.now.mono.after(self.rng.millis(30_000));
            self.around.connected.insert(unit, until);
        }
    }
}
