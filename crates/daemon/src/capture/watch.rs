//! What the threads wait for.

use std::time::Instant;

use super::engine::Engine;
use super::state::{After, Key, Phase, State};

impl Engine {
    /// Waits for output again; with `kick`, has a pass at once.
    pub(super) fn arm(&self, state: &State, key: Key, kick: bool) {
        let Some(slot) = state.slots.get(&key) else {
            return;
        };
        if let Err(error) = self.waits.arm(key, &slot.stream.fifo, kick) {
            tracing::error!(unit = %slot.stream.unit.name, %error, "cannot wait for its output");
        }
    }

    /// Has a pass of this stream as soon as can be.
    pub fn kick(&self, state: &mut State, key: Key) {
        state.wake(key);
        match state.slots.get_mut(&key) {
            Some(slot) if slot.phase == Phase::Armed => self.arm(state, key, true),
            Some(slot) => slot.again = true,
            None => {}
        }
    }

    pub(super) fn forget(&self, state: &mut State, key: Key, after: &mut After) {
        if let Some(slot) = state.slots.get(&key) {
            if let Err(error) = self.waits.remove(key, &slot.stream.fifo) {
                tracing::debug!(unit = %slot.stream.unit.name, %error, "was not being waited for");
            }
            slot.stream.forget(&self.keeper);
        }
        if let Some(next) = state.forget(key, after)
            && let Some(slot) = state.slots.get_mut(&next)
        {
            slot.phase = Phase::Armed;
            self.arm(state, next, true);
        }
    }

    /// While somebody is in a pass: look in a while whether it hangs.
    pub(super) fn set_watch(&self, state: &mut State) {
        if let Some(at) = state.watch_at() {
            self.set_timer(state, at);
        }
    }

    pub(super) fn rearm_timer(&self) {
        if let Err(error) = self.waits.timer_heard() {
            tracing::error!(%error, "cannot wait for the capture's timer");
        }
    }

    /// At this time, or earlier if it is set to that already.
    pub(super) fn set_timer(&self, state: &mut State, at: Instant) {
        if state.timer.is_some_and(|timer| timer <= at) {
            return;
        }
        let wait = at.saturating_duration_since(Instant::now());
        match self.waits.set_timer(wait) {
            Ok(()) => state.timer = Some(at),
            Err(error) => tracing::error!(%error, "cannot set the capture's timer"),
        }
    }
}
