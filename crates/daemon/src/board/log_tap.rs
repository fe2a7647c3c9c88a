//! What the capture says of one unit's log, and whom it wakes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use abide_model::LogStatus;
use tokio::sync::Notify;

use super::lock;

/// One unit's log as the capture thread reports it. A unit that nobody follows costs one relaxed
/// load per batch of output.
#[derive(Debug, Default)]
pub struct LogTap {
    bytes_lost: AtomicU64,
    followed: AtomicBool,
    slow: Mutex<Slow>,
}

#[derive(Debug, Default)]
struct Slow {
    trouble: Option<String>,
    wake: Option<Arc<Notify>>,
}

impl LogTap {
    // What the capture calls.

    /// Output was written to a segment, or a segment was rotated.
    pub fn wrote(&self) {
        // Pairs with `follow`: a follower that is not seen here reads after this write.
        if self.followed.load(Ordering::SeqCst)
            && let Some(wake) = &lock(&self.slow).wake
        {
            wake.notify_waiters();
        }
    }

    /// So many bytes more could not be kept.
    pub fn lost(&self, bytes: u64) {
        self.bytes_lost.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Why nothing is written right now; `None`: all is well.
    pub fn set_trouble(&self, trouble: Option<String>) {
        lock(&self.slow).trouble = trouble;
    }

    // What everybody else calls.

    /// The figures of `status`.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        LogStatus {
            bytes_lost: self.bytes_lost.load(Ordering::Relaxed),
            trouble: lock(&self.slow).trouble.clone(),
        }
    }

    /// Begins to follow: whatever is written after this wakes [`LogFollow::notified`].
    #[must_use]
    pub fn follow(self: &Arc<Self>) -> LogFollow {
        let notify = Arc::clone(
            lock(&self.slow)
                .wake
                .get_or_insert_with(|| Arc::new(Notify::new())),
        );
        self.followed.store(true, Ordering::SeqCst);
        LogFollow {
            tap: Arc::clone(self),
            notify,
        }
    }
}

/// One who follows a log; dropping it ends that.
#[derive(Debug)]
pub struct LogFollow {
    tap: Arc<LogTap>,
    notify: Arc<Notify>,
}

impl LogFollow {
    /// Wakes when something was written. Make it (and enable it) before reading what is there, await
    /// it after.
    pub fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for LogFollow {
    fn drop(&mut self) {
        let mut slow = lock(&self.tap.slow);
        // The tap's own and ours: nobody else follows.
        if slow
            .wake
            .as_ref()
            .is_some_and(|wake| Arc::strong_count(wake) == 2)
        {
            slow.wake = None;
            self.tap.followed.store(false, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_follower_wakes_when_something_was_written_after_it_began() {
        let tap = Arc::new(LogTap::default());
        let follow = tap.follow();
        let notified = follow.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        tap.wrote();
        notified.await;
    }

    #[test]
    fn the_last_follower_to_go_leaves_a_quiet_tap() {
        let tap = Arc::new(LogTap::default());
        let (first, second) = (tap.follow(), tap.follow());
        drop(first);
        assert!(tap.followed.load(Ordering::SeqCst));
        drop(second);
        assert!(!tap.followed.load(Ordering::SeqCst));
    }
}
