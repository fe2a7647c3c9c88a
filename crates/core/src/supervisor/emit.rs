//! The second phase: what was noted while settling becomes effects, records first.

use abide_model::{EffectId, EventKind, HookKind, RunId, UnitId};

use crate::supervisor::unit::Stage;
use crate::supervisor::{Awaited, Halt, Supervisor};
use crate::{Change, Effect, WakeReason};

/// How long to wait before a write that failed is tried again.
const SAVE_AGAIN: std::time::Duration = std::time::Duration::from_secs(30);
/// How long a full or hung disk may hold up a `down` that is otherwise done.
const HALT_WITHOUT_DISK: std::time::Duration = std::time::Duration::from_secs(5);

impl Supervisor {
    pub(super) fn emit(&mut self) {
        let mut last_durable = None;
        // An operation is on the disk before anything that it does: a `down` is not half forgotten.
        // Its end is, after all that it did.
        let mut published = Vec::new();
        let mut ended = Vec::new();
        for change in self.operations.take_changes() {
            if let Some(operation) = change.begun {
                self.push(Effect::Persist {
                    change: Change::Operation(operation),
                    durable: false,
                });
            }
            if change.ended {
                ended.push(Change::OperationEnded(change.id));
            }
            published.push(change.id);
        }
        for intent in std::mem::take(&mut self.intents) {
            match intent {
                Effect::Spawn { unit, run, .. } => {
                    last_durable = self.write_unit(unit).or(last_durable);
                    let after = self.write_before(unit, run);
                    let id = self.push(Effect::Spawn { unit, run, after });
                    if let Some(current) = self.current(unit, run) {
                        current.spawn = Some(id);
                        self.awaited.insert(id, Awaited::Spawn(unit));
                    }
                }
                Effect::RunHook {
                    unit, run, hook, ..
                } => {
                    last_durable = self.write_unit(unit).or(last_durable);
                    // The others are about a run that was begun; a stop waits for no disk.
                    let begins = hook == HookKind::BeforeStart;
                    let after = begins.then(|| self.write_before(unit, run)).flatten();
                    let id = self.push(Effect::RunHook {
                        unit,
                        run,
                        hook,
                        after,
                    });
                    self.hook_ordered(id, (unit, run, hook), after.is_some());
                }
                Effect::LookIdle { unit, run } => {
                    let id = self.push(intent);
                    if let Some(current) = self.current(unit, run) {
                        current.look = Some(id);
                        self.awaited.insert(id, Awaited::LookIdle(unit));
                    }
                }
                Effect::AskStop { unit, run, .. } => {
                    last_durable = self.write_unit(unit).or(last_durable);
                    let id = self.push(intent);
                    if let Some(current) = self.current(unit, run)
                        && let Stage::Asked { effect, .. } = &mut current.stage
                    {
                        *effect = Some(id);
                        self.awaited.insert(id, Awaited::AskStop(unit));
                    }
                }
                Effect::Probe { unit, run } => {
                    if self.is_round_wanted(unit, run) {
                        let id = self.push(intent);
                        self.round_emitted(unit, id);
                    }
                }
                Effect::Reload { unit, run } => {
                    if self.is_reload_wanted(unit, run) {
                        let id = self.push(intent);
                        self.reload_emitted(unit, id);
                    }
                }
                Effect::KillTree { unit, .. } => {
                    last_durable = self.write_unit(unit).or(last_durable);
                    self.push(intent);
                }
                other => {
                    self.push(other);
                }
            }
        }
        while let Some(&unit) = self.unsaved.keys().next() {
            last_durable = self.write_unit(unit).or(last_durable);
        }
        for change in std::mem::take(&mut self.changes) {
            let forgotten = if let Change::Forgotten(unit) = change {
                Some(unit)
            } else {
                None
            };
            last_durable = Some(self.push(Effect::Persist {
                change,
                durable: true,
            }));
            if let Some(unit) = forgotten {
                self.push(Effect::Forget(unit));
            }
        }
        for change in ended {
            self.push(Effect::Persist {
                change,
                durable: false,
            });
        }
        for operation in published {
            self.push(Effect::PublishOperation(operation));
        }
        for unit in std::mem::take(&mut self.touched) {
            if self.units.contains_key(&unit) {
                self.push(Effect::Publish(unit));
            }
        }
        self.halt_if_down();
        for (request, answer) in std::mem::take(&mut self.replies) {
            self.push(Effect::Reply {
                request,
                answer,
                after: last_durable,
            });
        }
    }

    fn push(&mut self, effect: Effect) -> EffectId {
        self.steps += 1;
        self.last_effect += 1;
        let id = EffectId(self.last_effect);
        self.out.push_back((id, effect));
        id
    }

    /// The write that must have a result before anything of the run begins.
    fn write_before(&self, id: UnitId, run: RunId) -> Option<EffectId> {
        let unit = self.units.get(&id)?;
        if run.0 < unit.run_ids.safe && unit.policy_saved {
            None
        } else {
            unit.saving
        }
    }

    /// Writes the unit's record, if it changed. Gives the write's id if it is a durable one.
    fn write_unit(&mut self, id: UnitId) -> Option<EffectId> {
        let durable = self.unsaved.remove(&id)?;
        let record = self.units.get(&id)?.record();
        let change = Change::Unit(Box::new(record));
        let effect = self.push(Effect::Persist { change, durable });
        let unit = self.units.get_mut(&id)?;
        // Writes are done in their order, so the last one's result stands for all.
        if let Some(earlier) = unit.saving.replace(effect) {
            self.awaited.remove(&earlier);
        }
        self.awaited.insert(effect, Awaited::Save(id));
        durable.then_some(effect)
    }

    pub(super) fn saved(&mut self, id: UnitId) {
        self.storage_trouble = false;
        self.timers.clear(Some(id), WakeReason::Save);
        if let Some(unit) = self.units.get_mut(&id) {
            unit.saving = None;
            unit.policy_saved = true;
            unit.run_ids.safe = unit.run_ids.ceiling;
        }
        self.hook_may_begin(id);
    }

    /// Nothing stops for a disk that is full: it is told once, and tried again.
    pub(super) fn save_failed(&mut self, id: UnitId, reason: String) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        unit.saving = None;
        let name = unit.name.clone();
        self.timers
            .set(Some(id), WakeReason::Save, self.now.mono.after(SAVE_AGAIN));
        if !std::mem::replace(&mut self.storage_trouble, true) {
            let text = format!(
                "the state of {name} could not be written down ({reason}); \
                 it is as it should be, but a new daemon would not know"
            );
            self.event(id, None, EventKind::Warning { text });
        }
        self.hook_may_begin(id);
    }

    /// When everything is to go down and has, write that down.
    fn halt_if_down(&mut self) {
        let Halt::Asked(operation) = self.halt else {
            return;
        };
        if self.live > 0 {
            return;
        }
        let persist = self.push(Effect::Persist {
            change: Change::Halted,
            durable: true,
        });
        self.awaited.insert(persist, Awaited::Halted);
        self.halt = Halt::Saving(operation, persist);
        self.timers.set(
            None,
            WakeReason::Save,
            self.now.mono.after(HALT_WITHOUT_DISK),
        );
    }

    pub(super) fn halted(&mut self) {
        let Halt::Saving(operation, persist) = self.halt else {
            return;
        };
        self.awaited.remove(&persist);
        self.timers.clear(None, WakeReason::Save);
        self.halt = Halt::Halted(operation);
        self.intents.push(Effect::Halt);
    }

    /// The disk does not answer; everything is down all the same.
    pub(super) fn halt_without_disk(&mut self) {
        self.halted();
    }
}
