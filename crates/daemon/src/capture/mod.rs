//! Taking what units write, from their FIFOs to their segments.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use abide_log::Stream;
use abide_model::{LogSpec, UnitId, UnitName};

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
    /// The FIFO, from [`abide_platform::pipe::hold`]. The keeper holds another descriptor of it.
    pub fifo: OwnedFd,
    /// The stage, from [`abide_platform::pipe::stage`]. The keeper holds another descriptor of it.
    pub stage: OwnedFd,
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
pub struct Capture {}

impl Capture {
    /// Starts the engine. `events` is called from capture threads: it must not block (send to a channel).
    ///
    /// # Errors
    /// No epoll set, timer or thread could be had.
    pub fn start(events: impl Fn(CaptureEvent) + Send + Sync + 'static) -> io::Result<Self> {
        let _ = events;
        Err(io::Error::other("not built yet"))
    }

    /// Begins to pump a stream; what its stage holds goes first, so a new daemon goes on exactly
    /// where the old one died. Does not block.
    ///
    /// # Errors
    /// The FIFO cannot be watched.
    pub fn add(&self, stream: StreamSpec) -> io::Result<()> {
        let _ = stream;
        Err(io::Error::other("not built yet"))
    }

    /// Takes what is still in the unit's FIFOs, then lets go of them. Does not block.
    pub fn remove(&self, unit: UnitId) {
        let _ = unit;
    }

    /// From now on rotates and keeps by this. Does not block.
    pub fn reconfigure(&self, unit: UnitId, log: &LogSpec) {
        let _ = (unit, log);
    }

    /// Calls `then` when everything that is in the unit's FIFOs now is in its segments, or at once
    /// when that cannot be because its disk is in trouble. Called from a capture thread, so it must
    /// not block. Does not block itself.
    pub fn flush(&self, unit: UnitId, then: impl FnOnce() + Send + 'static) {
        let _ = unit;
        then();
    }

    /// What `status` says of this unit's log. Does not block.
    #[must_use]
    pub fn counters(&self, unit: UnitId) -> Counters {
        let _ = unit;
        Counters::default()
    }

    /// A follower, of no unit yet.
    #[must_use]
    pub fn follow(&self) -> Follow {
        Follow {}
    }
}

/// Wakes a task when units that it follows wrote something. Costs the capture nothing for units
/// that nobody follows.
pub struct Follow {}

impl Follow {
    /// Follow this unit too.
    pub fn watch(&self, unit: UnitId) {
        let _ = unit;
    }

    /// Waits until one of the units wrote something since the last call returned (or since it was
    /// first watched). So: watch, read to the end, wait, read to the end, wait, …
    pub async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}
