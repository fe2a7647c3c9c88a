//! Start one program exactly as its spec says, with nothing inherited by accident.
//!
//! [`spawn`] blocks until the program is executed or has failed to be, which on a hung disk can take
//! for ever: it belongs on a worker thread ([`Workers`]). What a child starts with:
//!
//! - every signal at its default, none blocked; a session and process group of its own;
//! - descriptors 0 to 2, from [`FIRST_SOCKET`] on what is passed to it, and the read ends of its own
//!   output at [`READ_END`] (so that it gets no SIGPIPE while nobody reads), its stages at
//!   [`STAGE_END`], nothing else;
//! - an environment from scratch: PATH, HOME, USER, LOGNAME and SHELL of its account, then the spec's;
//! - its own directory, umask, user, groups, limits, priority;
//! - the tag and the control group by which all its descendants are known ([`crate::tree`]).

mod auxiliary;
mod workers;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux::reap;
#[cfg(target_os = "linux")]
pub(crate) use linux::reserve_read_ends;
#[cfg(target_os = "linux")]
pub use linux::{keep_tables_small, kept_numbers, spawn, spawn_auxiliary, surroundings};

pub use auxiliary::{Auxiliary, AuxiliaryOrder};
pub use workers::Workers;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use abide_model::{Launch, LimitUnsupported, RunId, UnitId};

use crate::identity::{Handle, Identity};
use crate::keeper::KeeperSocket;
use crate::tree::RunTree;

/// The descriptor number at which a child finds the read end of its own output; the second one, of a
/// split stderr, is one higher. A documented promise: programs that close everything may close it.
pub const READ_END: i32 = 200;

/// Where a child finds the stages of its output, one for each stream: as long as it has them, what was
/// on its way to its log is not lost when everybody else who held them has died.
pub const STAGE_END: i32 = READ_END + 2;

/// The numbers from [`READ_END`] on that programs find something of ours at.
pub(crate) const ENDS: [i32; 4] = [READ_END, READ_END + 1, STAGE_END, STAGE_END + 1];

/// Where passed sockets begin (`SD_LISTEN_FDS_START` of sd_listen_fds(3)).
pub const FIRST_SOCKET: i32 = 3;

/// One run to be started.
#[derive(Debug)]
pub struct Order {
    /// The unit.
    pub unit: UnitId,
    /// The run.
    pub run: RunId,
    /// How to run it.
    pub launch: Arc<Launch>,
    /// Variables of abide's own, set after the spec's.
    pub variables: Vec<(String, String)>,
    /// What the program finds from [`FIRST_SOCKET`] on, in this order, each with its name in
    /// `LISTEN_FDNAMES`: its sockets, then what it had stored. With `LISTEN_FDS` and `LISTEN_PID`, which
    /// is its main process's own number, and which are not set when this is empty. They are shared:
    /// the run's are duplicates of the same open file descriptions.
    pub sockets: Vec<(Arc<OwnedFd>, String)>,
    /// Standard input; `None`: `/dev/null`.
    pub stdin: Option<Arc<OwnedFd>>,
    /// Where the program says that it is ready: the number at which it finds this write end of a pipe.
    pub ready_fd: Option<(u32, OwnedFd)>,
    /// The unit's FIFOs, held open: the first is for standard output, a second for standard error. The run
    /// gets write ends of its own, and the read ends; `stdout`, `stderr` and `read_ends` are not
    /// looked at.
    pub fifos: Vec<Arc<OwnedFd>>,
    /// Standard output: a write-only description of the run's own. `None`: `/dev/null`.
    pub stdout: Option<OwnedFd>,
    /// Standard error; `None`: the same as `stdout`.
    pub stderr: Option<OwnedFd>,
    /// Read ends of its output, at most two; see [`READ_END`].
    pub read_ends: Vec<Arc<OwnedFd>>,
    /// Stages of its output; see [`STAGE_END`].
    pub stages: Stages,
    /// Where its processes are known by. From [`crate::tree::Trees::run`].
    pub tree: RunTree,
    /// The record file (`run/UNIT/record`); its directory must exist.
    pub record: Option<PathBuf>,
    /// The keeper's socket, from [`crate::keeper::Link::socket`]; `None`: the run is a child of this
    /// process, which has to reap it.
    pub keeper: Option<KeeperSocket>,
}

/// Stages of a run's output, at most two. Asked for when it is its turn to be started: those of a thousand
/// that wait for theirs would be a thousand descriptors.
#[derive(Default)]
pub struct Stages(Option<Box<MakeStages>>);

type MakeStages = dyn Fn() -> io::Result<Vec<Arc<OwnedFd>>> + Send + Sync;

impl Stages {
    /// These, which are made on the worker's thread.
    pub fn from_fn(
        make: impl Fn() -> io::Result<Vec<Arc<OwnedFd>>> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Box::new(make)))
    }

    pub(crate) fn make(&self) -> io::Result<Vec<Arc<OwnedFd>>> {
        self.0.as_ref().map_or(Ok(Vec::new()), |make| make())
    }
}

impl fmt::Debug for Stages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Stages" } else { "None" })
    }
}

/// A run that was started: its program is executed.
#[derive(Debug)]
pub struct Spawned {
    /// The main process.
    pub pid: u32,
    /// To watch and signal it. Its pidfd is readable once it ended, a little before the keeper tells
    /// how; `None` inside on kernels without pidfds.
    pub handle: Handle,
    /// For records and comparisons.
    pub identity: Identity,
    /// Limits that were asked for and cannot be had here.
    pub unsupported: Vec<LimitUnsupported>,
    /// What could not be done and did not stop the run (its record could not be written, …).
    pub warnings: Vec<String>,
}

/// See [`surroundings`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Surroundings {
    /// Every variable, the base included.
    pub environment: Vec<(String, String)>,
    /// User and group to change to; `None`: those of the daemon.
    pub user: Option<(u32, u32)>,
}

/// What a child does on its way to its program, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Step {
    /// Account, environment and descriptors are made ready (before any process exists).
    Prepare = 0,
    /// The process is made.
    Clone = 1,
    /// It leaves the daemon's session.
    Session = 2,
    /// It enters its control group.
    Group = 3,
    /// It tells the keeper.
    Record = 4,
    /// Resource limits, and the tag among them.
    Limits = 5,
    /// Nice value.
    Priority = 6,
    /// `oom_score_adj`.
    OomScore = 7,
    /// Supplementary groups, group, user.
    User = 8,
    /// Working directory.
    Directory = 9,
    /// Standard streams and read ends.
    Descriptors = 10,
    /// The program itself.
    Execute = 11,
}

impl Step {
    /// The step of that number, as the keeper passes it on.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        [
            Self::Prepare,
            Self::Clone,
            Self::Session,
            Self::Group,
            Self::Record,
            Self::Limits,
            Self::Priority,
            Self::OomScore,
            Self::User,
            Self::Directory,
            Self::Descriptors,
            Self::Execute,
        ]
        .into_iter()
        .find(|step| *step as u32 == number)
    }
}

/// Reads after "cannot".
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "prepare the program",
            Self::Clone => "make a process",
            Self::Session => "begin a session",
            Self::Group => "enter the control group",
            Self::Record => "tell the keeper",
            Self::Limits => "set resource limits",
            Self::Priority => "set the priority",
            Self::OomScore => "set oom_score",
            Self::User => "change to the user and its groups",
            Self::Directory => "enter the directory",
            Self::Descriptors => "lay out descriptors",
            Self::Execute => "execute the program",
        })
    }
}

/// A run that was not started; no process of the try is left. Shown whole:
/// "cannot execute /x/y: no such file or directory; …".
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {text}")]
pub struct SpawnError {
    /// Where it failed.
    pub step: Step,
    /// The error number, if the system gave one.
    pub errno: Option<i32>,
    /// In words, after "cannot".
    pub text: String,
    /// The keeper knows this run, and will tell that its process ended: to be answered with
    /// [`crate::keeper::Link::taken`], and not to be taken for an exit of a program.
    pub recorded: bool,
}
