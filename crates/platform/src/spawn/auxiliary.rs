//! Commands that run on behalf of a unit beside its runs: hooks, probes, reload commands.
//!
//! What such a command starts with is what a run starts with ([`crate::spawn`]): directory, user,
//! groups, umask, limits of each process, an environment from scratch, a session of its own, no
//! descriptors but its standard streams. What is different: it is a child of *this* process, which
//! reaps it (on Windows it dies with this process); it has no record and the keeper hears nothing of it, so it is not picked up after the
//! death of the daemon but ended ([`crate::tree::Trees::auxiliaries_left`]); its tree is its own, and the limits of the
//! unit's tree are not asked of it.

use std::io;
use std::sync::Arc;

use abide_model::{Command, ExitStatus, Launch};

use crate::handle::{Borrowed, Handle, Lend};
use crate::keeper::KeeperSocket;
use crate::tree::RunTree;

/// One auxiliary command to be started.
#[derive(Debug)]
pub struct AuxiliaryOrder {
    /// How the unit is run: the surroundings of the command.
    pub launch: Arc<Launch>,
    /// What to execute, in place of the launch's command.
    pub command: Command,
    /// Variables of abide's own, set after the spec's.
    pub variables: Vec<(String, String)>,
    /// Standard output; `None`: `/dev/null`.
    pub stdout: Option<Handle>,
    /// Standard error; `None`: the same as `stdout`.
    pub stderr: Option<Handle>,
    /// Where its processes are known by. From [`crate::tree::Trees::auxiliary`].
    pub tree: RunTree,
    /// For what programs inherit where their spec says nothing (`oom_score_adj`, open files); it is not
    /// spoken to.
    pub keeper: Option<KeeperSocket>,
}

/// A command that was started: its program is executed. To be waited for, or its number stays taken
/// until this process ends.
#[derive(Debug)]
#[must_use]
pub struct Auxiliary {
    pub(super) pid: u32,
    pub(super) handle: Option<Handle>,
}

impl Auxiliary {
    /// Its first process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// To wait for its end. `None` on kernels without pidfds.
    #[must_use]
    pub fn waitable(&self) -> Option<Borrowed<'_>> {
        self.handle.as_ref().map(Lend::lend)
    }

    /// How it ended, if it has: it is reaped then, and not to be asked again.
    ///
    /// # Errors
    /// Somebody else has reaped it.
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        super::reap(self, false)
    }

    /// Blocks until it has ended, and reaps it. Not to be asked again then.
    ///
    /// # Errors
    /// Somebody else has reaped it.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        Ok(super::reap(self, true)?.unwrap_or(ExitStatus::Unknown))
    }
}
