//! When a daemon is brought back, and when it is left alone.

use std::time::Duration;

use abide_model::{Mono, Signal};

use super::system::now;
use crate::keeper::{EXIT_REFUSED, EXIT_SHORT};

/// The exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// This many crashes within [`WINDOW`] lead to safe mode.
pub(super) const CRASHES: usize = 5;
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// The wait before the third start in a row; it doubles up to [`LONGEST`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// When to try again what failed because the machine is short of something.
pub(super) const SHORTAGE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Restarts {
    /// When it is to be started, while it does not run.
    pub due: Mono,
    pub starts: u32,
    /// Some daemon of this keeper was ready.
    pub was_ready: bool,
    /// The current one is.
    pub is_ready: bool,
    pub leaving: bool,
    /// When and how the first daemon died since one was ready, and how many did: for the next one to tell.
    pub died: Option<(Mono, i32)>,
    pub deaths: u32,
    /// Crashes in a row.
    row: u32,
    /// When the last ones were, oldest first.
    crashes: [Option<Mono>; CRASHES],
}

/// As wait(2) gives it: the signal that killed, or else the exit code.
pub(super) fn cause(wait_status: i32) -> Result<i32, Signal> {
    match wait_status & 0x7f {
        0 => Ok((wait_status >> 8) & 0xff),
        signal => Err(Signal(signal)),
    }
}

impl Restarts {
    /// The last daemons died quickly. A daemon that stays up, or that worked until somebody killed it,
    /// ends it with the next start.
    pub(super) fn safe_mode(&self) -> bool {
        match self.crashes {
            [Some(first), .., Some(last)] => last.since(first) < WINDOW,
            _ => false,
        }
    }

    /// The daemon is ready.
    pub(super) fn ready(&mut self) {
        (self.was_ready, self.is_ready) = (true, true);
        (self.died, self.deaths) = (None, 0);
    }

    pub(super) fn started(&mut self) {
        self.starts = self.starts.saturating_add(1);
        self.is_ready = false;
    }

    pub(super) fn not_started(&mut self) {
        self.due = now().after(SHORTAGE);
    }

    /// The daemon was reaped. `Some`: it is to stay away, and the keeper to exit with this code.
    pub(super) fn ended(&mut self, wait_status: i32) -> Option<i32> {
        let cause = cause(wait_status);
        let on_purpose = match cause {
            Ok(code) if self.was_ready => code == 0 || code == EXIT_REFUSED,
            Ok(code) => code != PANICKED,
            Err(_) => false,
        };
        if self.leaving || on_purpose {
            return Some(cause.unwrap_or_else(|signal| signal.0.saturating_add(128)));
        }
        if cause == Ok(EXIT_SHORT) {
            self.not_started();
            return None;
        }
        self.due = now();
        self.died.get_or_insert((self.due, wait_status));
        self.deaths = self.deaths.saturating_add(1);
        if self.is_ready && cause == Err(Signal::KILL) {
            // Somebody killed a daemon that worked: nothing to be wary of.
            self.row = 0;
            self.crashes = [None; CRASHES];
            return None;
        }
        if let [.., Some(last)] = self.crashes
            && self.due.since(last) >= WINDOW
        {
            self.row = 0;
        }
        self.row = self.row.saturating_add(1);
        self.crashes.rotate_left(1);
        let [.., last] = &mut self.crashes;
        *last = Some(self.due);
        if let Some(doubled) = self.row.checked_sub(2) {
            let wait = FIRST_WAIT.saturating_mul(1_u32.checked_shl(doubled.min(10)).unwrap_or(1));
            self.due = self.due.after(wait.min(LONGEST));
        }
        None
    }
}
