//! Beats on their way to the driver: noted here as they arrive, taken in one go.
//!
//! ```text
//!  POST /heartbeat ──note──► one slot a unit ──┐ at most every 20 ms
//!  POST /heartbeat ──note──► (newest wins)     ├── wake ──► driver: take
//! ```
//!
//! A hundred thousand beats a second cost the driver fifty wake-ups a second, and memory for one
//! beat a unit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_model::{RunId, UnitId, Wall};
use tokio::sync::Notify;

/// Beats that come so soon after others wait for the next time the driver is woken. Beside the
/// intervals that beats have (seconds), it is nothing.
pub const GATHER: Duration = Duration::from_millis(20);

/// A beat that was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Noted {
    /// Whose.
    pub unit: UnitId,
    /// The run that was published when it came; of an older one it counts for nothing.
    pub run: RunId,
    /// When it came.
    pub at: Wall,
    /// The sender's clock minus ours.
    pub drift_ms: Option<i64>,
}

/// How many beats came in a unit's name since this daemon began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BeatCounts {
    /// Accepted.
    pub taken: u64,
    /// Refused.
    pub refused: u64,
}

/// What everybody shares about beats.
#[derive(Debug, Default)]
pub struct BeatDesk {
    state: Mutex<State>,
    /// Rung by the first beat after the driver has looked.
    noted: Notify,
    foreign: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    units: HashMap<UnitId, Slot>,
    /// Units with a beat that the driver has not taken.
    waiting: Vec<UnitId>,
}

#[derive(Debug, Default)]
struct Slot {
    counts: BeatCounts,
    waiting: Option<Noted>,
    /// The last run whose clock was complained about.
    drift_told: Option<RunId>,
}

impl BeatDesk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A beat was accepted. `tell_drift`: the sender's clock is so wrong that a person should know;
    /// true is returned once for each run.
    pub fn note(&self, beat: Noted, tell_drift: bool) -> bool {
        let mut state = self.lock();
        let State { units, waiting } = &mut *state;
        let slot = units.entry(beat.unit).or_default();
        slot.counts.taken += 1;
        if slot.waiting.replace(beat).is_none() {
            waiting.push(beat.unit);
            if waiting.len() == 1 {
                self.noted.notify_one();
            }
        }
        tell_drift && slot.drift_told.replace(beat.run) != Some(beat.run)
    }

    /// A beat in the name of this unit was refused.
    pub fn refuse(&self, unit: UnitId) {
        self.lock().units.entry(unit).or_default().counts.refused += 1;
    }

    /// A beat for a service that nobody knows here was refused.
    pub fn refuse_foreign(&self) {
        self.foreign.fetch_add(1, Ordering::Relaxed);
    }

    /// A unit's counts.
    #[must_use]
    pub fn counts(&self, unit: UnitId) -> BeatCounts {
        let state = self.lock();
        state.units.get(&unit).map(|s| s.counts).unwrap_or_default()
    }

    /// How many beats were for services that nobody knows here.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign.load(Ordering::Relaxed)
    }

    /// The unit is forgotten.
    pub fn forget(&self, unit: UnitId) {
        let mut state = self.lock();
        state.units.remove(&unit);
        state.waiting.retain(|waiting| *waiting != unit);
    }

    /// Waits until a beat was noted that the driver was not woken for.
    pub async fn noted(&self) {
        self.noted.notified().await;
    }

    /// Everything that was noted since the last time: of each unit the newest.
    #[must_use]
    pub fn take(&self) -> Vec<Noted> {
        let mut state = self.lock();
        let State { units, waiting } = &mut *state;
        let taken = waiting
            .drain(..)
            .filter_map(|unit| units.get_mut(&unit)?.waiting.take());
        taken.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(unit: u32, run: u64, at: i64) -> Noted {
        Noted {
            unit: UnitId(unit),
            run: RunId(run),
            at: Wall(at),
            drift_ms: None,
        }
    }

    #[test]
    fn the_newest_beat_of_each_unit_is_taken_once() {
        let desk = BeatDesk::default();
        for at in 0..1000 {
            desk.note(beat(1, 1, at), false);
            desk.note(beat(2, 1, at), false);
        }
        assert_eq!(desk.take(), [beat(1, 1, 999), beat(2, 1, 999)]);
        assert_eq!(desk.take(), []);
        assert_eq!(desk.counts(UnitId(1)).taken, 1000);
    }

    #[test]
    fn a_wrong_clock_is_told_once_for_each_run() {
        let desk = BeatDesk::default();
        assert!(desk.note(beat(1, 1, 0), true));
        assert!(!desk.note(beat(1, 1, 1), true));
        assert!(desk.note(beat(1, 2, 2), true));
    }

    #[test]
    fn a_unit_that_is_forgotten_leaves_nothing() {
        let desk = BeatDesk::default();
        desk.note(beat(1, 1, 0), false);
        desk.refuse(UnitId(1));
        desk.refuse_foreign();
        desk.forget(UnitId(1));
        assert_eq!(desk.take(), []);
        assert_eq!(desk.counts(UnitId(1)), BeatCounts::default());
        assert_eq!(desk.foreign(), 1);
    }

    #[tokio::test]
    async fn the_driver_is_woken_once_for_all_beats_since_it_looked() {
        let desk = BeatDesk::default();
        desk.note(beat(1, 1, 0), false);
        desk.note(beat(2, 1, 0), false);
        desk.noted().await;
        let again = tokio::time::timeout(Duration::from_millis(5), desk.noted());
        assert!(again.await.is_err());
        assert_eq!(desk.take().len(), 2);
        desk.note(beat(1, 1, 1), false);
        desk.noted().await;
    }
}
