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

impl Order {
    /// A run with neither input nor output, that is not written down, a child of this process.
    #[must_use]
    pub fn new(unit: UnitId, run: RunId, launch: Arc<Launch>, tree: RunTree) -> Self {
        Self {
            unit,
            run,
            launch,
            variables: Vec::new(),
            sockets: Vec::new(),
            stdin: None,
            ready_fd: None,
            fifos: Vec::new(),
            stdout: None,
            stderr: None,
            read_ends: Vec::new(),
            stages: Stages::default(),
            tree,
            record: None,
            keeper: None,
        }
    }
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
