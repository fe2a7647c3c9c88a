//! What runs use: CPU time, memory, processes, block devices; and what keeps a process from going on.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{Desk, Look, halt, sample};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Desk, Look, halt, sample};

use std::time::Duration;

/// Which figures are wanted beside those that a look at the processes gives anyway: each of these is one
/// more file to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// CPU time.
    pub cpu: bool,
    /// Block devices.
    pub io: bool,
}

impl Figures {
    /// All that can be had.
    pub const ALL: Self = Self {
        cpu: true,
        io: true,
    };
}

/// What a run's whole tree uses. Sampled by [`sample`] for many runs with one look at the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// CPU time of the run so far; without a control group: of all living processes and of those they
    /// have reaped. `None`: not asked for.
    pub cpu: Option<Duration>,
    /// Memory in bytes: what counts against a limit, less the files that were only read or written and
    /// can be dropped at once; without a memory controller: resident memory, summed over the
    /// processes.
    pub memory: u64,
    /// Number of processes.
    pub processes: u64,
    /// What the main process does, if it lives.
    pub state: Option<OsState>,
    /// Block devices: of the run so far where a control group counts it, else of its living
    /// processes and of those they have reaped. `None`: not asked for, or it may not be seen.
    pub io: Option<Io>,
    /// How long the run was held back by its `cpu` limit, where it has one.
    pub throttled: Option<Duration>,
}

/// Bytes from and to block devices. What comes out of the page cache is not among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Io {
    /// Read.
    pub read: u64,
    /// Written.
    pub written: u64,
}

/// What keeps a process from going on. See [`halt`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Halt {
    /// A signal stopped it (SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU).
    Stopped,
    /// A debugger holds it.
    Traced {
        /// The debugger.
        by: u32,
    },
    /// It waits in the kernel, and no signal reaches it.
    Blocked {
        /// For what: the kernel's function, if that may be seen.
        function: Option<String>,
    },
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
