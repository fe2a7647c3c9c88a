//! When memory is given back: once after work, as soon as it is quiet.
//!
//! ```text
//!  used ── QUIET without use ──► release        at the latest APART after the first use
//!    ▲            │ used meanwhile
//!    └────────────┘
//! ```
//!
//! No deadline is set while nothing was used since the last time: an idle daemon stays asleep.

use std::time::Duration;

use abide_model::Mono;
use abide_platform::memory;

/// So long without work is the end of a burst.
const QUIET: Duration = Duration::from_secs(1);
/// Under work that never pauses, memory is given back this often.
const APART: Duration = Duration::from_secs(10);

/// Whether, and when, there is something to give back.
#[derive(Debug)]
pub struct Tidying {
    /// The first and the last use since the last time, and when to look.
    used: Option<Used>,
    /// The time has come.
    now: bool,
}

#[derive(Clone, Copy, Debug)]
struct Used {
    first: Mono,
    last: Mono,
    due: Mono,
}

impl Tidying {
    /// Starting up was work.
    pub fn begun(now: Mono) -> Self {
        let mut tidying = Self {
            used: None,
            now: false,
        };
        tidying.used(now);
        tidying
    }

    /// There is work.
    pub fn used(&mut self, now: Mono) {
        // The timer is not moved with each use: when it is due is time to look how long ago the last one was.
        let new = Used {
            first: now,
            last: now,
            due: now.after(QUIET),
        };
        self.used.get_or_insert(new).last = now;
    }

    /// When to be called.
    pub fn due(&self) -> Option<Mono> {
        self.used.map(|used| used.due)
    }

    /// A deadline passed.
    pub fn time(&mut self, now: Mono) {
        let Some(used) = self.used.as_mut().filter(|used| used.due <= now) else {
            return;
        };
        let due = used.last.after(QUIET).min(used.first.after(APART));
        if due > now {
            used.due = due;
            return;
        }
        self.used = None;
        self.now = true;
    }

    /// Gives memory back, if it is time. Whatever else runs until this thread sleeps would bring pages back.
    pub fn before_sleep(&mut self) {
        if std::mem::take(&mut self.now) {
            memory::release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets time pass until memory is given back, with a use every `pause` until `until`; says when.
    fn given_back(pause: Duration, until: Duration) -> Duration {
        let begin = Mono(1);
        let mut tidying = Tidying::begun(begin);
        let (mut use_at, end) = (begin.after(pause), begin.after(until));
        for _ in 0..1000 {
            let due = tidying.due().expect("it was used");
            if use_at <= due && use_at <= end {
                tidying.used(use_at);
                use_at = use_at.after(pause);
                continue;
            }
            tidying.time(due);
            if tidying.now {
                assert_eq!(tidying.due(), None, "then it sleeps");
                return due.since(begin);
            }
        }
        panic!("it is never given back");
    }

    #[test]
    fn memory_is_given_back_after_a_second_of_quiet() {
        let pause = Duration::from_millis(300);
        assert_eq!(given_back(pause, Duration::ZERO), QUIET);
        assert_eq!(
            given_back(pause, Duration::from_secs(3)),
            Duration::from_secs(3) + QUIET
        );
    }

    #[test]
    fn work_that_never_pauses_does_not_keep_it() {
        let pause = Duration::from_millis(300);
        assert_eq!(given_back(pause, Duration::from_secs(3600)), APART);
    }
}
