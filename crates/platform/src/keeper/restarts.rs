//! When a daemon is brought back, and when it is left alone.

use std::time::Duration;

use abide_model::Mono;

use super::{EXIT_REFUSED, EXIT_SHORT};

/// The exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// This many crashes within [`WINDOW`] lead to safe mode.
const CRASHES: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// The wait before the third start in a row; it doubles up to [`LONGEST`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// When to try again what failed because the machine is short of something.
pub(super) const SHORTAGE: Duration = Duration::from_secs(1);

/// How a daemon ended. Each with the code that its keeper ends with, if it follows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    /// By itself.
    Code(i32),
    /// Somebody killed it.
    Killed(i32),
    /// By a mistake.
    Crashed(i32),
}

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

impl Restarts {
    /// The last daemons died quickly. A daemon that stays up, or that worked until somebody killed it,
    /// ends it with the next start.
    pub fn safe_mode(&self) -> bool {
        matches!(self.crashes, [Some(first), .., Some(last)] if last.since(first) < WINDOW)
    }

    /// The daemon is ready.
    pub fn ready(&mut self) {
        (self.was_ready, self.is_ready) = (true, true);
        (self.died, self.deaths) = (None, 0);
    }

    pub fn started(&mut self) {
        self.starts = self.starts.saturating_add(1);
        self.is_ready = false;
    }

    pub fn not_started(&mut self, now: Mono) {
        self.due = now.after(SHORTAGE);
    }

    /// The daemon has ended, with this status of the system. `Some`: it is to stay away, and the keeper to
    /// exit with this code.
    pub fn ended(&mut self, now: Mono, status: i32, ending: Ending) -> Option<i32> {
        let on_purpose = match ending {
            Ending::Code(code) if self.was_ready => code == 0 || code == EXIT_REFUSED,
            Ending::Code(code) => code != PANICKED,
            Ending::Killed(_) | Ending::Crashed(_) => false,
        };
        if self.leaving || on_purpose {
            let (Ending::Code(code) | Ending::Killed(code) | Ending::Crashed(code)) = ending;
            return Some(code);
        }
        if ending == Ending::Code(EXIT_SHORT) {
            self.not_started(now);
            return None;
        }
        self.due = now;
        self.died.get_or_insert((now, status));
        self.deaths = self.deaths.saturating_add(1);
        if self.is_ready && matches!(ending, Ending::Killed(_)) {
            // Somebody killed a daemon that worked: nothing to be wary of.
            self.row = 0;
            self.crashes = [None; CRASHES];
            return None;
        }
        let again = matches!(self.crashes, [.., Some(last)] if now.since(last) < WINDOW);
        self.row = if again { self.row.saturating_add(1) } else { 1 };
        self.crashes.rotate_left(1);
        let [.., last] = &mut self.crashes;
        *last = Some(now);
        if let Some(doubled) = self.row.checked_sub(2) {
            let wait = FIRST_WAIT.saturating_mul(1_u32.checked_shl(doubled.min(10)).unwrap_or(1));
            self.due = now.after(wait.min(LONGEST));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000_000)
    }

    #[test]
    fn a_daemon_that_keeps_dying_is_waited_with_and_then_comes_in_safe_mode() {
        let mut restarts = Restarts::default();
        restarts.started();
        restarts.ready();
        let mut waits = Vec::new();
        for second in 0..5 {
            assert!(!restarts.safe_mode());
            let ended = restarts.ended(at(second), 101, Ending::Code(101));
            assert_eq!(ended, None);
            waits.push(restarts.due.since(at(second)).as_millis());
            restarts.started();
        }
        assert_eq!(waits, [0, 50, 100, 200, 400]);
        assert!(restarts.safe_mode());
        assert_eq!((restarts.died, restarts.deaths), (Some((at(0), 101)), 5));
    }

    #[test]
    fn a_daemon_that_worked_until_it_was_killed_comes_back_at_once() {
        let mut restarts = Restarts::default();
        for second in 0..20 {
            restarts.started();
            restarts.ready();
            assert_eq!(restarts.ended(at(second), 1, Ending::Killed(1)), None);
            assert_eq!(restarts.due, at(second));
        }
        assert!(!restarts.safe_mode());
    }

    #[test]
    fn a_daemon_that_refuses_or_leaves_stays_away() {
        let mut restarts = Restarts::default();
        restarts.started();
        assert_eq!(restarts.ended(at(0), 5, Ending::Code(5)), Some(5));
        restarts.ready();
        assert_eq!(restarts.ended(at(0), 5, Ending::Code(5)), None);
        let refused = Ending::Code(EXIT_REFUSED);
        assert_eq!(restarts.ended(at(0), 0, refused), Some(EXIT_REFUSED));
        assert_eq!(restarts.ended(at(0), 0, Ending::Code(EXIT_SHORT)), None);
        assert_eq!(restarts.due, at(1));
        restarts.leaving = true;
        assert_eq!(restarts.ended(at(0), 9, Ending::Crashed(137)), Some(137));
    }
}
