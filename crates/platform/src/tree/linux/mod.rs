use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use abide_model::{LimitUnsupported, RunId, Signal, UnitId, UnitName};

use crate::identity::Record;

/// What all runs of a home share: its part of the tags, and its control group where one can be made.
#[derive(Debug)]
pub struct Trees {}

/// All processes of one run. Cheap to clone; valid from before the run's spawn.
#[derive(Clone, Debug)]
pub struct RunTree(Arc<()>);

impl Trees {
    /// Finds out what this system offers, and makes the home's control group where it can.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        let _ = home;
        Self {}
    }

    /// The home's control group, `None` where none can be had.
    #[must_use]
    pub fn group(&self) -> Option<&Path> {
        None
    }

    /// The tree of a run that is about to be started.
    #[must_use]
    pub fn run(&self, unit: UnitId, name: &UnitName, run: RunId) -> RunTree {
        let _ = (unit, name, run);
        RunTree(Arc::new(()))
    }

    /// The tree of a run that a daemon before this one started. `record` is what was found in its
    /// record file, or what the keeper knows.
    #[must_use]
    pub fn adopt(&self, name: &UnitName, record: &Record) -> RunTree {
        let _ = (name, record);
        RunTree(Arc::new(()))
    }

    /// Which of these limits could not be enforced here, with the reason.
    #[must_use]
    pub fn unsupported(&self, limits: &abide_model::CgroupLimits) -> Vec<LimitUnsupported> {
        let _ = limits;
        Vec::new()
    }

    /// Removes the control group of a unit that is forgotten. Its processes must be gone.
    pub fn forget(&self, name: &UnitName) {
        let _ = name;
    }

    /// Removes every empty control group of the home and then its own, as the last act of a daemon
    /// that leaves nothing behind.
    pub fn remove(&self) {}
}

impl RunTree {
    /// The unit.
    #[must_use]
    pub fn unit(&self) -> UnitId {
        UnitId(0)
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        RunId(0)
    }

    /// The main process, once there is one.
    #[must_use]
    pub fn leader(&self) -> Option<u32> {
        None
    }

    /// Its control group, if it is in one.
    #[must_use]
    pub fn group(&self) -> Option<PathBuf> {
        None
    }

    /// Sends a signal to every process of the run's control group, else of its process group.
    /// No process: nothing is done.
    ///
    /// # Errors
    /// When no process of it may be signalled.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let _ = signal;
        Err(io::ErrorKind::Unsupported.into())
    }
}
