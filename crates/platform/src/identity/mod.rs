//! Which process exactly: a number that is not reused within a boot, and the record of a run that
//! lets a new daemon find it again.

mod record;
pub use record::Record;

/// The size of a record file.
#[cfg(target_os = "linux")]
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

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Handle, exit_of_stranger, identify, parent, probe};

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
    /// Field 22 of `/proc/PID/stat`; on Windows the time of its making, in units of 100 ns since 1601.
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
    /// There is a process of that number, and it cannot be told whether it is the one: not to be taken for
    /// ended, and not to be started again.
    Doubtful(std::io::Error),
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use abide_model::{RunId, UnitId};
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;

    const ALONE: &str = "ABIDE_TEST_ALONE";

    /// In a process of its own, as the limit is that of all its threads.
    #[test]
    fn a_process_that_cannot_be_looked_at_for_want_of_descriptors_is_in_doubt_and_not_another_one()
    {
        if std::env::var_os(ALONE).is_none() {
            let own = std::env::current_exe().expect("this is a program");
            let name = std::thread::current().name().expect("a test").to_owned();
            let ended = Command::new(own)
                .args(["--exact", &name])
                .env(ALONE, "1")
                .output();
            let ended = ended.expect("it can be run");
            return assert!(ended.status.success(), "{ended:?}");
        }
        let process = identify(std::process::id()).expect("this one lives");
        let record = Record {
            unit: UnitId(1),
            run: RunId(1),
            process,
            leader: None,
            tagged: false,
            group: None,
            job: None,
            outputs: Vec::new(),
        };
        let by_inode_only = Record {
            process: Identity {
                start: None,
                ..process
            },
            ..record.clone()
        };
        let before = getrlimit(Resource::Nofile);
        let current = Some(0);
        setrlimit(Resource::Nofile, Rlimit { current, ..before }).expect("it may be lowered");
        let short = [probe(&record), probe(&by_inode_only)];
        setrlimit(Resource::Nofile, before).expect("and raised again");
        for found in short {
            assert!(matches!(found, Probe::Doubtful(_)), "{found:?}");
        }
        assert!(matches!(probe(&record), Probe::Alive(_)));
    }
}
