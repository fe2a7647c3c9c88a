//! Which process exactly: a number that is not reused within a boot, and the record of a run that
//! lets a new daemon find it again.

mod record;
pub use record::Record;

/// The size of a record file.
pub(crate) const fn record_size() -> usize {
    record::SIZE
}

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{Handle, exit_of_stranger, identify, parent, probe};
#[cfg(target_os = "linux")]
pub(crate) use linux::{
    Stat, ended, inode, inodes_tell, open, parse_stat, send_through, stat as stat_of,
};

use crate::clock::Boot;

/// One process of one boot. The inode number of a pidfd is unique within a boot (Linux 6.9 and
/// later, pidfs); elsewhere the start time, in clock ticks since boot, tells reused ids apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// The boot it belongs to.
    pub boot: Boot,
    /// Inode of its pidfd, where pidfds have inodes of their own.
    pub inode: Option<u64>,
    /// Field 22 of `/proc/PID/stat`.
    pub start: Option<u64>,
}

/// What became of a recorded process.
#[derive(Debug)]
pub enum Probe {
    /// It lives.
    Alive(Handle),
    /// It ended; how, where that can still be known.
    Gone(Option<abide_model::ExitStatus>),
    /// The number belongs to another process now: it ended, and nobody knows how.
    NotOurs,
}
