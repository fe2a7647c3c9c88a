//! The threads, and what one pass leads to.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use abide_model::{LogSync, WhenFull};

use super::pace::Look;
use super::pass::{Lease, Passed, Wish};
pub use super::state::Key;
use super::state::{After, Phase, REST, State};
use super::sync::Syncing;
use super::system::{self, Budget, Call, Keeper, Sink, Stream, Waits};
use super::tick::TICK;
use super::tidy::Tidying;
use super::trouble::IMPATIENCE;
use super::{CaptureEvent, held};

const STACK: usize = 128 << 10;
/// More threads than this are of no use: each device has two writers, the rest wait.
const THREADS: usize = 16;

/// The engine.
pub struct Engine {
    pub(super) waits: Waits,
    pub(super) sink: Sink,
    pub(super) state: Mutex<State>,
    pub tidying: Tidying,
    pub syncing: Syncing,
    events: Box<dyn Fn(CaptureEvent) + Send + Sync>,
    pub(super) keeper: Keeper,
    /// Segments that may be open at a time, and streams that may have a stage.
    max_open: usize,
    pub budget: Budget,
}

impl Engine {
    pub fn start(
        keeper: Keeper,
        events: Box<dyn Fn(CaptureEvent) + Send + Sync>,
    ) -> io::Result<Arc<Self>> {
        system::prepare();
        let engine = Self {
            waits: Waits::new()?,
            sink: Sink::open()?,
            state: Mutex::default(),
            tidying: Tidying::default(),
            syncing: Syncing::default(),
            events,
            keeper,
            max_open: system::open_segments(),
            budget: Budget::new(),
        };
        let engine = Arc::new(engine);
        engine.spawn(&mut held(&engine.state))?;
        Ok(engine)
    }

    /// Tells the threads to end. One that hangs ends when its disk answers.
    pub fn stop(&self) {
        if let Err(error) = self.waits.stop() {
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
            let call = match self.waits.next() {
                Ok(Call::Stop) => return,
                Ok(call) => call,
                Err(error) => {
                    tracing::error!(%error, "cannot wait for output");
                    return;
                }
            };
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
            let job = match call {
                Call::Stream(key) => self.begin(key),
                Call::Timer | Call::Stop => self.tick(),
            };
            self.drive(job);
            let mut state = held(&self.state);
            // One that works, one that waits: more are not needed until one of them is stuck.
            if state.waiting >= 2 {
                state.threads -= 1;
                return;
            }
            state.waiting += 1;
        }
    }

    fn begin(&self, key: Key) -> Option<(Key, Arc<Stream>)> {
        let mut state = held(&self.state);
        let stream = state.begin(key, Instant::now());
        if stream.is_none() {
            // Somebody is in a pass, or nobody could wait for one: look whether it hangs.
            self.set_watch(&mut state);
        }
        Some((key, stream?))
    }

    /// Does a pass of this stream, and of those that waited for it.
    fn drive(self: &Arc<Self>, mut job: Option<(Key, Arc<Stream>)>) {
        while let Some((key, stream)) = job {
            let wish = {
                let mut state = held(&self.state);
                // Usually it is set already, by a pass in the last second.
                self.set_watch(&mut state);
                if stream.unit.when_full() == WhenFull::Drop {
                    self.set_timer(&mut state, Instant::now() + IMPATIENCE);
                }
                let room = state.open < self.max_open;
                let lease = match state.staged {
                    few if few + THREADS < self.max_open => Lease::Keep,
                    many if many < self.max_open => Lease::Once,
                    _ => Lease::No,
                };
                let slot = state.slots.get_mut(&key);
                let rest = slot
                    .as_ref()
                    .is_some_and(|slot| slot.rest && slot.trouble.is_none());
                if rest {
                    self.budget.shrink(&mut state, key);
                }
                let slot = state.slots.get_mut(&key);
                let open = slot.is_some_and(|slot| {
                    slot.rest = false;
                    slot.open
                });
                Wish {
                    keep_open: room || open,
                    lease,
                    rest,
                }
            };
            let (passed, result) = stream.pass(wish, &self.keeper);
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
        let mut grow = passed.busy;
        let next = {
            let mut state = held(&self.state);
            let next = state.leave(key, now);
            if let Some(slot) = state.slots.get_mut(&key) {
                slot.device = passed.device.unwrap_or(slot.device);
                after.calls.append(&mut slot.flushing);
                let was_open = std::mem::replace(&mut slot.open, passed.open);
                let was_staged = std::mem::replace(&mut slot.staged, passed.staged);
                state.open = state.open + usize::from(passed.open) - usize::from(was_open);
                state.staged = state.staged + usize::from(passed.staged) - usize::from(was_staged);
                let Some(slot) = state.slots.get_mut(&key) else {
                    return next;
                };
                match result {
                    Ok(()) => {
                        let gone = slot.removing && !slot.again;
                        slot.phase = Phase::Armed;
                        let kick = slot.again || !slot.flushes.is_empty();
                        let (look, small) = slot.pace.passed(now, passed.bytes, passed.room);
                        grow |= small;
                        state.recover(key, &mut after);
                        match look {
                            _ if gone => self.forget(&mut state, key, &mut after),
                            Look::At(at) if !kick => {
                                let at = state.nap(key, now, at);
                                self.set_timer(&mut state, at);
                            }
                            _ => self.arm(&state, key, kick),
                        }
                        if passed.bytes > 0 && !gone {
                            self.plan(&mut state, key, passed, now);
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
            if grow {
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

    /// Something was written: plans what is to follow some time after.
    fn plan(&self, state: &mut State, key: Key, passed: &Passed, now: Instant) {
        let Some(slot) = state.slots.get_mut(&key) else {
            return;
        };
        if !std::mem::replace(&mut slot.rests, true) {
            state.rests.insert((now + REST, key));
            self.set_timer(state, now + REST);
        }
        let Some(slot) = state.slots.get_mut(&key) else {
            return;
        };
        if slot.unsynced.is_none()
            && let LogSync::Every(wait) = slot.stream.unit.spec().sync
        {
            slot.unsynced = passed.first;
            state.syncs.insert((now + wait, key));
            self.set_timer(state, now + wait);
        }
    }

    /// Calls what must not be called under the lock.
    pub(super) fn run(&self, after: After) {
        for event in after.events {
            (self.events)(event);
        }
        for call in after.calls {
            call();
        }
    }

    /// For tests: nothing will run until there is output.
    #[cfg(test)]
    #[allow(dead_code, reason = "not every system's tests ask for it")]
    pub fn is_idle(&self) -> bool {
        let state = held(&self.state);
        state.waiting == state.threads && state.timer.is_none()
    }

    /// For tests: something of this unit is to be synced.
    #[cfg(test)]
    #[allow(dead_code, reason = "not every system's tests ask for it")]
    pub fn owes_sync(&self, unit: abide_model::UnitId) -> bool {
        let state = held(&self.state);
        state
            .slots
            .values()
            .any(|slot| slot.stream.unit.id == unit && slot.unsynced.is_some())
    }

    /// For tests: how many threads there are.
    #[cfg(test)]
    #[allow(dead_code, reason = "not every system's tests ask for it")]
    pub fn threads(&self) -> usize {
        held(&self.state).threads
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
