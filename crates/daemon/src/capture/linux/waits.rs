//! What the threads wait for: the epoll set's entries, and the timer.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};

use super::super::state::Key;

const TIMER: Key = u64::MAX;
const STOP: Key = u64::MAX - 1;

/// What a thread is called for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// There is something in this stream's pipe.
    Stream(Key),
    /// The time is over.
    Timer,
    /// It is to end.
    Stop,
}

pub struct Waits {
    epoll: OwnedFd,
    timer: OwnedFd,
    stop: OwnedFd,
}

/// A pipe that we hold both ends of is always readable or writable, so asking for either is how to be called
/// at once.
fn flags(kick: bool) -> EventFlags {
    let kicked = if kick {
        EventFlags::OUT
    } else {
        EventFlags::empty()
    };
    EventFlags::IN | kicked | EventFlags::ONESHOT
}

impl Waits {
    pub fn new() -> io::Result<Self> {
        let waits = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            timer: rustix::time::timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
            stop: rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        };
        let timer = EventFlags::IN | EventFlags::ONESHOT;
        epoll::add(&waits.epoll, &waits.timer, EventData::new_u64(TIMER), timer)?;
        let stop = EventData::new_u64(STOP);
        epoll::add(&waits.epoll, &waits.stop, stop, EventFlags::IN)?;
        Ok(waits)
    }

    /// A pipe that is not waited for yet.
    pub fn add(&self, key: Key, fifo: &OwnedFd) -> io::Result<()> {
        let none = EventFlags::ONESHOT;
        Ok(epoll::add(
            &self.epoll,
            fifo,
            EventData::new_u64(key),
            none,
        )?)
    }

    /// Calls for this stream once, when there is something; with `kick`, at once.
    pub fn arm(&self, key: Key, fifo: &OwnedFd, kick: bool) -> io::Result<()> {
        let key = EventData::new_u64(key);
        Ok(epoll::modify(&self.epoll, fifo, key, flags(kick))?)
    }

    pub fn remove(&self, _: Key, fifo: &OwnedFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fifo)?)
    }

    /// After this time; once, and instead of what was set before.
    pub fn set_timer(&self, wait: Duration) -> io::Result<()> {
        let spec = |time: Duration| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        let spec = Itimerspec {
            it_interval: spec(Duration::ZERO),
            it_value: spec(wait.max(Duration::from_nanos(1))),
        };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }

    /// The timer's call was heard: it may call again.
    pub fn timer_heard(&self) -> io::Result<()> {
        // The count of expirations says nothing that the time does not.
        let _ = rustix::io::read(&self.timer, &mut [0u8; 8]);
        let flags = EventFlags::IN | EventFlags::ONESHOT;
        let timer = EventData::new_u64(TIMER);
        Ok(epoll::modify(&self.epoll, &self.timer, timer, flags)?)
    }

    /// Every thread is called to end.
    pub fn stop(&self) -> io::Result<()> {
        rustix::io::write(&self.stop, &1u64.to_ne_bytes())?;
        Ok(())
    }

    /// Waits for the next call.
    pub fn next(&self) -> io::Result<Call> {
        let mut events = [epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        }];
        loop {
            match epoll::wait(&self.epoll, &mut events, None) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => {
                    return Ok(match events[0].data.u64() {
                        TIMER => Call::Timer,
                        STOP => Call::Stop,
                        key => Call::Stream(key),
                    });
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
