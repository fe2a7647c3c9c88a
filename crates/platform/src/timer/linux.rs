use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use abide_model::{Mono, Wall};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

const OFF: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// A deadline on the clock that counts suspended time (`CLOCK_BOOTTIME`). Readable when it is due.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
}

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// Those of timerfd_create(2).
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Self {
            fd: timerfd_create(TimerfdClockId::Boottime, flags)?,
        })
    }

    /// Wakes at `at` (at once when that is over), or never. Replaces what was set before, also a
    /// wake-up that has not been seen yet.
    ///
    /// # Errors
    /// Those of timerfd_settime(2).
    pub fn set(&self, at: Option<Mono>) -> io::Result<()> {
        let value = match at {
            None => OFF,
            // Zero would switch the timer off.
            Some(at) => timespec(i64::try_from(at.0).unwrap_or(i64::MAX).max(1)),
        };
        let new = Itimerspec {
            it_interval: OFF,
            it_value: value,
        };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &new)?;
        Ok(())
    }

    /// Takes note of a wake-up, so that the descriptor is no longer readable.
    pub fn clear(&self) {
        let mut count = [0_u8; 8];
        // Nothing to read is as good as read.
        let _ = rustix::io::read(&self.fd, &mut count);
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A deadline on the calendar that also wakes when somebody sets the clock.
#[derive(Debug)]
pub struct CalendarWatch {
    fd: OwnedFd,
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
    /// Watches for changes of the clock only, until a deadline is set.
    ///
    /// # Errors
    /// Those of timerfd_create(2) and timerfd_settime(2).
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let watch = Self {
            fd: timerfd_create(TimerfdClockId::Realtime, flags)?,
        };
        watch.set(None)?;
        Ok(watch)
    }

    /// Wakes at `at`; `None`: only when the clock is set.
    ///
    /// # Errors
    /// Those of timerfd_settime(2).
    pub fn set(&self, at: Option<Wall>) -> io::Result<()> {
        let value = timespec(at.map_or(i64::MAX, |at| at.0.max(1)));
        let new = Itimerspec {
            it_interval: OFF,
            it_value: value,
        };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        match timerfd_settime(&self.fd, flags, &new) {
            // The timer is set all the same; the change that this reports is not lost, since the
            // caller asks for the time anew whenever it sets a deadline (timerfd_settime(2), BUGS).
            Ok(_) | Err(rustix::io::Errno::CANCELED) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Why it woke; `None`: it did not.
    #[must_use]
    pub fn take(&self) -> Option<CalendarEvent> {
        let mut count = [0_u8; 8];
        match rustix::io::read(&self.fd, &mut count) {
            Ok(_) => Some(CalendarEvent::Due),
            Err(rustix::io::Errno::CANCELED) => Some(CalendarEvent::ClockChanged),
            Err(_) => None,
        }
    }
}

impl AsFd for CalendarWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn timespec(nanoseconds: i64) -> Timespec {
    Timespec {
        tv_sec: nanoseconds / 1_000_000_000,
        tv_nsec: nanoseconds % 1_000_000_000,
    }
}
