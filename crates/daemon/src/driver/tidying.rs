//! When memory is given back: once after work, as soon as it is quiet.
//!
//! ```text
//!  used ── QUIET without use ──► release        not sooner than APART after the last one,
//!    ▲            │ used meanwhile              not later than APART after the first use
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
    /// The latest time for it.
    latest: Option<Mono>,
    last_use: Mono,
    /// When to look.
    due: Option<Mono>,
    /// The time has come.
    now: bool,
}

impl Tidying {
    /// Starting up was work.
    pub fn begun(now: Mono) -> Self {
        let mut tidying = Self {
            latest: None,
            last_use: now,
            due: None,
            now: false,
        };
        tidying.used(now);
        tidying
    }

    /// There is work.
    pub fn used(&mut self, now: Mono) {
        self.last_use = now;
        if self.due.is_none() {
            // Of what was done right after the last time, a while is waited for more.
            self.due = Some(match self.latest {
                Some(apart) if apart > now.after(QUIET) => apart,
                _ => now.after(QUIET),
            });
            self.latest = Some(now.after(APART));
        }
    }

    /// When to be called.
    pub fn due(&self) -> Option<Mono> {
        self.due
    }

    /// A deadline passed.
    pub fn time(&mut self, now: Mono) {
        let Some(due) = self.due.filter(|due| *due <= now) else {
            return;
        };
        let quiet = self.last_use.after(QUIET);
        if quiet > due && self.latest.is_some_and(|latest| quiet <= latest) {
            self.due = Some(quiet);
            return;
        }
        self.due = None;
        self.latest = Some(now.after(APART));
        self.now = true;
    }

    /// Gives memory back, if it is time. Whatever else runs until this thread sleeps would bring pages back.
    pub fn before_sleep(&mut self) {
        if std::mem::take(&mut self.now) {
            memory::release();
        }
    }
}
