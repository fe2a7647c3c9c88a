//! Processes, as far as services are about them.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{user, wait_and_leave};

#[cfg(not(unix))]
mod windows;
#[cfg(not(unix))]
pub(crate) use windows::{user, wait_and_leave};

use std::time::Duration;

/// Does nothing for a while: for what tells nobody that it has changed.
pub(crate) fn pause(time: Duration) {
    std::thread::park_timeout(time);
}
