#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::Mutex;
use std::time::Duration;

use abide_model::{Mono, Now, Wall};
use windows_sys::Win32::System::Threading::{
    CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, CancelWaitableTimer, CreateWaitableTimerExW,
    SetWaitableTimer, TIMER_ALL_ACCESS,
};

use crate::clock::{now, ticks_of};
use crate::win32::{checked, owned, raw, wait};

/// A clock that was set differs from the one that goes on by more than the two can drift apart.
const DRIFT: Duration = Duration::from_secs(1);

fn create() -> io::Result<OwnedHandle> {
    let make = |flags| {
        // SAFETY: no attributes, no name; the handle is made for us.
        unsafe {
            owned(CreateWaitableTimerExW(
                std::ptr::null(),
                std::ptr::null(),
                flags,
                TIMER_ALL_ACCESS,
            ))
        }
    };
    // Before Windows 10 1803 there are only coarse ones, which come up to 16 ms late.
    make(CREATE_WAITABLE_TIMER_HIGH_RESOLUTION).or_else(|_| make(0))
}

/// Positive: this time of the calendar; negative: so long from now; both in units of 100 ns.
fn set(timer: &OwnedHandle, due: i64) -> io::Result<()> {
    // SAFETY: the timer is ours, the time is read before this returns, and nothing is called.
    checked(unsafe { SetWaitableTimer(raw(timer), &due, 0, None, std::ptr::null(), 0) })
}

fn cancel(timer: &OwnedHandle) -> io::Result<()> {
    // SAFETY: the timer is ours.
    checked(unsafe { CancelWaitableTimer(raw(timer)) })
}

/// So long from now, at least the next instant: zero would be a time of the calendar.
fn relative(at: Mono, now: Mono) -> i64 {
    let nanoseconds = at.0.saturating_sub(now.0);
    -i64::try_from(nanoseconds.div_ceil(100))
        .unwrap_or(i64::MAX)
        .max(1)
}

/// A deadline on the clock that counts suspended time. Signalled when it is due.
#[derive(Debug)]
pub struct Timer(OwnedHandle);

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// Those of CreateWaitableTimerEx.
    pub fn new() -> io::Result<Self> {
        Ok(Self(create()?))
    }

    /// Wakes at `at` (at once when that is over), or never. Replaces what was set before, also a
    /// wake-up that has not been seen yet. While the machine sleeps it does not go on: who hears of the
    /// end of a sleep sets it anew.
    ///
    /// # Errors
    /// Those of SetWaitableTimer.
    pub fn set(&self, at: Option<Mono>) -> io::Result<()> {
        // Cancelled it stays signalled if it was, and under Wine also when it is set anew.
        cancel(&self.0)?;
        self.clear();
        match at {
            None => Ok(()),
            Some(at) => set(&self.0, relative(at, now().mono)),
        }
    }

    /// Takes note of a wake-up, so that it is no longer signalled.
    pub fn clear(&self) {
        // One that resets itself has taken note when it was waited for.
        let _ = wait(&self.0, Some(Duration::ZERO));
    }
}

impl AsHandle for Timer {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

/// A deadline on the calendar, which moves with it when somebody sets the clock.
#[derive(Debug)]
pub struct CalendarWatch {
    timer: OwnedHandle,
    set_at: Mutex<Now>,
}

/// Why a [`CalendarWatch`] woke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CalendarEvent {
    /// The deadline is there.
    Due,
    /// The clock was set. The watch must be set again.
    ClockChanged,
}

impl CalendarWatch {
    /// Not set.
    ///
    /// # Errors
    /// Those of CreateWaitableTimerEx.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            timer: create()?,
            set_at: Mutex::new(now()),
        })
    }

    /// Wakes at `at`; `None`: never.
    ///
    /// # Errors
    /// Those of SetWaitableTimer.
    pub fn set(&self, at: Option<Wall>) -> io::Result<()> {
        *self.lock() = now();
        match at {
            None => set(&self.timer, i64::MIN).and_then(|()| cancel(&self.timer)),
            Some(at) => set(&self.timer, ticks_of(at).max(1)),
        }
    }

    /// Why it woke; `None`: it did not. That the clock was set is seen whenever this is called, but only the
    /// deadline wakes by itself.
    #[must_use]
    pub fn take(&self) -> Option<CalendarEvent> {
        let due = wait(&self.timer, Some(Duration::ZERO)).unwrap_or(false);
        let mut before = self.lock();
        let after = now();
        if changed(*before, after) {
            *before = after;
            return Some(CalendarEvent::ClockChanged);
        }
        due.then_some(CalendarEvent::Due)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        // Nothing can panic while it is held.
        self.set_at
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn changed(before: Now, after: Now) -> bool {
    let passed = i128::from(after.mono.0) - i128::from(before.mono.0);
    let seen = i128::from(after.wall.0) - i128::from(before.wall.0);
    (seen - passed).unsigned_abs() > DRIFT.as_nanos()
}

impl AsHandle for CalendarWatch {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.timer.as_handle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_waited_for_and_what_was_set_before_is_forgotten() {
        let timer = Timer::new().expect("made");
        let due = |timer: &Timer| wait(timer, Some(Duration::ZERO)).expect("asked");
        assert!(!due(&timer));
        let begun = now().mono;
        timer
            .set(Some(begun.after(Duration::from_millis(20))))
            .expect("set");
        assert!(wait(&timer, Some(Duration::from_secs(60))).expect("asked"));
        assert!(now().mono >= begun.after(Duration::from_millis(20)));
        timer.set(Some(begun)).expect("set");
        assert!(wait(&timer, Some(Duration::from_secs(60))).expect("asked"));
        timer.set(Some(begun)).expect("set");
        timer.set(None).expect("set");
        assert!(!due(&timer));
    }

    #[test]
    fn a_day_on_the_calendar_is_waited_for() {
        let watch = CalendarWatch::new().expect("made");
        assert_eq!(watch.take(), None);
        watch.set(Some(Wall(1))).expect("set");
        assert!(wait(&watch, Some(Duration::from_secs(60))).expect("asked"));
        watch.set(Some(Wall(i64::MAX))).expect("set");
        assert_eq!(watch.take(), None);
    }

    #[test]
    fn a_clock_that_was_set_is_noticed_in_either_direction() {
        let before = now();
        let later = |mono: u64, wall: i64| Now {
            mono: Mono(before.mono.0 + mono),
            wall: Wall(before.wall.0 + wall),
        };
        assert!(!changed(before, later(5_000_000_000, 5_000_000_001)));
        assert!(changed(before, later(5_000_000_000, 9_000_000_000)));
        assert!(changed(before, later(5_000_000_000, -9_000_000_000)));
    }

    #[test]
    fn time_from_now_is_never_the_beginning_of_the_calendar() {
        assert_eq!(relative(Mono(5), Mono(9)), -1);
        assert_eq!(relative(Mono(250), Mono(0)), -3);
        assert_eq!(relative(Mono(u64::MAX), Mono(0)), -184_467_440_737_095_517);
    }
}
