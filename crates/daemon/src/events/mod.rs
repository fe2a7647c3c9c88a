//! What happened: a numbered log on the disk of the home, and whoever follows it.
//!
//! ```text
//!  driver ──record──► queue ──► writer thread ──line──► events/FIRST.jsonl
//!                                   │ number given here
//!                                   ▼
//!                          the last few in memory ──► followers (older ones: from the files)
//! ```
//!
//! The number is given when the event is written, so that the numbers on the disk have no gap even
//! when the daemon was killed between the two. Nobody is sent an event before it is written, unless
//! the disk takes none: then followers hear it at once, and it is written when the disk is back.

mod files;
mod text;
mod trace;
mod writer;

pub use text::{describe, in_words};
pub use trace::last_ids;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use abide_model::{Event, EventKind, RunId, UnitName, Wall};
use tokio::sync::watch;

use files::Files;
use writer::Writer;

/// Events that wait for the writer, or for a disk that takes none; then the oldest are dropped, and
/// that is an event too.
const WAITING: usize = 1024;

/// So many are not queued without waking the writer.
const UNWOKEN: usize = 128;

/// How long a disk that takes no events may hold up the state.
const PATIENCE: Duration = Duration::from_secs(1);

/// The log of one home. Ends its thread when it is dropped, after all is written.
#[derive(Debug)]
pub struct EventLog {
    dir: PathBuf,
    shared: Arc<Shared>,
    shown: watch::Sender<u64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    recorded: Condvar,
    idle: Condvar,
    /// Something was queued, and the writer was not woken for it.
    unwoken: AtomicBool,
}

/// Is told that there are new events, for those who have no runtime. Must not block, nor ask the log anything.
pub trait Bell: Send + Sync + std::fmt::Debug {
    /// There are.
    fn ring(&self);
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Unnumbered>,
    dropped: u64,
    /// How many were ever queued.
    queued: u64,
    /// How many of those were written, or could not be.
    settled: u64,
    busy: bool,
    end: bool,
    recent: VecDeque<Arc<Event>>,
    bells: Vec<Weak<dyn Bell>>,
}

struct Unnumbered {
    at: Wall,
    unit: Option<UnitName>,
    run: Option<RunId>,
    kind: EventKind,
    complete: Option<Complete>,
}

/// Adds to an event what takes a moment to find out; called on the writer's thread.
pub type Complete = Box<dyn FnOnce(&mut EventKind) + Send>;

impl std::fmt::Debug for Unnumbered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.kind.fmt(f)
    }
}

impl EventLog {
    /// Opens the log in this directory, which exists, and goes on with its numbers.
    ///
    /// # Errors
    /// The directory or its last file cannot be read, or no thread can be started.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let files = Files::open(dir)?;
        let shared = Arc::new(Shared::default());
        let shown = watch::Sender::new(files.last());
        let writer = Writer::new(files, Arc::clone(&shared), shown.clone());
        let thread = std::thread::Builder::new()
            .name("events".into())
            .stack_size(128 << 10)
            .spawn(move || writer.run())?;
        Ok(Self {
            dir: dir.to_owned(),
            shared,
            shown,
            thread: Some(thread),
        })
    }

    /// Something happened. Never waits for the disk.
    pub fn record(&self, at: Wall, unit: Option<UnitName>, run: Option<RunId>, kind: EventKind) {
        self.push(Unnumbered {
            at,
            unit,
            run,
            kind,
            complete: None,
        });
    }

    /// As [`EventLog::record`], perhaps with something to add before it is written. It is written after the
    /// next [`EventLog::wake`], or when many are queued: to wake the writer costs a system call and a
    /// processor, which a restart needs first.
    pub fn queue(
        &self,
        at: Wall,
        unit: Option<UnitName>,
        run: Option<RunId>,
        kind: EventKind,
        complete: Option<Complete>,
    ) {
        let queued = self.queue_one(Unnumbered {
            at,
            unit,
            run,
            kind,
            complete,
        });
        self.shared.unwoken.store(true, Ordering::Relaxed);
        if queued >= UNWOKEN {
            self.wake();
        }
    }

    /// Something waits for [`EventLog::wake`].
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.shared.unwoken.load(Ordering::Relaxed)
    }

    /// Has what is queued written.
    pub fn wake(&self) {
        if self.shared.unwoken.swap(false, Ordering::Relaxed) {
            self.shared.recorded.notify_one();
        }
    }

    fn push(&self, event: Unnumbered) {
        self.queue_one(event);
        self.shared.recorded.notify_one();
    }

    /// How many are queued.
    fn queue_one(&self, event: Unnumbered) -> usize {
        let mut state = self.shared.lock();
        if state.queue.len() >= WAITING {
            state.queue.pop_front();
            state.dropped += 1;
        }
        state.queue.push_back(event);
        state.queued += 1;
        state.queue.len()
    }

    /// Something to call on another thread: blocks until all that was queued by then is written, or could
    /// not be, or [`PATIENCE`] is over.
    pub fn barrier(&self) -> impl Fn() + Send + use<> {
        let shared = Arc::clone(&self.shared);
        move || {
            let state = shared.lock();
            let until = state.queued;
            // Whichever way it ends, there is nothing better to do than to go on.
            let _ = shared
                .idle
                .wait_timeout_while(state, PATIENCE, |state| state.settled < until);
        }
    }

    /// The number of the last event; 0 when there was none.
    #[must_use]
    pub fn last(&self) -> u64 {
        *self.shown.borrow()
    }

    /// The number of the last event, as it grows.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shown.subscribe()
    }

    /// Rings whenever there are new events, for as long as the bell is there.
    pub fn ring(&self, bell: &Arc<dyn Bell>) {
        let mut state = self.shared.lock();
        state.bells.retain(|bell| bell.strong_count() > 0);
        state.bells.push(Arc::downgrade(bell));
    }

    /// Events with a number greater than `after`, oldest first, at most `limit`, if they are still in
    /// memory; else [`EventLog::read`] has them.
    #[must_use]
    pub fn recent(&self, after: u64, limit: usize) -> Option<Vec<Arc<Event>>> {
        let state = self.shared.lock();
        if after >= self.last() {
            return Some(Vec::new());
        }
        if state.recent.front()?.seq > after + 1 {
            return None;
        }
        let newer = state.recent.iter().filter(|event| event.seq > after);
        Some(newer.take(limit).cloned().collect())
    }

    /// Events with a number greater than `after`, oldest first, at most `limit`, from the disk.
    /// Blocks. Events that were rotated away are not there: the first may be later than asked for.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn read(&self, after: u64, limit: usize) -> io::Result<Vec<Event>> {
        files::read(&self.dir, after, limit)
    }

    /// Blocks until all that was recorded before is written, or the disk takes none.
    pub fn flush(&self) {
        self.wake();
        let mut state = self.shared.lock();
        while state.busy || !state.queue.is_empty() {
            let woken = self.shared.idle.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        self.shared.lock().end = true;
        self.shared.recorded.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
