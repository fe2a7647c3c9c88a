//! Where a unit's output is at, for those who want to know what came later.

use std::time::Duration;

use abide_log::Position;
use abide_model::Mono;

/// A place between two bytes of a unit's output, from [`super::Capture::mark`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogMark {
    /// Of each stream that is captured.
    pub(crate) streams: Vec<StreamMark>,
}

/// See [`LogMark`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StreamMark {
    pub stream: abide_log::Stream,
    /// Where the segments ended. `None`: nothing was written yet since this daemon came up.
    pub at: Option<Position>,
    /// Bytes beyond that which were still on their way.
    pub pending: u64,
}

/// When a unit wrote last, from [`super::Capture::last_output`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastOutput {
    /// When it last wrote something, or else since when it is captured by this daemon.
    pub at: Mono,
    /// Its log is in trouble: it may have written since, unseen.
    pub trouble: bool,
}

impl LastOutput {
    /// It has written nothing for so long, nor had the chance to.
    #[must_use]
    pub fn silent_for(&self, now: Mono, began: Mono) -> Duration {
        now.since(self.at.max(began))
    }
}
