//! When what happened is written: a moment later if programs were started, unless something waits for it.
//!
//! The threads that write would otherwise have the processors that the successor of a crashed program needs: a thread
//! that was woken takes the processor from one that works. So events and state are queued in their order, and their
//! threads are woken [`MOMENT`] after the first of a batch.
//!
//! A daemon that is killed meanwhile loses what it would have lost a moment before as well: lines that were not
//! written. The exit is in the keeper until it is written down, the new run in the keeper and in its record.

use std::time::Duration;

use abide_model::Mono;

use super::run::Daemon;

/// Longer than a program takes from its order to its `main()`. A launch of many has one batch for each of these.
const MOMENT: Duration = Duration::from_millis(3);

impl Daemon {
    /// Has events and state written, or says when it is to be asked again.
    pub(super) fn write_out(&mut self, now: Mono) -> Option<Mono> {
        let queued = self.events.is_queued() || self.store.is_queued();
        if queued && self.started && !self.awaited {
            let by = *self.write_by.get_or_insert_with(|| now.after(MOMENT));
            if now < by {
                return Some(by);
            }
        }
        (self.write_by, self.started, self.awaited) = (None, false, false);
        // In this order: an exit that is written down as seen, and of which no event tells, is one that
        // nobody hears of if the daemon is killed here.
        self.events.wake();
        self.store.flush();
        None
    }
}
