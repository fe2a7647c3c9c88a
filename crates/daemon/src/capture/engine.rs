//! The threads, the epoll set they wait on, and the timer.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use abide_model::UnitId;
use abide_platform::pipe;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};

pub use super::state::Key;
use super::state::{After, HANG, Phase, Slot, State, Then, Turn};
use super::stream::{Passed, Stream};
use super::tidy::Tidying;
use super::unit::Unit;
use super::{CaptureEvent, StreamMark, budget, held};

const TIMER: Key = u64::MAX;
const STOP: Key = u64::MAX - 1;

const STACK: usize = 128 << 10;
/// More threads than this are of no use: each device has two writers, the rest wait.
const THREADS: usize = 16;
/// After a batch smaller than `SMALL`, the next one is let grow for so long.
const NAP: Duration = Duration::from_millis(1);
const SMALL: u64 = 16 << 10;
/// How often to look whether a program waits for a log that is in trouble …
const TICK: Duration = Duration::from_millis(20);
/// … and how often while one keeps writing into it.
const BUSY_TICK: Duration = Duration::from_millis(2);

/// The engine.
pub struct Engine {
    epoll: OwnedFd,
    timer: OwnedFd,
    stop: OwnedFd,
    null: OwnedFd,
    state: Mutex<State>,
    pub tidying: Tidying,
    events: Box<dyn Fn(CaptureEvent) + Send + Sync>,
    /// Segments that may be open at a time.
    max_open: usize,
    pub budget: budget::Budget,
}

impl Engine {
    pub fn start(events: Box<dyn Fn(CaptureEvent) + Send + Sync>) -> io::Result<Arc<Self>> {
        pipe::ignore_file_size_signal();
        let engine = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            timer: rustix::time::timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
            stop: rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            null: OpenOptions::new().write(true).open("/dev/null")?.into(),
            state: Mutex::default(),
            tidying: Tidying::default(),
            events,
            max_open: budget::open_segments(),
            budget: budget::Budget::new(),
        };
        epoll::add(
            &engine.epoll,
            &engine.timer,
            EventData::new_u64(TIMER),
            EventFlags::IN | EventFlags::ONESHOT,
        )?;
        epoll::add(
            &engine.epoll,
            &engine.stop,
            EventData::new_u64(STOP),
            EventFlags::IN,
        )?;
        let engine = Arc::new(engine);
        engine.spawn(&mut held(&engine.state))?;
        Ok(engine)
    }

    /// Tells the threads to end. One that hangs ends when its disk answers.
    pub fn stop(&self) {
        if let Err(error) = rustix::io::write(&self.stop, &1u64.to_ne_bytes()) {
            tracing::warn!(%error, "cannot stop the capture");
        }
    }

    fn spawn(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let engine = Arc::clone(self);
        std::thread::Builder::new()
            .name("capture".to_owned())
            .stack_size(STACK)
            .spawn(move || engine.work())?;
        state.threads += 1;
        state.waiting += 1;
        Ok(())
    }

    /// A thread's life: wait for one event, see to it that somebody else waits, do what it asks for.
    fn work(self: Arc<Self>) {
        loop {
            let Some(key) = self.next_event() else { return };
            {
                let mut state = held(&self.state);
                state.waiting -= 1;
                if state.waiting == 0
                    && state.threads < THREADS
                    && let Err(error) = self.spawn(&mut state)
                {
                    tracing::warn!(%error, "cannot start another capture thread");
                }
            }
            match key {
                TIMER => self.tick(),
                key => self.serve(key),
            }
            let mut state = held(&self.state);
            // One that works, one that waits: more are not needed until one of them is stuck.
            if state.waiting >= 2 {
                state.threads -= 1;
                return;
            }
            state.waiting += 1;
        }
    }

    /// `None`: end.
    fn next_event(&self) -> Option<Key> {
        let mut events = [epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        }];
        loop {
            match epoll::wait(&self.epoll, &mut events, None) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => {
                    let key = events[0].data.u64();
                    return (key != STOP).then_some(key);
                }
                Err(error) => {
                    tracing::error!(%error, "cannot wait for output");
                    return None;
                }
            }
        }
    }

    /// Does a pass of this stream, and of those that waited for it.
    fn serve(self: &Arc<Self>, key: Key) {
        let first = loop {
            let turn = held(&self.state).begin(key, Instant::now());
            match turn {
                Turn::Leave => {
                    self.watch();
                    return;
                }
                Turn::Nap(until) => self.nap(until),
                Turn::Pass(stream) => break stream,
            }
        };
        let mut job = Some((key, first));
        while let Some((key, stream)) = job {
            let keep_open = {
                let mut state = held(&self.state);
                if let Some(at) = state.watch_at() {
                    // Usually it is set already, by a pass in the last second.
                    self.set_timer(&mut state, at);
                }
                state.open < self.max_open || state.slots.get(&key).is_some_and(|slot| slot.open)
            };
            let (passed, result) = stream.pass(keep_open);
            job = self.finish(key, &stream, &passed, result);
        }
    }

    fn finish(
        self: &Arc<Self>,
        key: Key,
        stream: &Arc<Stream>,
        passed: &Passed,
        result: io::Result<()>,
    ) -> Option<(Key, Arc<Stream>)> {
        let mut after = After::default();
        let now = Instant::now();
        let next = {
            let mut state = held(&self.state);
            let next = state.leave(key, now);
            if let Some(slot) = state.slots.get_mut(&key) {
                slot.device = passed.device.unwrap_or(slot.device);
                after.calls.append(&mut slot.flushing);
                let was_open = std::mem::replace(&mut slot.open, passed.open);
                state.open = state.open + usize::from(passed.open) - usize::from(was_open);
                let Some(slot) = state.slots.get_mut(&key) else {
                    return next;
                };
                match result {
                    Ok(()) => {
                        slot.nap = (passed.bytes < SMALL).then(|| now + NAP);
                        let gone = slot.removing && !slot.again;
                        slot.phase = Phase::Armed;
                        let kick = slot.again || !slot.flushes.is_empty();
                        state.recover(key, &mut after);
                        if gone {
                            self.forget(&mut state, key, &mut after);
                        } else {
                            self.arm(&state, key, kick);
                        }
                    }
                    Err(_) if slot.removing => self.forget(&mut state, key, &mut after),
                    Err(error) => {
                        after.calls.append(&mut slot.flushes);
                        if slot.trouble.is_none() {
                            tracing::warn!(unit = %stream.unit.name, %error, dir = %stream.dir.display(), "cannot keep its output");
                        }
                        state.suffer(key, reason(&error), now);
                        self.set_timer(&mut state, now + TICK);
                    }
                }
            }
            if passed.busy {
                self.budget.grow(&mut state, key);
            }
            next
        };
        if passed.sealed {
            self.tidying.ask(self, key);
        }
        self.run(after);
        next
    }

    /// Calls what must not be called under the lock.
    fn run(&self, after: After) {
        for event in after.events {
            (self.events)(event);
        }
        for call in after.calls {
            call();
        }
    }

    /// Waits for more output to come together; not when the engine is stopped.
    fn nap(&self, until: Instant) {
        let rest = until.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(&self.stop, PollFlags::IN)];
        let time = Timespec {
            tv_sec: 0,
            tv_nsec: rest.subsec_nanos().into(),
        };
        // Too short a nap does no harm, so neither does an interrupted one.
        let _ = rustix::event::poll(&mut fds, Some(&time));
    }

    /// Waits for output again; with `kick`, has a pass at once. A pipe that we hold both ends of is
    /// always readable or writable, so asking for either is how to be called at once.
    fn arm(&self, state: &State, key: Key, kick: bool) {
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
        match state.slots.get_mut(&key) {
            Some(slot) if slot.phase == Phase::Armed => self.arm(state, key, true),
            Some(slot) => slot.again = true,
            None => {}
        }
    }

    fn forget(&self, state: &mut State, key: Key, after: &mut After) {
        if let Some(slot) = state.slots.get(&key)
            && let Err(error) = epoll::delete(&self.epoll, &slot.stream.fifo)
        {
            tracing::debug!(unit = %slot.stream.unit.name, %error, "was not being waited for");
        }
        if let Some(next) = state.forget(key, after)
            && let Some(slot) = state.slots.get_mut(&next)
        {
            slot.phase = Phase::Armed;
            self.arm(state, next, true);
        }
    }

    /// Looks after what no event tells of: hanging disks, streams in trouble, old segments.
    fn tick(self: &Arc<Self>) {
        let (mut after, mut tidy) = (After::default(), Vec::new());
        let now = Instant::now();
        {
            let mut state = held(&self.state);
            state.timer = None;
            // The count of expirations says nothing that the time does not.
            let _ = rustix::io::read(&self.timer, &mut [0u8; 8]);
            state.find_hung(now, &mut after);
            for key in state.due(now) {
                if let Some(slot) = state.slots.get_mut(&key) {
                    slot.phase = Phase::Armed;
                }
                self.arm(&state, key, true);
            }
            let lost = self.empty_full_pipes(&mut state, &mut after);
            while state.tidy.first().is_some_and(|(due, _)| *due <= now) {
                tidy.extend(state.tidy.pop_first().map(|(_, key)| key));
            }
            let next_tick =
                (!state.troubled.is_empty()).then(|| now + if lost { BUSY_TICK } else { TICK });
            let next_tidy = state.tidy.first().map(|(due, _)| *due);
            // A hang that was found already is looked after by the ticks.
            let watch = state
                .watch_at()
                .map(|at| if at <= now { now + HANG } else { at });
            self.rearm_timer();
            if let Some(next) = [next_tick, next_tidy, watch].into_iter().flatten().min() {
                self.set_timer(&mut state, next);
            }
        }
        for key in tidy {
            self.tidying.ask(self, key);
        }
        self.run(after);
    }

    /// A program must not wait for a log: throws away what it cannot get rid of. Returns whether
    /// there was anything.
    fn empty_full_pipes(&self, state: &mut State, after: &mut After) -> bool {
        let mut any = false;
        for key in state.troubled.clone() {
            let Some(slot) = state.slots.get_mut(&key) else {
                continue;
            };
            let Some(trouble) = &mut slot.trouble else {
                continue;
            };
            let fifo = slot.stream.fifo.as_fd();
            let thrown = pipe::is_full(fifo).and_then(|full| {
                if full {
                    pipe::discard(fifo, self.null.as_fd())
                } else {
                    Ok(0)
                }
            });
            let unit = &slot.stream.unit;
            match thrown {
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
                }
                Err(error) => tracing::warn!(unit = %unit.name, %error, "cannot empty its pipe"),
            }
        }
        any
    }

    /// Somebody is in a pass, or nobody could wait for one: look whether it hangs.
    fn watch(&self) {
        let mut state = held(&self.state);
        if let Some(at) = state.watch_at() {
            self.set_timer(&mut state, at);
        }
    }

    fn rearm_timer(&self) {
        let flags = EventFlags::IN | EventFlags::ONESHOT;
        if let Err(error) =
            epoll::modify(&self.epoll, &self.timer, EventData::new_u64(TIMER), flags)
        {
            tracing::error!(%error, "cannot wait for the capture's timer");
        }
    }

    /// At this time, or earlier if it is set to that already.
    fn set_timer(&self, state: &mut State, at: Instant) {
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

    pub fn add(self: &Arc<Self>, spec: super::StreamSpec) -> io::Result<()> {
        let mut state = held(&self.state);
        let state = &mut *state;
        let key = state.next_key;
        let former = state.former.remove(&spec.unit);
        let (unit, keys) = state.units.entry(spec.unit).or_insert_with(|| {
            let new = || Arc::new(Unit::new(spec.unit, spec.name, spec.log.clone()));
            (former.unwrap_or_else(new), Vec::new())
        });
        unit.set_spec(spec.log);
        let size = self.budget.first_size(&mut state.pipe_bytes);
        let stream = Stream::new(
            Arc::clone(unit),
            spec.stream,
            spec.dir,
            spec.fifo,
            spec.stage,
            size,
        );
        let before = state.slots.iter_mut().find(|(_, slot)| {
            slot.removing && slot.stream.dir == stream.dir && slot.stream.stream == stream.stream
        });
        // What a stage still holds is taken at once. But never two at the same segments.
        let (phase, flags) = match before {
            Some((_, slot)) => {
                slot.successor = Some(key);
                (Phase::Behind, EventFlags::empty())
            }
            None => (Phase::Armed, EventFlags::IN | EventFlags::OUT),
        };
        epoll::add(
            &self.epoll,
            &stream.fifo,
            EventData::new_u64(key),
            flags | EventFlags::ONESHOT,
        )?;
        state.next_key += 1;
        keys.push(key);
        state.slots.insert(key, Slot::new(Arc::new(stream), phase));
        self.tidying.ask(self, key);
        Ok(())
    }

    pub fn remove(&self, unit: UnitId) {
        let mut after = After::default();
        {
            let mut state = held(&self.state);
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
                    self.forget(&mut state, key, &mut after);
                } else {
                    self.kick(&mut state, key);
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
                if slot.trouble.is_none() && slot.phase != Phase::Behind {
                    let all = Arc::clone(&all);
                    slot.flushes.push(Box::new(move || drop(all)));
                    self.kick(&mut state, key);
                }
            }
            now.push(all);
        }
        drop(now);
    }

    pub fn unit(&self, unit: UnitId) -> Option<Arc<Unit>> {
        held(&self.state)
            .units
            .get(&unit)
            .map(|(unit, _)| Arc::clone(unit))
    }

    /// Where each of the unit's streams is at.
    pub fn mark(&self, unit: UnitId) -> Vec<StreamMark> {
        let streams: Vec<_> = {
            let state = held(&self.state);
            let keys = state.units.get(&unit).map(|(_, keys)| keys.as_slice());
            let slots = keys.unwrap_or_default().iter();
            slots
                .filter_map(|key| Some(Arc::clone(&state.slots.get(key)?.stream)))
                .collect()
        };
        streams.iter().map(|stream| stream.mark()).collect()
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
        if state.slots.contains_key(&key) {
            state.tidy.retain(|(_, of)| *of != key);
            state.tidy.insert((at, key));
            self.set_timer(&mut state, at);
        }
    }

    /// For tests: nothing will run until there is output.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        let state = held(&self.state);
        state.waiting == state.threads && state.timer.is_none()
    }

    /// For tests: how many threads there are.
    #[cfg(test)]
    pub fn threads(&self) -> usize {
        held(&self.state).threads
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

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".to_owned(),
        io::ErrorKind::FileTooLarge => "files may not become larger (RLIMIT_FSIZE)".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        _ => format!("the log cannot be written: {error}"),
    }
}
