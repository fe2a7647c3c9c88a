//! Taking what units write, from their FIFOs to their segments.
//!
//! One epoll set holds all FIFOs, each to be told of once. A thread that is told of one makes sure
//! that another thread waits, then does a *pass*: it moves what is there through the stage to the
//! segment, without any of it entering our memory, and has the FIFO waited for again.
//!
//! Only in a pass anything is done that a disk can block: open, look, rotate, write. So what a hung
//! disk takes is the threads that are in its passes, two at most; everybody else goes on. A stream
//! that cannot be written (its disk hangs, is full, is gone) is *in trouble*: the timer, which does
//! not run otherwise, empties its FIFO into nothing whenever it is full, so that the program never
//! waits, counts what was lost, and tries again until it works.
//!
//! With nothing to do, two threads wait and nothing runs.

mod engine;
mod follow;
mod mark;
mod pace;
mod pass;
mod registry;
mod state;
mod sync;
mod tick;
mod tidy;
mod trouble;
mod unit;
mod watch;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_log::Stream;
use abide_model::{LogSpec, UnitId, UnitName};
use abide_platform::{Borrowed, Handle};
use tokio::sync::Notify;

use engine::Engine;
pub use follow::Follow;
pub(crate) use mark::StreamMark;
pub use mark::{LastOutput, LogMark};
use system::Keeper;
pub use system::open_segments;
pub use unit::Watcher;

/// One FIFO to take output from.
#[derive(Debug)]
pub struct StreamSpec {
    /// Whose.
    pub unit: UnitId,
    /// Whose, for people.
    pub name: UnitName,
    /// Which of its series of segments.
    pub stream: Stream,
    /// Rotation and retention.
    pub log: LogSpec,
    /// Where the segments lie; made when the first byte comes.
    pub dir: PathBuf,
    /// The FIFO, from [`abide_platform::pipe`]; on Windows the pipe's reading end. The keeper holds it too.
    pub fifo: Arc<Handle>,
    /// The stage that the keeper held, if it held one: something may be in it. There are none on Windows.
    pub stage: Option<Handle>,
    /// The unit's main process, if it runs: it has its stages, and the first output may come before this
    /// is all that is known.
    pub program: Option<u32>,
}

/// Who holds what is on its way over the death of this process.
pub trait Holder: Send + Sync {
    /// Holds a stage from now on, in the place of what it held for this stream.
    ///
    /// # Errors
    /// It does not answer.
    fn hold(&self, unit: UnitId, stream: Stream, stage: Borrowed<'_>) -> io::Result<()>;

    /// Lets go of it.
    ///
    /// # Errors
    /// It does not answer.
    fn release(&self, unit: UnitId, stream: Stream) -> io::Result<()>;

    /// On Windows, which has no stages: a folder for slots ([`abide_platform::pipe`]). `None`: one that the next
    /// daemon does not look into.
    fn slots(&self) -> Option<&Path> {
        None
    }
}

/// Nobody: what is on its way is lost with this process.
impl Holder for () {
    fn hold(&self, _: UnitId, _: Stream, _: Borrowed<'_>) -> io::Result<()> {
        Ok(())
    }

    fn release(&self, _: UnitId, _: Stream) -> io::Result<()> {
        Ok(())
    }
}

/// Something that the driver writes into the events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CaptureEvent {
    /// Output could not be kept, for the first time since it last could.
    Lost {
        /// Whose.
        unit: UnitId,
        /// Bytes so far, in all.
        bytes: u64,
        /// Why.
        reason: String,
    },
    /// Output is kept again.
    Resumed {
        /// Whose.
        unit: UnitId,
        /// Bytes lost in between.
        bytes: u64,
    },
}

/// What `status` says of a unit's log. Both streams together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Bytes kept since this daemon started.
    pub bytes: u64,
    /// Bytes thrown away since this daemon started.
    pub bytes_lost: u64,
    /// Why nothing is being kept right now.
    pub trouble: Option<String>,
}

/// The capture engine. Cheap to clone; the last clone dropped ends it.
#[derive(Clone)]
pub struct Capture {
    engine: Arc<Engine>,
    _stop: Arc<StopOnDrop>,
}

struct StopOnDrop(Arc<Engine>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Capture {
    /// Starts the engine. `holder` holds stages over the death of this process. `events` is called from
    /// capture threads: it must not block (send to a channel). Ignores SIGXFSZ in this process.
    ///
    /// # Errors
    /// No epoll set, timer or thread could be had.
    pub fn start(
        holder: impl Holder + 'static,
        events: impl Fn(CaptureEvent) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let engine = Engine::start(Keeper::new(Box::new(holder)), Box::new(events))?;
        Ok(Self {
            _stop: Arc::new(StopOnDrop(Arc::clone(&engine))),
            engine,
        })
    }

    /// Begins to pump a stream; what its stage holds goes first, so a new daemon goes on exactly
    /// where the old one died. Does not block.
    ///
    /// # Errors
    /// The FIFO cannot be watched.
    pub fn add(&self, stream: StreamSpec) -> io::Result<()> {
        self.engine.add(stream)
    }

    /// Takes what is still in the unit's FIFOs, then lets go of them. Does not block.
    pub fn remove(&self, unit: UnitId) {
        self.engine.remove(unit);
    }

    /// From now on rotates and keeps by this. Does not block.
    pub fn reconfigure(&self, unit: UnitId, log: &LogSpec) {
        self.engine.reconfigure(unit, log);
    }

    /// Calls `then` when everything that is in the unit's FIFOs now is in its segments, or at once
    /// when that cannot be because its disk is in trouble. A disk that begins to hang meanwhile is
    /// waited for: use a time-out. `then` is called from a capture thread or right here, so it must
    /// not block. Does not block itself.
    pub fn flush(&self, unit: UnitId, then: impl FnOnce() + Send + 'static) {
        self.engine.flush(unit, Box::new(then));
    }

    /// Compresses and removes nothing from now on. Waits so long for what is under way, which would leave a
    /// temporary file behind.
    pub fn finish_tidying(&self, within: Duration) {
        self.engine.tidying.finish(within);
    }

    /// What `status` says of this unit's log. Does not block.
    #[must_use]
    pub fn counters(&self, unit: UnitId) -> Counters {
        let Some(shared) = self.engine.unit(unit) else {
            return Counters::default();
        };
        Counters {
            bytes: shared.bytes.load(Ordering::Relaxed),
            bytes_lost: shared.lost.load(Ordering::Relaxed),
            trouble: self.engine.trouble(unit),
        }
    }

    /// When the unit wrote last, as far as this daemon has seen. `None`: it is not captured (it never ran).
    /// Does not block.
    #[must_use]
    pub fn last_output(&self, unit: UnitId) -> Option<LastOutput> {
        let shared = self.engine.unit(unit)?;
        Some(LastOutput {
            at: shared.last_output(),
            trouble: self.engine.trouble(unit).is_some(),
        })
    }

    /// Where the unit's output is at now, what is still on its way included: to be taken right before
    /// a spawn, so that what the run before wrote last is not taken for this one's. Does not block.
    #[must_use]
    pub fn mark(&self, unit: UnitId) -> LogMark {
        LogMark {
            streams: self.engine.mark(unit),
        }
    }

    /// The stages of the unit's streams, for a run that is about to be started to hold them too. To be
    /// followed by [`Capture::started`]. Does not block.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn stages_for_run(&self, unit: UnitId) -> io::Result<Vec<Arc<Handle>>> {
        let streams = self.engine.streams(unit);
        let stages = streams.iter().map(|stream| stream.for_program());
        stages.filter_map(io::Result::transpose).collect()
    }

    /// This process is the unit's main process now, and has its stages; `None`: there is none. Blocks no longer
    /// than a keeper that does not read.
    pub fn started(&self, unit: UnitId, program: Option<u32>) {
        if let Some(shared) = self.engine.unit(unit) {
            shared.set_program(program);
        }
        for stream in self.engine.streams(unit) {
            stream.started(program, &self.engine.keeper);
        }
    }

    /// The unit's main process has ended. Does not block.
    pub fn ended(&self, unit: UnitId) {
        if let Some(shared) = self.engine.unit(unit) {
            shared.set_program(None);
        }
    }

    /// The keeper is gone: no further stage is filled, and these are what a new one has to hold. Does not block.
    #[must_use]
    pub fn hand_over(&self) -> Vec<(UnitId, Stream, Arc<Handle>)> {
        self.engine.hand_over()
    }

    /// Tells this one what becomes of the unit's output, for as long as it lives. Once more does no harm; a unit that is not
    /// captured (yet) is not watched. Does not block.
    pub fn watch(&self, unit: UnitId, watcher: &Arc<dyn Watcher>) {
        if let Some(unit) = self.engine.unit(unit) {
            unit.watch(watcher);
        }
    }

    /// A follower, of no unit yet.
    #[must_use]
    pub fn follow(&self) -> Follow {
        Follow {
            engine: Arc::clone(&self.engine),
            notify: Arc::new(Notify::new()),
        }
    }
}

/// Takes a lock. A thread that panicked while it had it left plain data, which is as good as before.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
