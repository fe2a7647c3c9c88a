//! The end of the daemon's and the keeper's processes, which `abide down` waits for.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{ended, open};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{ended, open};

use std::time::Duration;

/// Between two looks at a process where nothing tells of its end.
const PAUSE: Duration = Duration::from_millis(10);
