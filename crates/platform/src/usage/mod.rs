//! What runs use: CPU time, memory, processes.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::sample;

use std::time::Duration;

/// What a run's whole tree uses. Sampled by [`sample`] for many runs with one look at the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// CPU time of all living processes and of those they have reaped.
    pub cpu: Duration,
    /// Resident memory, in bytes, summed over the processes.
    pub memory: u64,
    /// Number of processes.
    pub processes: u64,
    /// What the main process does, if it lives.
    pub state: Option<OsState>,
}

/// What the system says of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OsState {
    /// On a CPU, or wants to be.
    Running,
    /// Waits for something.
    Sleeping,
    /// Waits and cannot be interrupted, usually for a disk.
    Blocked,
    /// Stopped by a signal or a debugger.
    Stopped,
    /// Ended, not reaped.
    Zombie,
}

impl OsState {
    /// The word that `status` shows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::Blocked => "blocked",
            Self::Stopped => "stopped",
            Self::Zombie => "zombie",
        }
    }
}
