use std::fmt;
use std::io;
use std::os::windows::io::OwnedHandle;
use std::path::PathBuf;
use std::sync::Arc;

use abide_model::{Launch, LimitUnsupported, RunId, UnitId};

use crate::identity::{Handle, Identity};
use crate::keeper::KeeperSocket;
use crate::pipe::ForRuns;
use crate::tree::RunTree;

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
    /// Sockets and what was stored, each with its name: refused here, since a program finds no handle by its
    /// number.
    pub sockets: Vec<(Arc<OwnedHandle>, String)>,
    /// Standard input; `None`: `NUL`.
    pub stdin: Option<Arc<OwnedHandle>>,
    /// Where the program says that it is ready, and at which number: refused here.
    pub ready_fd: Option<(u32, OwnedHandle)>,
    /// The unit's pipes: the first is for standard output, a second for standard error. `stdout` and `stderr` are
    /// not looked at then.
    pub fifos: Vec<ForRuns>,
    /// Standard output; `None`: `NUL`.
    pub stdout: Option<OwnedHandle>,
    /// Standard error; `None`: the same as `stdout`.
    pub stderr: Option<OwnedHandle>,
    /// What of its output was on its way, which on Linux each run holds too. Not asked for here.
    pub stages: Stages,
    /// Its job. From [`crate::tree::Trees::run`].
    pub tree: RunTree,
    /// The keeper's line, from [`crate::keeper::Link::socket`]; `None`: nobody holds the run but this process.
    pub keeper: Option<KeeperSocket>,
    /// The record file (`run/UNIT/record`); its directory must exist.
    pub record: Option<PathBuf>,
}

impl Order {
    /// A run with neither input nor output, that is not written down.
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
            stages: Stages,
            tree,
            keeper: None,
            record: None,
        }
    }
}

/// What of a run's output is on its way to its log lies in a file here, and not with the run.
#[derive(Default)]
pub struct Stages;

impl Stages {
    /// None.
    pub fn from_fn(
        _make: impl Fn() -> io::Result<Vec<Arc<OwnedHandle>>> + Send + Sync + 'static,
    ) -> Self {
        Self
    }
}

impl fmt::Debug for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("None")
    }
}

/// A run that was started: its program is going.
#[derive(Debug)]
pub struct Spawned {
    /// The main process.
    pub pid: u32,
    /// To watch and end it. Signalled once it ended.
    pub handle: Handle,
    /// For records and comparisons.
    pub identity: Identity,
    /// Limits that were asked for and cannot be had here.
    pub unsupported: Vec<LimitUnsupported>,
    /// What could not be done and did not stop the run (its record could not be written, …).
    pub warnings: Vec<String>,
}
