//! Hooks: commands around a run.
//!
//! `after_start`, `on_failure`, `on_give_up` and `on_unhealthy` run *beside* the unit: nothing waits for
//! them, and their results are only told. The last three are remembered until then: a new daemon runs
//! again, once, what the old one had no answer of. The other three *hold up* their run, one at a time:
//!
//! ```text
//!   before_start ──done──► spawn … alive ──told to stop──► before_stop ──over──► stop … tree empty
//!        │ failed                                                                     │
//!        └──────────────────────────► after_stop ◄────────────────────────────────────┘
//!                                         └─over─► what follows: stopped, backoff, the next run, …
//! ```
//!
//! - A `before_start` that is told to stop is cancelled; no process of the run was begun.
//! - `before_stop` is not run for a program that failed (not ready in time, missed beats, unhealthy):
//!   it hangs, and whoever waits for it wants it back soon. Of a main process that ends meanwhile it is
//!   cancelled, and what is left of the run has the time of the stop.
//! - `after_stop` is run for each run that was begun in any way, also if `before_start` failed or was
//!   cancelled: it clears away what that made (`ExecStopPost=` of systemd.service(5)).
//! - Each is over when its result is there, and at the latest some time after it should be: an answer
//!   that was lost counts as a failure.

use abide_model::{EffectId, EventKind, ExitStatus, HookKind, RunId, UnitId};

use crate::record::UnansweredHook;
use crate::supervisor::unit::{Beside, Held, Holding, Run, Stage, Unit};
use crate::supervisor::{Awaited, Supervisor};
use crate::teeth::{Fault, planted};
use crate::{Effect, HOOK_SLACK, WakeReason};

/// So many hooks of one unit that hold up nothing are listened to; of the oldest the answer was lost.
const MOST_BESIDE: usize = 32;

impl Supervisor {
    /// Runs the unit's hooks of this kind, if it has any. Nothing waits for them.
    pub(super) fn run_hook_beside(&mut self, id: UnitId, run: RunId, hook: HookKind) {
        self.order_beside(
            id,
            UnansweredHook {
                run,
                hook,
                again: false,
            },
        );
    }

    /// After the death of a daemon: whether they were run nobody knows, and nobody was told.
    pub(super) fn run_beside_again(&mut self, id: UnitId, unanswered: Vec<UnansweredHook>) {
        if planted(Fault::HookLostAtResume) {
            return;
        }
        for lost in unanswered {
            let UnansweredHook { run, hook, again } = lost;
            if again {
                let reason = "its daemon died under it, twice".to_string();
                self.event(id, Some(run), EventKind::HookFailed { hook, reason });
                self.save(id, false);
            } else {
                self.order_beside(
                    id,
                    UnansweredHook {
                        again: true,
                        ..lost
                    },
                );
            }
        }
    }

    fn order_beside(&mut self, id: UnitId, ordered: UnansweredHook) {
        let UnansweredHook { run, hook, .. } = ordered;
        let unit = self.units.get_mut(&id);
        let Some(unit) = unit.filter(|unit| has_hooks(unit, hook)) else {
            return;
        };
        unit.beside.push_back(Beside {
            ordered,
            effect: None,
        });
        if unit.beside.len() > MOST_BESIDE
            && let Some(lost) = unit.beside.pop_front().and_then(|lost| lost.effect)
        {
            self.awaited.remove(&lost);
        }
        self.intents.push(Effect::RunHook {
            unit: id,
            run,
            hook,
            after: None,
        });
        self.save(id, false);
    }

    /// Holds up the run with the hooks of this kind. `false`: the unit has none, and nothing was done.
    pub(super) fn hold(&mut self, id: UnitId, by: Holding) -> bool {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return false;
        };
        let has = has_hooks(unit, by.kind());
        let Some(run) = unit.run_mut().filter(|_| has) else {
            return false;
        };
        run.stage = Stage::Hook(Held::begun(by, now));
        self.intents.push(Effect::RunHook {
            unit: id,
            run: run.id,
            hook: by.kind(),
            after: None,
        });
        self.save(id, false);
        true
    }

    /// After the death of a daemon: how far the hooks came nobody knows, so they are run again.
    pub(super) fn hold_again(&mut self, id: UnitId, by: Holding) {
        if planted(Fault::HookLostAtResume) {
            return;
        }
        if !self.hold(id, by) {
            self.hold_over(id, by, Ok(()));
        }
    }

    /// The order went out under this id; it may have to wait for a write.
    pub(super) fn hook_ordered(
        &mut self,
        effect: EffectId,
        (id, run, hook): (UnitId, RunId, HookKind),
        waits: bool,
    ) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        self.awaited.insert(effect, Awaited::Hook(id, run, hook));
        let held = unit.run_mut().and_then(Run::held_mut);
        if let Some(held) = held.filter(|held| held.by.kind() == hook) {
            held.effect = Some(effect);
            if !waits {
                self.hook_may_begin(id);
            }
            return;
        }
        let order = unit.beside.iter_mut().find(|beside| {
            let UnansweredHook {
                run: of, hook: is, ..
            } = beside.ordered;
            beside.effect.is_none() && of == run && is == hook
        });
        match order {
            Some(order) => order.effect = Some(effect),
            None => drop(self.awaited.remove(&effect)),
        }
    }

    /// Nothing keeps the hook that holds up the run from running: its time counts from here.
    pub(super) fn hook_may_begin(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let Some(held) = unit.run().and_then(Run::held) else {
            return;
        };
        let known = self.timers.get(Some(id), WakeReason::Hook).is_some();
        if known || held.by == Holding::BeforeStop && planted(Fault::HookWithoutDeadline) {
            return;
        }
        let time = unit.policy.hooks.time(held.by.kind()).unwrap_or_default();
        let late = self.now.mono.after(time.saturating_add(HOOK_SLACK));
        self.timers.set(Some(id), WakeReason::Hook, late);
    }

    /// What the hook that holds up the run comes to does not matter any more.
    pub(super) fn cancel_hook(&mut self, id: UnitId) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        let run_id = run.id;
        let Some(held) = run.held_mut().filter(|held| !held.cancelled) else {
            return;
        };
        held.cancelled = true;
        let by = held.by;
        self.intents.push(Effect::CancelHook {
            unit: id,
            run: run_id,
            hook: by.kind(),
        });
        let soon = self.now.mono.after(HOOK_SLACK);
        let late = self.timers.get(Some(id), WakeReason::Hook);
        let late = late.map_or(soon, |late| late.min(soon));
        self.timers.set(Some(id), WakeReason::Hook, late);
        self.touch(id);
        if planted(Fault::CancelledHookNotAwaited) {
            self.hold_over(id, by, Ok(()));
        }
    }

    /// All hooks of one kind were run, or one of them failed.
    pub(super) fn hook_done(
        &mut self,
        effect: EffectId,
        (id, run, hook): (UnitId, RunId, HookKind),
        result: Result<(), String>,
    ) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let before = unit.beside.len();
        unit.beside.retain(|other| other.effect != Some(effect));
        let answered = unit.beside.len() < before;
        let held = unit.run().and_then(Run::held);
        let by = held
            .filter(|held| held.effect == Some(effect))
            .map(|held| held.by);
        let kind = match &result {
            Ok(()) => EventKind::HookDone { hook },
            Err(reason) => EventKind::HookFailed {
                hook,
                reason: reason.clone(),
            },
        };
        self.event(id, Some(run), kind);
        if answered {
            self.save(id, false);
        }
        if let Some(by) = by {
            self.hold_over(id, by, result);
        }
    }

    /// The hook that holds up the run should have had a result by now.
    pub(super) fn hook_time_over(&mut self, id: UnitId) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        let run_id = run.id;
        let Some(held) = run.held_mut() else { return };
        let (by, lost) = (held.by, held.effect.take());
        if let Some(lost) = lost {
            self.awaited.remove(&lost);
        }
        let reason = "it was not over in the time it had".to_string();
        let kind = EventKind::HookFailed {
            hook: by.kind(),
            reason: reason.clone(),
        };
        self.event(id, Some(run_id), kind);
        self.hold_over(id, by, Err(reason));
    }

    /// The run goes on.
    fn hold_over(&mut self, id: UnitId, by: Holding, result: Result<(), String>) {
        let now = self.now.mono;
        self.timers.clear(Some(id), WakeReason::Hook);
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let within = unit.policy.stop.within;
        let Some(run) = unit.run_mut() else { return };
        let within = run.old_stop.as_ref().map_or(within, |stop| stop.within);
        let cancelled = run.held().is_some_and(|held| held.cancelled);
        match (by, result) {
            (Holding::BeforeStart, _) if cancelled => self.run_over(id),
            (Holding::BeforeStart, Err(reason)) if !planted(Fault::BeforeStartFailureIgnored) => {
                let reason = format!("{} failed: {reason}", HookKind::BeforeStart);
                self.note_exit(id, ExitStatus::SpawnFailed(reason));
                self.run_over(id);
            }
            (Holding::BeforeStart, _) => {
                run.stage = Stage::Alive;
                run.ordered = now;
                self.intents.push(Effect::Spawn {
                    unit: id,
                    run: run.id,
                    after: None,
                });
                self.save(id, false);
            }
            (Holding::BeforeStop, _) if run.exited => self.watch_rest(id),
            (Holding::BeforeStop, _) => self.ask_step(id, 0, now.after(within)),
            (Holding::AfterStop, _) => self.run_ended(id),
        }
    }
}

fn has_hooks(unit: &Unit, hook: HookKind) -> bool {
    unit.policy.hooks.of(hook).next().is_some()
}
