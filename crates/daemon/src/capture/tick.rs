//! What the timer is for: what no event tells of.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use abide_model::WhenFull;

use super::engine::Engine;
use super::state::{After, HANG, Key, Phase, State};
use super::system::Stream;
use super::{CaptureEvent, held};

/// How often to look whether a program waits for a log that is in trouble …
pub const TICK: Duration = Duration::from_millis(20);
/// … and how often while one keeps writing into it.
const BUSY_TICK: Duration = Duration::from_millis(2);

/// A timer that calls so late says that this process stood still (SIGSTOP, a machine that sleeps or has no
/// time for it), and not that a disk does.
const STANDSTILL: Duration = Duration::from_millis(100);

impl Engine {
    /// Looks after naps that are over, streams that are quiet, hanging disks, streams in trouble, old
    /// segments. Returns a pass to be done.
    pub(super) fn tick(self: &Arc<Self>) -> Option<(Key, Arc<Stream>)> {
        let (mut after, mut tidy, mut sync) = (After::default(), Vec::new(), Vec::new());
        let now = Instant::now();
        let first = {
            let mut state = held(&self.state);
            let state = &mut *state;
            let late = state.timer.map(|at| now.saturating_duration_since(at));
            if late.is_some_and(|late| late >= STANDSTILL) {
                state.excuse(now);
            }
            state.timer = None;
            state.find_hung(now, &mut after);
            let slow = state.find_slow(now);
            for key in state.to_retry(now) {
                if let Some(slot) = state.slots.get_mut(&key) {
                    slot.phase = Phase::Armed;
                }
                self.arm(state, key, true);
            }
            let lost = self.make_room(state, now, &mut after);
            state.find_calm(now, &mut after);
            while state.tidy.first().is_some_and(|(due, _)| *due <= now) {
                tidy.extend(state.tidy.pop_first().map(|(_, key)| key));
            }
            while state.syncs.first().is_some_and(|(due, _)| *due <= now) {
                sync.extend(state.syncs.pop_first().map(|(_, key)| key));
            }
            let (first, others) = state.due(now);
            for key in others {
                self.arm(state, key, true);
            }
            let next_tick = (!state.troubled.is_empty() || slow)
                .then(|| now + if lost { BUSY_TICK } else { TICK });
            // A hang that was found already is looked after by the ticks.
            let watch = state
                .watch_at()
                .map(|at| if at <= now { now + HANG } else { at });
            self.rearm_timer();
            let next = [next_tick, state.next_due(), watch];
            if let Some(next) = next.into_iter().flatten().min() {
                self.set_timer(state, next);
            }
            first
        };
        for key in tidy {
            self.tidying.ask(self, key);
        }
        for key in sync {
            self.syncing.ask(self, key);
        }
        self.run(after);
        first
    }

    /// A program must not wait for a log that takes nothing: throws away what it cannot get rid of.
    /// Returns whether there was anything.
    fn make_room(&self, state: &mut State, now: Instant, after: &mut After) -> bool {
        let mut any = false;
        for key in &state.troubled {
            let Some(slot) = state.slots.get_mut(key) else {
                continue;
            };
            let (stream, Some(trouble)) = (&slot.stream, &mut slot.trouble) else {
                continue;
            };
            let unit = &stream.unit;
            // A disk is too slow only as long as there is a pass.
            let idle = trouble.slow && matches!(slot.phase, Phase::Armed | Phase::Napping);
            if idle || unit.when_full() == WhenFull::Block {
                continue;
            }
            match stream.make_room(&self.sink, &trouble.reason) {
                Ok(0) => {}
                Ok(bytes) => {
                    any = true;
                    let total = unit.lost.fetch_add(bytes, Ordering::Relaxed) + bytes;
                    if trouble.lost == 0 {
                        let reason = trouble.reason.clone();
                        after.events.push(CaptureEvent::Lost {
                            unit: unit.id,
                            bytes: total,
                            reason,
                        });
                    }
                    trouble.lost += bytes;
                    trouble.last = now;
                }
                Err(error) => tracing::warn!(unit = %unit.name, %error, "cannot empty its pipe"),
            }
        }
        any
    }
}
