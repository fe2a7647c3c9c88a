//! What the threads wait for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use abide_platform::{Handle, pipe};

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

pub struct Waits(pipe::Waits);

impl Waits {
    pub fn new() -> io::Result<Self> {
        Ok(Self(pipe::Waits::new()?))
    }

    /// A pipe that is not waited for yet.
    pub fn add(&self, _: Key, _: &Arc<Handle>) -> io::Result<()> {
        Ok(())
    }

    /// Calls for this stream once, when there is something; with `kick`, at once.
    pub fn arm(&self, key: Key, pipe: &Arc<Handle>, kick: bool) -> io::Result<()> {
        if !kick {
            return self.0.arm(key, pipe);
        }
        self.0.disarm(key);
        self.0.call(key)
    }

    pub fn remove(&self, key: Key, _: &Arc<Handle>) -> io::Result<()> {
        self.0.disarm(key);
        Ok(())
    }

    /// After this time; once, and instead of what was set before.
    pub fn set_timer(&self, wait: Duration) -> io::Result<()> {
        self.0.call_after(wait, TIMER)
    }

    /// The timer's call was heard: it may call again.
    pub fn timer_heard(&self) -> io::Result<()> {
        Ok(())
    }

    /// Every thread is called to end.
    pub fn stop(&self) -> io::Result<()> {
        self.0.call(STOP)
    }

    /// Waits for the next call.
    pub fn next(&self) -> io::Result<Call> {
        Ok(match self.0.next()? {
            TIMER => Call::Timer,
            STOP => {
                // One call ends one wait, and there are more threads.
                self.stop()?;
                Call::Stop
            }
            key => Call::Stream(key),
        })
    }
}
