//! Hooks: commands around a run.
//!
//! `after_start`, `on_failure`, `on_give_up` and `on_unhealthy` run *beside* the unit: nothing waits for
//! them, and their results are only told.

use abide_model::{EffectId, EventKind, HookKind, RunId, UnitId};

use crate::Effect;
use crate::supervisor::unit::Unit;
use crate::supervisor::{Awaited, Supervisor};

/// So many hooks of one unit that hold up nothing are listened to; of the oldest the answer was lost.
const MOST_BESIDE: usize = 32;

impl Supervisor {
    /// Runs the unit's hooks of this kind, if it has any. Nothing waits for them.
    pub(super) fn run_hook_beside(&mut self, id: UnitId, run: RunId, hook: HookKind) {
        let has = |unit: &Unit| unit.policy.hooks.of(hook).next().is_some();
        if self.units.get(&id).is_some_and(has) {
            self.intents.push(Effect::RunHook {
                unit: id,
                run,
                hook,
                after: None,
            });
        }
    }

    /// The order went out under this id.
    pub(super) fn hook_ordered(
        &mut self,
        effect: EffectId,
        id: UnitId,
        run: RunId,
        hook: HookKind,
    ) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        unit.beside.push_back(effect);
        if unit.beside.len() > MOST_BESIDE
            && let Some(lost) = unit.beside.pop_front()
        {
            self.awaited.remove(&lost);
        }
        self.awaited.insert(effect, Awaited::Hook(id, run, hook));
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
        unit.beside.retain(|other| *other != effect);
        let kind = match result {
            Ok(()) => EventKind::HookDone { hook },
            Err(reason) => EventKind::HookFailed { hook, reason },
        };
        self.event(id, Some(run), kind);
    }
}
