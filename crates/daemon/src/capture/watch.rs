//! What the threads wait for: the epoll set's entries, and the timer.

use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::time::{Itimerspec, TimerfdTimerFlags};

use super::engine::{Engine, TIMER};
use super::state::{After, Key, Phase, State};

impl Engine {
    /// Waits for output again; with `kick`, has a pass at once. A pipe that we hold both ends of is
    /// always readable or writable, so asking for either is how to be called at once.
    pub(super) fn arm(&self, state: &State, key: Key, kick: bool) {
        let Some(slot) = state.slots.get(&key) else {
            return;
        };
        let flags = if kick {
            EventFlags::IN | EventFlags::OUT
        } else {
            EventFlags::IN
        };
        if let Err(error) = epoll::modify(
            &self.epoll,
            &slot.stream.fifo,
            EventData::new_u64(key),
            flags | EventFlags::ONESHOT,
        ) {
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
            if let Err(error) = epoll::delete(&self.epoll, &slot.stream.fifo) {
                tracing::debug!(unit = %slot.stream.unit.name, %error, "was not being waited for");
            }
            slot.stream.stage.forget(&self.keeper);
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
        let flags = EventFlags::IN | EventFlags::ONESHOT;
        if let Err(error) =
            epoll::modify(&self.epoll, &self.timer, EventData::new_u64(TIMER), flags)
        {
            tracing::error!(%error, "cannot wait for the capture's timer");
        }
    }

    /// At this time, or earlier if it is set to that already.
    pub(super) fn set_timer(&self, state: &mut State, at: Instant) {
        if state.timer.is_some_and(|timer| timer <= at) {
            return;
        }
        let wait = at
            .saturating_duration_since(Instant::now())
            .max(Duration::from_nanos(1));
        let spec = |time: Duration| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        let spec = Itimerspec {
            it_interval: spec(Duration::ZERO),
            it_value: spec(wait),
        };
        match rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec) {
            Ok(_) => state.timer = Some(at),
            Err(error) => tracing::error!(%error, "cannot set the capture's timer"),
        }
    }
}
