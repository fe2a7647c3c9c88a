//! Who does what: the bookkeeping that capture threads share, under one lock that is held for
//! moments and never over a call that a disk can block.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_model::{LogSpec, UnitId};

use super::CaptureEvent;
use super::pace::Pace;
use super::system::Stream;
use super::trouble::Trouble;
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
/// Long naps end together, so that many streams wake a thread as seldom as one does.
const TOGETHER: Duration = Duration::from_millis(10);
/// A stream that wrote nothing for so long lets go of all but its FIFO.
pub const REST: Duration = if cfg!(feature = "faults") {
    // So that deaths between its steps are seen often.
    Duration::from_millis(30)
} else {
    Duration::from_secs(3)
};

/// Where a stream is.
///
/// ```text
///                readable            a writer's place is free
///  Armed ─────────────────► Queued ─────────────────────────► Busy
///    ▲ ▲                      ▲                               │ │ │
///    │ │                      └── time is up ── Napping ◄─────┘ │ │ a small batch
///    │ └──────────────────────────────────────────── done ──────┘ │
///    └───────────────── time to try again ── Resting ◄────────────┘ error
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Waits in the epoll set for output.
    Armed,
    /// The timer calls; until then output comes together.
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

/// A stream and where it is.
pub struct Slot {
    pub stream: Arc<Stream>,
    pub phase: Phase,
    pub device: Device,
    pub trouble: Option<Box<Trouble>>,
    /// Another pass was asked for during this one.
    pub again: bool,
    /// To be let go of after the next pass.
    pub removing: bool,
    /// Called after the next pass.
    pub flushes: Vec<Then>,
    /// Flushes that the pass under way is for.
    pub flushing: Vec<Then>,
    /// How it writes.
    pub pace: Pace,
    /// Its entry in [`State::naps`].
    nap: Option<Instant>,
    /// Its last entry in [`State::tidy`].
    pub tidy: Option<Instant>,
    /// It has an entry in [`State::rests`].
    pub rests: bool,
    /// The next pass lets go of what a quiet stream needs not.
    pub rest: bool,
    /// The first segment that may have bytes that were not written through to the disk.
    pub unsynced: Option<u64>,
    /// Its segment is open.
    pub open: bool,
    /// Its stage is here.
    pub staged: bool,
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
            pace: Pace::default(),
            nap: None,
            tidy: None,
            rests: false,
            rest: false,
            unsynced: None,
            open: false,
            staged: false,
            successor: None,
        }
    }
}

/// Passes under way on a device, and streams that wait for one.
#[derive(Default)]
pub struct Traffic {
    pub busy: Vec<(Key, Instant)>,
    pub waiting: VecDeque<Key>,
}

impl Traffic {
    pub fn hangs(&self, now: Instant) -> bool {
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
    /// The last stream of each unit's that is on its way out.
    pub removing: HashMap<(UnitId, abide_log::Stream), Key>,
    /// Units whose streams are gone but whose followers or losses are not; they may come back.
    pub former: HashMap<UnitId, Arc<Unit>>,
    pub devices: HashMap<Device, Traffic>,
    /// Those that the timer looks after.
    pub troubled: BTreeSet<Key>,
    /// When something in these streams' directories will be too old.
    pub tidy: BTreeSet<(Instant, Key)>,
    /// When to look at streams that nap.
    naps: BTreeSet<(Instant, Key)>,
    /// When streams may have been quiet for long enough to let go.
    pub rests: BTreeSet<(Instant, Key)>,
    /// When segments are to be written through to the disk.
    pub syncs: BTreeSet<(Instant, Key)>,
    /// The spec of the unit that came last: usually the next has the same.
    last_spec: Option<Arc<LogSpec>>,
    /// What naps are counted from.
    epoch: Option<Instant>,
    pub next_key: Key,
    /// Threads that wait for events, and threads there are.
    pub waiting: usize,
    pub threads: usize,
    /// What the timer is set to.
    pub timer: Option<Instant>,
    /// Segments that are open.
    pub open: usize,
    /// Streams whose stage is here.
    pub staged: usize,
    /// Bytes that all pipes together have room for.
    pub pipe_bytes: u64,
}

impl State {
    /// A thread was told of output: `None` if the stream is gone, or somebody else does it.
    pub fn begin(&mut self, key: Key, now: Instant) -> Option<Arc<Stream>> {
        let slot = self.slots.get_mut(&key)?;
        match slot.phase {
            Phase::Armed => {}
            Phase::Napping | Phase::Queued | Phase::Busy | Phase::Resting | Phase::Behind => {
                slot.again = true;
                return None;
            }
        }
        let traffic = self.devices.entry(slot.device).or_default();
        if traffic.busy.len() >= WRITERS || traffic.hangs(now) {
            slot.phase = Phase::Queued;
            traffic.waiting.push_back(key);
            return None;
        }
        Some(self.enter(key, now))
    }

    /// Lets the stream's output come together until then.
    /// Returns when that is.
    pub fn nap(&mut self, key: Key, now: Instant, until: Instant) -> Instant {
        let epoch = *self.epoch.get_or_insert(now);
        let ahead = until.saturating_duration_since(epoch).as_nanos() % TOGETHER.as_nanos();
        let early = Duration::from_nanos(u64::try_from(ahead).unwrap_or(0));
        let long = until.saturating_duration_since(now) > TOGETHER + early;
        let until = if long { until - early } else { until };
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.phase = Phase::Napping;
            if let Some(before) = slot.nap.replace(until) {
                self.naps.remove(&(before, key));
            }
            self.naps.insert((until, key));
        }
        until
    }

    /// It does not nap any more.
    pub fn wake(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(&key)
            && let Some(until) = slot.nap.take()
        {
            slot.phase = Phase::Armed;
            self.naps.remove(&(until, key));
        }
    }

    /// Begins with the streams whose nap is over, or that may let go: one pass for the caller, others
    /// behind it on the same device, and those of other devices to be called for, since no device
    /// may have to wait for another.
    pub fn due(&mut self, now: Instant) -> (Option<(Key, Arc<Stream>)>, Vec<Key>) {
        let mut due = Vec::new();
        // Those that nap are not resting: none comes up twice, even if nothing was looked at for long.
        while let Some((_, key)) = self.rests.first().copied().filter(|(at, _)| *at <= now) {
            self.rests.pop_first();
            let Some(slot) = self.slots.get_mut(&key) else {
                continue;
            };
            let quiet = slot.pace.last().map(|last| last + REST);
            if slot.phase == Phase::Armed && quiet.is_none_or(|at| at <= now) {
                slot.rests = false;
                slot.rest = true;
                due.push(key);
            } else {
                // It wrote since, or cannot be disturbed.
                let at = quiet.unwrap_or(now).max(now + REST / 2);
                self.rests.insert((at, key));
            }
        }
        while let Some((at, key)) = self.naps.first().copied().filter(|(at, _)| *at <= now) {
            self.naps.pop_first();
            if let Some(slot) = self.slots.get_mut(&key)
                && slot.nap.take_if(|until| *until == at).is_some()
            {
                slot.phase = Phase::Armed;
                due.push(key);
            }
        }
        let mut first: Option<(Device, Key, Arc<Stream>)> = None;
        let mut others = Vec::new();
        for key in due {
            let Some(slot) = self.slots.get_mut(&key) else {
                continue;
            };
            let traffic = self.devices.entry(slot.device).or_default();
            if traffic.busy.len() >= WRITERS || traffic.hangs(now) {
                slot.phase = Phase::Queued;
                traffic.waiting.push_back(key);
                continue;
            }
            match first {
                None => first = Some((slot.device, key, self.enter(key, now))),
                Some((device, ..)) if device == slot.device => {
                    slot.phase = Phase::Queued;
                    traffic.waiting.push_back(key);
                }
                Some(_) => others.push(key),
            }
        }
        (first.map(|(_, key, stream)| (key, stream)), others)
    }

    /// What the timer is for next, but for trouble.
    pub fn next_due(&self) -> Option<Instant> {
        let sets = [&self.naps, &self.rests, &self.syncs, &self.tidy];
        sets.iter().filter_map(|set| Some(set.first()?.0)).min()
    }

    /// One copy of each spec that many units have.
    pub fn share(&mut self, spec: &LogSpec) -> Arc<LogSpec> {
        match &self.last_spec {
            Some(last) if **last == *spec => Arc::clone(last),
            _ => {
                let new = Arc::new(spec.clone());
                self.last_spec = Some(Arc::clone(&new));
                new
            }
        }
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

    /// Nobody could do anything for a while: no disk is to blame, and each pass has its time again.
    pub fn excuse(&mut self, now: Instant) {
        let busy = self.devices.values_mut().flat_map(|t| &mut t.busy);
        for (_, since) in busy {
            *since = now;
        }
    }

    /// When to look whether a pass hangs.
    pub fn watch_at(&self) -> Option<Instant> {
        self.devices
            .values()
            .flat_map(|traffic| &traffic.busy)
            .map(|(_, since)| *since + HANG)
            .min()
    }

    /// Forgets a stream; returns the one that takes its place.
    pub fn forget(&mut self, key: Key, after: &mut After) -> Option<Key> {
        self.troubled.remove(&key);
        self.wake(key);
        let mut slot = self.slots.remove(&key)?;
        let stream = (slot.stream.unit.id, slot.stream.stream);
        if self.removing.get(&stream) == Some(&key) {
            self.removing.remove(&stream);
        }
        self.open -= usize::from(slot.open);
        self.staged -= usize::from(slot.staged);
        after.calls.append(&mut slot.flushing);
        after.calls.append(&mut slot.flushes);
        let size = slot.stream.size.load(std::sync::atomic::Ordering::Relaxed) as u64;
        self.pipe_bytes = self.pipe_bytes.saturating_sub(size * 2);
        slot.successor
    }
}
