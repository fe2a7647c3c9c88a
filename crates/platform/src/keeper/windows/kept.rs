//! What the keeper holds of the runs, as this daemon knows: so that a new daemon finds a run's job though
//! its main process is gone, and a new keeper gets what the old one had.

use std::collections::BTreeMap;
use std::io;
use std::os::windows::io::OwnedHandle;
use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_model::{RunId, UnitId};

use crate::identity::Handle;
use crate::keeper::Key;

/// The key of a run's main process. Its unit is the key's, its run the `sub`.
pub(super) const PROCESS: u32 = 0xFFFF_FF01;
/// The key of a run's job.
pub(super) const JOB: u32 = 0xFFFF_FF02;

static KEPT: Mutex<BTreeMap<Key, OwnedHandle>> = Mutex::new(BTreeMap::new());

fn kept() -> MutexGuard<'static, BTreeMap<Key, OwnedHandle>> {
    // Whoever panicked while having it left a whole map.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn key(kind: u32, (unit, run): (UnitId, RunId)) -> Key {
    Key {
        kind,
        unit: unit.0,
        sub: run.0,
    }
}

/// Whether it is a run that has this key.
pub(super) fn is_of_run(key: Key) -> bool {
    key.kind == PROCESS || key.kind == JOB
}

/// The keeper holds it under this key.
pub(super) fn note(key: Key, handle: OwnedHandle) {
    kept().insert(key, handle);
}

/// It holds nothing of this run any more.
pub(super) fn forget(run: (UnitId, RunId)) {
    let mut kept = kept();
    kept.remove(&key(PROCESS, run));
    kept.remove(&key(JOB, run));
}

/// All of it, for a new keeper.
pub(super) fn all() -> Vec<(Key, OwnedHandle)> {
    let kept = kept();
    // What cannot be duplicated is found by the run's record.
    let copies = kept
        .iter()
        .map(|(key, handle)| Some((*key, handle.try_clone().ok()?)));
    copies.flatten().collect()
}

/// The job of a run, if the keeper holds it.
///
/// # Errors
/// Those of DuplicateHandle.
pub(crate) fn job(unit: UnitId, run: RunId) -> io::Result<Option<OwnedHandle>> {
    copy(key(JOB, (unit, run)))
}

/// The main process of a run, if the keeper holds it: of one that has ended this still tells how.
///
/// # Errors
/// Those of DuplicateHandle and GetProcessTimes.
pub fn main_process(unit: UnitId, run: RunId) -> io::Result<Option<Handle>> {
    copy(key(PROCESS, (unit, run)))?
        .map(Handle::new)
        .transpose()
}

fn copy(key: Key) -> io::Result<Option<OwnedHandle>> {
    let kept = kept();
    kept.get(&key).map(OwnedHandle::try_clone).transpose()
}
