//! Streams whose output cannot be kept, or not as fast as it comes.

use std::time::{Duration, Instant};

use abide_model::WhenFull;

use super::CaptureEvent;
use super::state::{After, Key, Phase, State};

/// While a stream is in trouble: how often to try again.
const RETRY: Duration = Duration::from_millis(500);
/// A program with `when_full = "drop"` does not wait for a slow disk for longer.
pub const IMPATIENCE: Duration = Duration::from_millis(20);
/// A disk is slow until nothing was dropped for so long.
const CALM: Duration = Duration::from_secs(1);

/// Why a stream's output is not being kept.
pub struct Trouble {
    pub reason: String,
    /// Lost since it began.
    pub lost: u64,
    /// When something was lost last, or when it began.
    pub last: Instant,
    /// The disk takes output, but too slowly for a program that must not wait.
    pub slow: bool,
    /// For [`Phase::Resting`].
    retry: Instant,
}

impl State {
    /// Streams whose device hangs are in trouble; nobody waits for them.
    pub fn find_hung(&mut self, now: Instant, after: &mut After) {
        let hung = self.devices.values().filter(|traffic| traffic.hangs(now));
        let mut keys: Vec<Key> = hung
            .flat_map(|traffic| {
                traffic
                    .busy
                    .iter()
                    .map(|(key, _)| key)
                    .chain(&traffic.waiting)
            })
            .copied()
            .collect();
        // A stream that waits for its predecessor to be gone waits for the disk too.
        let behind = |key: &Key| self.slots.get(key).and_then(|slot| slot.successor);
        let successors: Vec<Key> = keys.iter().filter_map(behind).collect();
        keys.extend(successors);
        for key in keys {
            self.troubled.insert(key);
            let Some(slot) = self.slots.get_mut(&key) else {
                continue;
            };
            after.calls.append(&mut slot.flushing);
            after.calls.append(&mut slot.flushes);
            let (lost, last) = match &slot.trouble {
                Some(trouble) if !trouble.slow => continue,
                Some(trouble) => (trouble.lost, trouble.last),
                None => (0, now),
            };
            slot.trouble = Some(Box::new(Trouble {
                reason: "the disk does not answer".to_owned(),
                lost,
                last,
                slow: false,
                retry: now,
            }));
        }
    }

    /// Streams that must not wait and whose disk takes long over a pass; returns whether there may be
    /// more such soon.
    pub fn find_slow(&mut self, now: Instant) -> bool {
        let (mut slow, mut soon) = (Vec::new(), false);
        for traffic in self.devices.values() {
            let Some(&(_, since)) = traffic.busy.iter().min_by_key(|(_, since)| *since) else {
                continue;
            };
            let drops = |key: &&Key| {
                let slot = self.slots.get(key);
                slot.is_some_and(|slot| slot.stream.unit.when_full() == WhenFull::Drop)
            };
            let busy = traffic.busy.iter().map(|(key, _)| key);
            let mut dropping = busy.chain(&traffic.waiting).filter(drops).peekable();
            soon |= dropping.peek().is_some();
            if now.duration_since(since) >= IMPATIENCE {
                slow.extend(dropping.copied());
            }
        }
        for key in slow {
            self.troubled.insert(key);
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.trouble.get_or_insert_with(|| {
                    Box::new(Trouble {
                        reason: "the disk is too slow for it".to_owned(),
                        lost: 0,
                        last: now,
                        slow: true,
                        retry: now,
                    })
                });
            }
        }
        soon
    }

    /// Disks that were slow and take what comes again.
    pub fn find_calm(&mut self, now: Instant, after: &mut After) {
        for key in self.troubled.clone() {
            let trouble = self
                .slots
                .get(&key)
                .and_then(|slot| slot.trouble.as_deref());
            let calm = |t: &Trouble| t.slow && now.duration_since(t.last) >= CALM;
            if trouble.is_some_and(calm) {
                self.end_trouble(key, after);
            }
        }
    }

    /// The pass could not put its bytes anywhere.
    pub fn suffer(&mut self, key: Key, reason: String, now: Instant) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.phase = Phase::Resting;
            let before = slot.trouble.take();
            slot.trouble = Some(Box::new(Trouble {
                reason,
                lost: before.as_ref().map_or(0, |trouble| trouble.lost),
                last: before.as_ref().map_or(now, |trouble| trouble.last),
                slow: false,
                retry: now + RETRY,
            }));
            self.troubled.insert(key);
        }
    }

    /// The stream's output is kept again. One whose disk was slow may be dropping more in a moment:
    /// that is over when it was calm for a while.
    pub fn recover(&mut self, key: Key, after: &mut After) {
        let trouble = self.slots.get(&key).and_then(|slot| slot.trouble.as_ref());
        if trouble.is_some_and(|trouble| !trouble.slow || trouble.lost == 0) {
            self.end_trouble(key, after);
        }
    }

    fn end_trouble(&mut self, key: Key, after: &mut After) {
        self.troubled.remove(&key);
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        if let Some(trouble) = slot.trouble.take() {
            let unit = &slot.stream.unit;
            if !trouble.slow || trouble.lost > 0 {
                tracing::info!(unit = %unit.name, lost = trouble.lost, "its output is kept again");
            }
            if trouble.lost > 0 {
                after.events.push(CaptureEvent::Resumed {
                    unit: unit.id,
                    bytes: trouble.lost,
                });
            }
        }
    }

    /// Troubled streams that rest and whose time to try again has come.
    pub fn to_retry(&self, now: Instant) -> Vec<Key> {
        let due = |key: &&Key| {
            self.slots.get(key).is_some_and(|slot| {
                slot.phase == Phase::Resting
                    && slot
                        .trouble
                        .as_ref()
                        .is_none_or(|trouble| trouble.retry <= now)
            })
        };
        self.troubled.iter().filter(due).copied().collect()
    }
}
