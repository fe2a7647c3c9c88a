//! Which streams there are, and what others ask of them.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use abide_model::{LogSpec, UnitId};
use abide_platform::Handle;

use super::engine::Engine;
use super::state::{After, Device, Key, Phase, Slot, Then};
use super::system::Stream;
use super::trouble::Trouble;
use super::unit::Unit;
use super::{StreamMark, held};

/// After a sync that failed, the next.
const SYNC_AGAIN: Duration = Duration::from_secs(5);

impl Engine {
    pub fn add(self: &Arc<Self>, spec: super::StreamSpec) -> io::Result<()> {
        let mut state = held(&self.state);
        let state = &mut *state;
        let key = state.next_key;
        let former = state.former.remove(&spec.unit);
        let log = state.share(&spec.log);
        let (unit, keys) = state.units.entry(spec.unit).or_insert_with(|| {
            let new = || Arc::new(Unit::new(spec.unit, spec.name.clone(), Arc::clone(&log)));
            (former.unwrap_or_else(new), Vec::with_capacity(1))
        });
        unit.set_spec(log);
        unit.set_program(spec.program);
        let size = self.budget.first_size(&mut state.pipe_bytes);
        let staged = spec.stage.is_some();
        let name = spec.stream;
        let stream = Stream::new(Arc::clone(unit), spec, size);
        stream.begin();
        // Of the same unit: it may be on its way out still.
        let before = state.removing.get(&(stream.unit.id, name)).copied();
        let before = before.and_then(|key| state.slots.get_mut(&key));
        // What a stage was left with is taken at once. But never two at the same segments.
        self.waits.add(key, &stream.fifo)?;
        let phase = match before {
            Some(slot) => {
                slot.successor = Some(key);
                Phase::Behind
            }
            None => {
                self.waits.arm(key, &stream.fifo, stream.has_left())?;
                Phase::Armed
            }
        };
        state.next_key += 1;
        keys.push(key);
        state.staged += usize::from(staged);
        let mut slot = Slot::new(Arc::new(stream), phase);
        slot.staged = staged;
        state.slots.insert(key, slot);
        self.tidying.ask(self, key);
        Ok(())
    }

    pub fn remove(&self, unit: UnitId) {
        let mut after = After::default();
        {
            let mut state = held(&self.state);
            let state = &mut *state;
            let Some((shared, keys)) = state.units.remove(&unit) else {
                return;
            };
            if shared.is_remembered() {
                state.former.insert(unit, shared);
            }
            for key in keys {
                let Some(slot) = state.slots.get_mut(&key) else {
                    continue;
                };
                slot.removing = true;
                // What is in trouble is not waited for.
                if matches!(slot.phase, Phase::Resting | Phase::Behind) {
                    self.forget(state, key, &mut after);
                } else {
                    let stream = (unit, slot.stream.stream);
                    state.removing.insert(stream, key);
                    self.kick(state, key);
                }
            }
        }
        self.run(after);
    }

    pub fn flush(&self, unit: UnitId, then: Then) {
        let mut now = Vec::new();
        {
            let mut state = held(&self.state);
            let keys = state
                .units
                .get(&unit)
                .map(|(_, keys)| keys.clone())
                .unwrap_or_default();
            // The last of the unit's streams to be done calls.
            let all = Arc::new(CallOnDrop(Mutex::new(Some(then))));
            for key in keys {
                let Some(slot) = state.slots.get_mut(&key) else {
                    continue;
                };
                let slow = |trouble: &Trouble| trouble.slow;
                if slot.phase == Phase::Armed && slot.stream.is_quiet() {
                    continue;
                }
                if slot.trouble.as_deref().is_none_or(slow) && slot.phase != Phase::Behind {
                    let all = Arc::clone(&all);
                    slot.flushes.push(Box::new(move || drop(all)));
                    self.kick(&mut state, key);
                }
            }
            now.push(all);
        }
        drop(now);
    }

    pub fn hand_over(&self) -> Vec<(UnitId, abide_log::Stream, Arc<Handle>)> {
        self.keeper.is_over();
        let state = held(&self.state);
        let streams = state.slots.values().map(|slot| &slot.stream);
        streams
            .filter_map(|stream| Some((stream.unit.id, stream.stream, stream.on_its_way()?)))
            .collect()
    }

    pub fn unit(&self, unit: UnitId) -> Option<Arc<Unit>> {
        held(&self.state)
            .units
            .get(&unit)
            .map(|(unit, _)| Arc::clone(unit))
    }

    /// Where each of the unit's streams is at.
    pub fn mark(&self, unit: UnitId) -> Vec<StreamMark> {
        let streams = self.streams(unit);
        streams.iter().map(|stream| stream.mark()).collect()
    }

    /// The unit's streams, in their order.
    pub fn streams(&self, unit: UnitId) -> Vec<Arc<Stream>> {
        let state = held(&self.state);
        let keys = state.units.get(&unit).map(|(_, keys)| keys.as_slice());
        let slots = keys.unwrap_or_default().iter();
        slots
            .filter_map(|key| Some(Arc::clone(&state.slots.get(key)?.stream)))
            .collect()
    }

    /// Why one of the unit's streams is not being kept.
    pub fn trouble(&self, unit: UnitId) -> Option<String> {
        let state = held(&self.state);
        let (_, keys) = state.units.get(&unit)?;
        let mut troubles = keys
            .iter()
            .filter_map(|key| state.slots.get(key)?.trouble.as_ref());
        troubles.next().map(|trouble| trouble.reason.clone())
    }

    pub fn stream(&self, key: Key) -> Option<Arc<Stream>> {
        held(&self.state)
            .slots
            .get(&key)
            .map(|slot| Arc::clone(&slot.stream))
    }

    /// From now on rotates and keeps by this.
    pub fn reconfigure(self: &Arc<Self>, unit: UnitId, log: &LogSpec) {
        {
            let mut state = held(&self.state);
            let log = state.share(log);
            let Some((unit, keys)) = state.units.get(&unit) else {
                return;
            };
            unit.set_spec(log);
            for key in keys.clone() {
                // What was never to be synced, and is from now on, begins with its next output.
                if let Some(slot) = state.slots.get_mut(&key) {
                    slot.unsynced = None;
                }
            }
        }
        self.tidy_unit(unit);
    }

    /// The device of a stream's segments, as far as it is known.
    pub fn device(&self, key: Key) -> Option<Device> {
        held(&self.state).slots.get(&key).map(|slot| slot.device)
    }

    /// What of this stream is to be written through to the disk, which the caller does.
    pub fn take_unsynced(&self, key: Key) -> Option<(Arc<Stream>, u64)> {
        let mut state = held(&self.state);
        let slot = state.slots.get_mut(&key)?;
        Some((Arc::clone(&slot.stream), slot.unsynced.take()?))
    }

    /// It could not be: that is tried again.
    pub fn put_unsynced(&self, key: Key, from: u64) {
        let mut state = held(&self.state);
        let at = Instant::now() + SYNC_AGAIN;
        if let Some(slot) = state.slots.get_mut(&key) {
            slot.unsynced = Some(from);
            state.syncs.insert((at, key));
            self.set_timer(&mut state, at);
        }
    }

    /// The rules for keeping changed: look at the unit's directories.
    pub fn tidy_unit(self: &Arc<Self>, unit: UnitId) {
        let keys = held(&self.state)
            .units
            .get(&unit)
            .map(|(_, keys)| keys.clone())
            .unwrap_or_default();
        for key in keys {
            self.tidying.ask(self, key);
        }
    }

    /// Something in this stream's directory will be too old then.
    pub fn tidy_after(&self, key: Key, wait: Duration) {
        // Not more often than this, whatever the clock says.
        let Some(at) = Instant::now().checked_add(wait.max(Duration::from_secs(1))) else {
            return;
        };
        let mut state = held(&self.state);
        let state = &mut *state;
        if let Some(slot) = state.slots.get_mut(&key) {
            if let Some(before) = slot.tidy.replace(at) {
                state.tidy.remove(&(before, key));
            }
            state.tidy.insert((at, key));
            self.set_timer(state, at);
        }
    }
}

/// Calls when the last owner lets go.
struct CallOnDrop(Mutex<Option<Then>>);

impl Drop for CallOnDrop {
    fn drop(&mut self) {
        if let Some(then) = held(&self.0).take() {
            then();
        }
    }
}
