//! Who does what: the bookkeeping that capture threads share, under one lock that is held for
//! moments and never over a call that a disk can block.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_model::UnitId;

use super::CaptureEvent;
use super::stream::Stream;
use super::unit::Unit;

/// Names a stream; never used again.
pub type Key = u64;
/// `st_dev`, or 0 for that of streams that have opened no segment yet.
pub type Device = u64;
/// What a flush calls.
pub type Then = Box<dyn FnOnce() + Send>;

/// Passes that may be under way on one device. Two, so that one large write does not stop the
/// others; not more, because each may be stuck, and a stuck thread cannot be had back.
const WRITERS: usize = 2;
/// A pass that takes longer says that its disk hangs.
pub const HANG: Duration = Duration::from_secs(1);
/// While a stream is in trouble: how often to try again.
const RETRY: Duration = Duration::from_millis(500);

/// Where a stream is.
///
/// ```text
///            readable                   a writer's place is free
///  Armed ───────────────► (Napping) ──► Queued ────────► Busy
///    ▲  ▲                  1 ms, after                   │  │
///    │  └────────────────── a small batch ── done ───────┘  │ error
///    └──────────────── time to try again ── Resting ◄───────┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Waits in the epoll set for output.
    Armed,
    /// A thread waits a moment for more output to come together.
    Napping,
    /// Waits until a pass on its device ends.
    Queued,
    /// A thread is in its pass.
    Busy,
    /// In trouble; the timer looks after it.
    Resting,
    /// Waits until the stream that it replaces is gone.
    Behind,
}

/// Why a stream's output is not being kept.
pub struct Trouble {
    pub reason: String,
    /// Lost since it began.
    pub lost: u64,
    /// For [`Phase::Resting`].
    retry: Instant,
}

/// A stream and where it is.
pub struct Slot {
    pub stream: Arc<Stream>,
    pub phase: Phase,
    pub device: Device,
    pub trouble: Option<Trouble>,
    /// Another pass was asked for during this one.
    pub again: bool,
    /// To be let go of after the next pass.
    pub removing: bool,
    /// Called after the next pass.
    pub flushes: Vec<Then>,
    /// Flushes that the pass under way is for.
    pub flushing: Vec<Then>,
    /// Until then a pass would find only little.
    pub nap: Option<Instant>,
    /// Its segment is open.
    pub open: bool,
    /// Comes into this one's place when it is gone.
    pub successor: Option<Key>,
}

impl Slot {
    pub fn new(stream: Arc<Stream>, phase: Phase) -> Self {
        Self {
            stream,
            phase,
            device: 0,
            trouble: None,
            again: false,
            removing: false,
            flushes: Vec::new(),
            flushing: Vec::new(),
            nap: None,
            open: false,
            successor: None,
        }
    }
}

/// Passes under way on a device, and streams that wait for one.
#[derive(Default)]
pub struct Traffic {
    busy: Vec<(Key, Instant)>,
    waiting: VecDeque<Key>,
}

impl Traffic {
    fn hangs(&self, now: Instant) -> bool {
        self.busy
            .iter()
            .any(|(_, since)| now.duration_since(*since) >= HANG)
    }
}

/// What is to be done after the lock was let go of.
#[derive(Default)]
pub struct After {
    pub events: Vec<CaptureEvent>,
    pub calls: Vec<Then>,
}

/// Everything that the threads share.
#[derive(Default)]
pub struct State {
    pub slots: HashMap<Key, Slot>,
    pub units: HashMap<UnitId, (Arc<Unit>, Vec<Key>)>,
    /// Units whose streams are gone but whose followers or losses are not; they may come back.
    pub former: HashMap<UnitId, Arc<Unit>>,
    devices: HashMap<Device, Traffic>,
    /// Those that the timer looks after.
    pub troubled: BTreeSet<Key>,
    /// When something in these streams' directories will be too old.
    pub tidy: BTreeSet<(Instant, Key)>,
    pub next_key: Key,
    /// Threads that wait for events, and threads there are.
    pub waiting: usize,
    pub threads: usize,
    /// What the timer is set to.
    pub timer: Option<Instant>,
    /// Segments that are open.
    pub open: usize,
    /// Bytes that all pipes together have room for.
    pub pipe_bytes: u64,
}

/// What to do with a stream that has something.
pub enum Turn {
    /// Do a pass.
    Pass(Arc<Stream>),
    /// Wait until then, then ask again.
    Nap(Instant),
    /// Nothing: it is gone, or somebody else does it.
    Leave,
}

impl State {
    /// A thread wants to do a pass of this stream.
    pub fn begin(&mut self, key: Key, now: Instant) -> Turn {
        let Some(slot) = self.slots.get_mut(&key) else {
            return Turn::Leave;
        };
        match slot.phase {
            Phase::Armed | Phase::Napping => {}
            Phase::Queued | Phase::Busy | Phase::Resting | Phase::Behind => {
                slot.again = true;
                return Turn::Leave;
            }
        }
        let urgent = slot.again || slot.removing || !slot.flushes.is_empty();
        if let Some(until) = slot.nap.take().filter(|&until| until > now && !urgent) {
            slot.phase = Phase::Napping;
            return Turn::Nap(until);
        }
        let traffic = self.devices.entry(slot.device).or_default();
        if traffic.busy.len() >= WRITERS || traffic.hangs(now) {
            slot.phase = Phase::Queued;
            traffic.waiting.push_back(key);
            return Turn::Leave;
        }
        Turn::Pass(self.enter(key, now))
    }

    /// The pass begins.
    fn enter(&mut self, key: Key, now: Instant) -> Arc<Stream> {
        let slot = self
            .slots
            .get_mut(&key)
            .expect("the stream was just looked up under the same lock");
        slot.phase = Phase::Busy;
        slot.again = false;
        slot.flushing.append(&mut slot.flushes);
        self.devices
            .entry(slot.device)
            .or_default()
            .busy
            .push((key, now));
        Arc::clone(&slot.stream)
    }

    /// The pass is over; returns the next stream of the device that waits for one.
    pub fn leave(&mut self, key: Key, now: Instant) -> Option<(Key, Arc<Stream>)> {
        let device = self.slots.get(&key)?.device;
        let traffic = self.devices.entry(device).or_default();
        traffic.busy.retain(|(busy, _)| *busy != key);
        if traffic.busy.len() >= WRITERS || traffic.hangs(now) {
            return None;
        }
        while let Some(next) = self
            .devices
            .get_mut(&device)
            .and_then(|traffic| traffic.waiting.pop_front())
        {
            if self
                .slots
                .get(&next)
                .is_some_and(|slot| slot.phase == Phase::Queued)
            {
                return Some((next, self.enter(next, now)));
            }
        }
        None
    }

    /// When to look whether a pass hangs.
    pub fn watch_at(&self) -> Option<Instant> {
        self.devices
            .values()
            .flat_map(|traffic| &traffic.busy)
            .map(|(_, since)| *since + HANG)
            .min()
    }

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
            if let Some(slot) = self.slots.get_mut(&key) {
                self.troubled.insert(key);
                after.calls.append(&mut slot.flushing);
                after.calls.append(&mut slot.flushes);
                slot.trouble.get_or_insert_with(|| Trouble {
                    reason: "the disk does not answer".to_owned(),
                    lost: 0,
                    retry: now,
                });
            }
        }
    }

    /// The pass could not put its bytes anywhere.
    pub fn suffer(&mut self, key: Key, reason: String, now: Instant) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.phase = Phase::Resting;
            let lost = slot.trouble.take().map_or(0, |trouble| trouble.lost);
            slot.trouble = Some(Trouble {
                reason,
                lost,
                retry: now + RETRY,
            });
            self.troubled.insert(key);
        }
    }

    /// The stream's output is kept again.
    pub fn recover(&mut self, key: Key, after: &mut After) {
        self.troubled.remove(&key);
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        if let Some(trouble) = slot.trouble.take() {
            let unit = &slot.stream.unit;
            tracing::info!(unit = %unit.name, lost = trouble.lost, "its output is kept again");
            if trouble.lost > 0 {
                after.events.push(CaptureEvent::Resumed {
                    unit: unit.id,
                    bytes: trouble.lost,
                });
            }
        }
    }

    /// Troubled streams that rest and whose time to try again has come.
    pub fn due(&self, now: Instant) -> Vec<Key> {
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

    /// Forgets a stream; returns the one that takes its place.
    pub fn forget(&mut self, key: Key, after: &mut After) -> Option<Key> {
        self.troubled.remove(&key);
        let mut slot = self.slots.remove(&key)?;
        self.open -= usize::from(slot.open);
        after.calls.append(&mut slot.flushing);
        after.calls.append(&mut slot.flushes);
        let size = slot.stream.size.load(std::sync::atomic::Ordering::Relaxed) as u64;
        self.pipe_bytes = self.pipe_bytes.saturating_sub(size * 2);
        slot.successor
    }
}
