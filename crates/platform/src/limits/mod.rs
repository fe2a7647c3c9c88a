//! Limits of a whole tree, through control groups or a job. (On Linux limits of each process are set by
//! [`crate::spawn`].)

use abide_model::LimitUnsupported;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{Controller, Site, Version, lift, set, wanted};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{Processors, Settings, Tell};

/// A run goes on with all processors.
pub(crate) fn no_such_processor() -> LimitUnsupported {
    LimitUnsupported {
        limit: "cpu_affinity".to_owned(),
        reason: "none of these processors is there for abide, so it runs on all".to_owned(),
    }
}

/// The kernel ended processes of a run for want of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory {
    /// How many so far in this run.
    pub killed: u64,
    /// The limit of the run that was met, in bytes. `None`: the memory of the machine, or of a group
    /// around abide.
    pub limit: Option<u64>,
}
