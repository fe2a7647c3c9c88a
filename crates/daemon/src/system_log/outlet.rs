//! One system log, as the driver and the capture see it: what they tell its thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use abide_log::Removed;
use abide_model::{LogEncoding, LogTarget, RunId, UnitId, UnitName, Wall};

use super::Context;
use super::worker::Worker;
use crate::capture::{LogMark, Watcher};
use crate::events::Bell;

/// Sending needs little; shaking hands for TLS needs most of it.
const STACK: usize = 256 << 10;

/// The driver's end. Dropped, the thread goes on until it is told to end.
pub(super) struct Outlet {
    shared: Arc<Shared>,
}

/// What of a unit is sent.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub name: UnitName,
    pub events: bool,
    pub output: bool,
    /// Its stderr is apart.
    pub split: bool,
    /// What its output is written in.
    pub encoding: LogEncoding,
    /// Where nothing says how far it is, from this time on.
    pub since: Wall,
}

/// News of a unit's runs, in their order.
#[derive(Clone, Debug)]
pub(super) enum RunNews {
    /// Output behind this is of this run.
    Begins(RunId, LogMark, Wall),
    /// The run has this process; if nothing else is known, output from this time on is of this run.
    Runs(RunId, Option<u32>, Wall),
    /// Its main process has ended, and what it wrote is in the segments.
    Ended,
}

/// Why nothing is to be sent of a unit any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dropped {
    /// It is not wanted; how far it is, too, is forgotten.
    Unwanted,
    /// Another unit has its name, and goes on where it was.
    Followed,
}

/// What both ends have.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Send what is taken at once, and end.
    pub ending: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// It was told something: until then there is nothing to end for.
    pub begun: bool,
    pub units: BTreeMap<UnitId, Wanted>,
    pub names: BTreeMap<UnitName, UnitId>,
    /// Events of abide itself, and of units that are not known any more.
    pub home_events: bool,
    /// Units whose events are not for this.
    pub except: BTreeSet<UnitName>,
    /// Units that are gone: what is said of them last, and what they wrote, is still sent.
    pub leaving: BTreeSet<UnitId>,
    /// Units whose last event was sent.
    pub gone: BTreeSet<UnitId>,
    /// Units that nothing is to be sent of any more.
    pub dropped: Vec<(UnitId, Dropped)>,
    /// Units with something to look at.
    pub dirty: BTreeSet<UnitId>,
    pub news: Vec<(UnitId, RunNews)>,
    pub removed: Vec<(UnitId, Removed)>,
    /// There are new events.
    pub events: bool,
    /// The thread waits for its receiver, and is not to be woken for more to send.
    pub resting: bool,
    /// The thread has ended, or is about to: a new outlet is needed.
    pub over: bool,
}

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has changed, or for so long.
    pub fn wait<'s>(
        &'s self,
        state: MutexGuard<'s, State>,
        time: Option<Duration>,
    ) -> MutexGuard<'s, State> {
        match time {
            None => self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(time) => {
                let woken = self.changed.wait_timeout(state, time);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// There is news of runs that the thread has not heard yet.
    pub fn has_news(&self) -> bool {
        !self.lock().news.is_empty()
    }

    /// The thread is done.
    pub fn ended(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }

    fn dirty(&self, id: UnitId) {
        let mut state = self.lock();
        if state.dirty.insert(id) && !state.resting {
            self.changed.notify_all();
        }
    }
}

impl Bell for Shared {
    fn ring(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.events, true) && !state.resting {
            self.changed.notify_all();
        }
    }
}

/// Tells the thread of one unit's output.
struct UnitBell {
    id: UnitId,
    shared: Weak<Shared>,
}

impl Watcher for UnitBell {
    fn wrote(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.dirty(self.id);
        }
    }

    fn removing(&self, removed: Removed) {
        if let Some(shared) = self.shared.upgrade() {
            shared.lock().removed.push((self.id, removed));
        }
    }
}

impl Outlet {
    /// Starts the thread.
    pub fn open(target: LogTarget, context: Context) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let bell: Arc<dyn Bell> = Arc::clone(&shared) as _;
        context.events.ring(&bell);
        let worker = Worker::new(target, context, Arc::clone(&shared));
        std::thread::Builder::new()
            .name("system-log".into())
            .stack_size(STACK)
            .spawn(move || worker.run())?;
        Ok(Self { shared })
    }

    /// Tells it something; false: it is over.
    fn tell(&self, what: impl FnOnce(&mut State)) -> bool {
        let mut state = self.shared.lock();
        if state.over {
            return false;
        }
        what(&mut state);
        state.begun = true;
        self.shared.changed.notify_all();
        true
    }

    pub fn set_home_events(&self, wanted: bool) -> bool {
        self.tell(|state| {
            state.home_events = wanted;
            state.events = true;
        })
    }

    /// Whether events of this unit are not for this, although those of others are.
    pub fn except(&self, name: &UnitName, left_out: bool) -> bool {
        self.tell(|state| {
            if left_out {
                state.except.insert(name.clone());
            } else {
                state.except.remove(name);
            }
        })
    }

    pub fn put_unit(&self, id: UnitId, wanted: Wanted) -> bool {
        self.tell(|state| {
            let former = state.names.insert(wanted.name.clone(), id);
            if let Some(former) = former.filter(|former| *former != id) {
                state.units.remove(&former);
                state.leaving.remove(&former);
                state.dropped.push((former, Dropped::Followed));
            }
            state.units.insert(id, wanted);
            state.dirty.insert(id);
        })
    }

    /// Nothing of it is sent any more.
    pub fn drop_unit(&self, id: UnitId) {
        self.tell(|state| {
            if let Some(wanted) = state.units.remove(&id) {
                state.names.remove(&wanted.name);
                state.dropped.push((id, Dropped::Unwanted));
            }
        });
    }

    /// The unit is gone.
    pub fn leave(&self, id: UnitId) {
        self.tell(|state| {
            let Some(wanted) = state.units.get(&id) else {
                return;
            };
            if !wanted.events {
                state.gone.insert(id);
            }
            state.leaving.insert(id);
            state.dirty.insert(id);
        });
    }

    pub fn begins(&self, id: UnitId, run: RunId, mark: &LogMark, since: Wall) {
        let news = RunNews::Begins(run, mark.clone(), since);
        // It is of use when there is output.
        self.shared.lock().news.push((id, news));
    }

    pub fn runs(&self, id: UnitId, run: RunId, process: Option<u32>, since: Wall) {
        let news = RunNews::Runs(run, process, since);
        self.shared.lock().news.push((id, news));
    }

    /// What tells it that a unit's main process has ended.
    pub fn ender(&self, id: UnitId) -> impl Fn() + Send + use<> {
        let shared = Arc::downgrade(&self.shared);
        move || {
            if let Some(shared) = shared.upgrade() {
                shared.lock().news.push((id, RunNews::Ended));
                shared.dirty(id);
            }
        }
    }

    /// What tells it of a unit's output.
    pub fn watcher(&self, id: UnitId) -> Arc<dyn Watcher> {
        Arc::new(UnitBell {
            id,
            shared: Arc::downgrade(&self.shared),
        })
    }

    /// Has it end if there is nothing that it is for; says whether it is so.
    pub fn close_if_unused(&self) -> bool {
        let mut state = self.shared.lock();
        let unused = state.units.is_empty() && !state.home_events;
        if unused {
            self.shared.changed.notify_all();
        }
        unused || std::mem::take(&mut state.over)
    }

    /// Has it send what is there, and end.
    pub fn finish(&self) {
        self.shared.ending.store(true, Ordering::Relaxed);
        self.tell(|_| {});
    }

    pub fn await_end(&self, until: Instant) {
        let mut state = self.shared.lock();
        while !state.over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.shared.wait(state, Some(left));
        }
    }
}
