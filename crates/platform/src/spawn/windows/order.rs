use std::os::windows::io::OwnedHandle;
use std::path::PathBuf;
use std::sync::Arc;

use abide_model::{Launch, LimitUnsupported, RunId, UnitId};

use crate::identity::{Handle, Identity};
use crate::keeper::KeeperSocket;
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
    /// Standard input; `None`: `NUL`.
    pub stdin: Option<Arc<OwnedHandle>>,
    /// Standard output; `None`: `NUL`.
    pub stdout: Option<OwnedHandle>,
    /// Standard error; `None`: the same as `stdout`.
    pub stderr: Option<OwnedHandle>,
    /// Its job. From [`crate::tree::Trees::run`].
    pub tree: RunTree,
    /// The keeper's line, from [`crate::keeper::Link::socket`]; `None`: nobody holds the run but this process.
    pub keeper: Option<KeeperSocket>,
    /// The record file (`run/UNIT/record`); its directory must exist.
    pub record: Option<PathBuf>,
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
