//! One job object a run.

#![allow(unsafe_code)]

mod job;
mod port;
mod sweeper;

use std::collections::HashMap;
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use abide_model::{Launch, LimitUnsupported, RunId, UnitId, UnitName};

use crate::identity::{Handle, Identity, Record, identify};
use crate::keeper::kept;
use crate::limits::{OutOfMemory, Processors, Settings};
use crate::win32::take_out_of;

pub use port::JobMessage;
pub use sweeper::Sweeper;

use job::{Job, is_console_host};
use port::Port;

/// The exit code of processes that are ended with their job: an NTSTATUS of our own, "terminated by abide".
pub const TERMINATED: u32 = 0xE0AB_1DE0;

/// What all runs of a home share.
#[derive(Clone, Debug)]
pub struct Trees(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Where jobs say what happens in them, if anybody listens.
    port: Option<Port>,
    keys: AtomicUsize,
    /// Those of auxiliary commands that may be there, by unit and number.
    auxiliaries: Mutex<HashMap<(UnitId, u32), Weak<Inner>>>,
}

/// The processes of one run. Cheap to clone; valid from before the run's spawn, which makes its job.
#[derive(Clone, Debug)]
pub struct RunTree(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    unit: UnitId,
    run: RunId,
    /// The number of an auxiliary command.
    auxiliary: Option<u32>,
    key: usize,
    shared: Arc<Shared>,
    /// The main process; 0: not spawned yet.
    main: AtomicU32,
    /// Of a run that an earlier daemon started: its main process, in case its job is not found.
    recorded: Option<Identity>,
    made: OnceLock<Made>,
}

#[derive(Debug)]
struct Made {
    job: Job,
    settings: Settings,
    unsupported: Vec<LimitUnsupported>,
}

impl Shared {
    fn auxiliaries(&self) -> MutexGuard<'_, HashMap<(UnitId, u32), Weak<Inner>>> {
        // Nothing is left half done under this lock.
        self.auxiliaries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trees {
    /// For the runs of a home. Jobs have no names, so nothing of it is in them.
    #[must_use]
    pub fn new(_home: &Path) -> Self {
        Self::with(None)
    }

    /// Like [`Trees::new`]: a run is a job on every Windows.
    #[must_use]
    pub fn without_groups(home: &Path) -> Self {
        Self::new(home)
    }

    /// Like [`Trees::new`], with a completion port at which the jobs say what happens in them.
    ///
    /// # Errors
    /// Those of CreateIoCompletionPort.
    pub fn reporting() -> io::Result<Self> {
        Ok(Self::with(Some(Port::new()?)))
    }

    fn with(port: Option<Port>) -> Self {
        Self(Arc::new(Shared {
            port,
            keys: AtomicUsize::new(1),
            auxiliaries: Mutex::default(),
        }))
    }

    /// Whether nothing can escape from a run, so that its emptiness is exact. Always: nobody leaves a job.
    #[must_use]
    pub fn are_exact(&self) -> bool {
        true
    }

    /// The tree of a run that is about to be started. Its job is made by its spawn.
    #[must_use]
    pub fn run(&self, unit: UnitId, _name: &UnitName, run: RunId) -> RunTree {
        self.tree(unit, run, None, None)
    }

    /// As [`Trees::run`], for the run that follows on `last` in the same unit.
    #[must_use]
    pub fn run_after(
        &self,
        _last: Option<&RunTree>,
        name: &UnitName,
        unit: UnitId,
        run: RunId,
    ) -> RunTree {
        self.run(unit, name, run)
    }

    /// The tree of an auxiliary command of a unit ([`crate::spawn::spawn_auxiliary`]): apart from those of
    /// the unit's runs, and gone with this process. No two living commands of a unit may have the same `n`.
    #[must_use]
    pub fn auxiliary(&self, unit: UnitId, _name: &UnitName, n: u32) -> RunTree {
        let tree = self.tree(unit, RunId(n.into()), Some(n), None);
        self.0
            .auxiliaries()
            .insert((unit, n), Arc::downgrade(&tree.0));
        tree
    }

    /// The trees of auxiliary commands that an earlier daemon left: none, as they die with it.
    #[must_use]
    pub fn auxiliaries_left(&self) -> Vec<RunTree> {
        Vec::new()
    }

    /// The unit on whose behalf this process runs as (part of) an auxiliary command, if it does.
    #[must_use]
    pub fn auxiliary_of(&self, pid: u32) -> Option<UnitId> {
        let trees: Vec<RunTree> = {
            let auxiliaries = self.0.auxiliaries();
            let trees = auxiliaries.values().filter_map(Weak::upgrade);
            trees.map(RunTree).collect()
        };
        let mut trees = trees.into_iter();
        trees
            .find(|tree| tree.contains(pid) == Some(true))
            .map(|tree| tree.unit())
    }

    /// The tree of a run of which only the main process is known, from the keeper's table; as [`Trees::adopt`].
    #[must_use]
    pub fn known(&self, unit: UnitId, _name: &UnitName, run: RunId, pid: u32) -> RunTree {
        let tree = self.tree(unit, run, None, identify(pid));
        tree.change_main(pid);
        tree.find_job(None);
        tree.set_going();
        tree
    }

    /// The tree of a run that a daemon before this one started: its job, which the keeper holds, or else by the
    /// handle to it that its main process was given. Where both are gone (the process has closed it, or has ended)
    /// only the main process itself is known, and others of the run are not found.
    ///
    /// A process that has never begun, as whoever made it was killed just then, is set going.
    #[must_use]
    pub fn adopt(&self, _name: &UnitName, record: &Record) -> RunTree {
        let tree = self.tree(record.unit, record.run, None, Some(record.process));
        tree.change_main(record.process.pid);
        tree.find_job(record.job);
        tree.set_going();
        tree
    }

    fn tree(
        &self,
        unit: UnitId,
        run: RunId,
        auxiliary: Option<u32>,
        recorded: Option<Identity>,
    ) -> RunTree {
        RunTree(Arc::new(Inner {
            unit,
            run,
            auxiliary,
            key: self.0.keys.fetch_add(1, Ordering::Relaxed),
            shared: Arc::clone(&self.0),
            main: AtomicU32::new(0),
            recorded,
            made: OnceLock::new(),
        }))
    }

    /// Nothing is kept of a unit.
    pub fn forget(&self, _name: &UnitName) {}

    /// Nothing is kept of a home.
    pub fn remove(&self) {}

    /// The next message of any job, with the key that [`RunTree::key`] tells; `None`: none came in time.
    ///
    /// # Errors
    /// Those of GetQueuedCompletionStatus; `InvalidInput`, if these are not from [`Trees::reporting`].
    pub fn next(&self, at_most: Option<Duration>) -> io::Result<Option<(usize, JobMessage)>> {
        match &self.0.port {
            Some(port) => port.next(at_most),
            None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

/// The process of this identity, if it still is there.
fn same(identity: Identity) -> Option<Handle> {
    let handle = Handle::open(identity.pid).ok()?;
    (handle.identity().start == identity.start).then_some(handle)
}

/// The job of a run that lives, by the number that a handle to it has in its main process.
///
/// Errors: the process has ended, or has closed the handle.
fn taken(main: &Handle, number: u64) -> io::Result<Job> {
    let job = Job::from(take_out_of(main, number)?);
    // A program that closed it and opened something else has another thing there.
    if !job.pids()?.contains(&main.identity().pid) {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the handle of its job is no longer there",
        ));
    }
    Ok(job)
}

impl RunTree {
    /// The unit.
    #[must_use]
    pub fn unit(&self) -> UnitId {
        self.0.unit
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.0.run
    }

    /// It is that of an auxiliary command, and [`RunTree::run`] is not a run's id.
    #[must_use]
    pub fn is_auxiliary(&self) -> bool {
        self.0.auxiliary.is_some()
    }

    /// The number of an auxiliary command, as given to [`Trees::auxiliary`].
    #[must_use]
    pub fn auxiliary_number(&self) -> u32 {
        self.0.auxiliary.unwrap_or(0)
    }

    /// Forgets an auxiliary command that has ended.
    pub fn discard(&self) {
        if let Some(n) = self.0.auxiliary {
            self.0.shared.auxiliaries().remove(&(self.0.unit, n));
        }
    }

    /// Nothing is made ahead here.
    pub(crate) fn make_way(&self) {}

    /// What messages of its job come with.
    #[must_use]
    pub fn key(&self) -> usize {
        self.0.key
    }

    /// The main process, once there is one.
    #[must_use]
    pub fn main(&self) -> Option<u32> {
        Some(self.0.main.load(Ordering::Acquire)).filter(|pid| *pid != 0)
    }

    /// From now on that is the main process.
    pub fn change_main(&self, pid: u32) {
        self.0.main.store(pid, Ordering::Release);
    }

    /// Its emptiness is exact: it has a job.
    #[must_use]
    pub fn is_grouped(&self) -> bool {
        true
    }

    /// Whether memory ran out in it. Never told here: a job refuses memory to who asks for more, and ends nobody.
    #[must_use]
    pub fn out_of_memory(&self) -> Option<OutOfMemory> {
        None
    }

    /// Makes its job, with these limits. Whatever is in it dies with the last handle to it, until it is
    /// released.
    ///
    /// # Errors
    /// Those of CreateJobObject and SetInformationJobObject.
    pub(crate) fn make(&self, launch: &Launch) -> io::Result<&Job> {
        let (settings, unsupported) = Settings::of(launch, Processors::here());
        self.make_with(settings, unsupported)
    }

    fn make_with(
        &self,
        settings: Settings,
        mut unsupported: Vec<LimitUnsupported>,
    ) -> io::Result<&Job> {
        let job = Job::new()?;
        unsupported.extend(settings.tell(&job, false)?);
        if let Some(port) = &self.0.shared.port {
            job.report_to(port.handle(), self.0.key)?;
        }
        let made = Made {
            job,
            settings,
            unsupported,
        };
        Ok(&self.0.made.get_or_init(|| made).job)
    }

    /// Looks for the job of a run that was started before.
    fn find_job(&self, number: Option<u64>) {
        let held = kept::job(self.unit(), self.run()).ok().flatten();
        let in_main = || taken(&same(self.0.recorded?)?, number?).ok();
        if let Some(job) = held.map(Job::from).or_else(in_main) {
            self.take_job(job);
        }
    }

    /// Sets its main process going, if that has never begun.
    fn set_going(&self) {
        if let Some(main) = self.0.recorded.and_then(same) {
            // One that cannot be set going is found to hang, and is ended as its policy says.
            let _ = crate::spawn::wake(&main);
        }
    }

    /// One that was made by somebody else.
    fn take_job(&self, job: Job) {
        if let Some(port) = &self.0.shared.port {
            // A job has one port for ever: while the first one is held somewhere, that is where it reports.
            let _ = job.report_to(port.handle(), self.0.key);
        }
        let made = Made {
            job,
            settings: Settings::default(),
            unsupported: Vec::new(),
        };
        // One that is there already is the same.
        let _ = self.0.made.set(made);
    }

    /// Its job.
    ///
    /// # Errors
    /// `NotFound`: it has none yet, or it is lost.
    pub(crate) fn job(&self) -> io::Result<&Job> {
        let made = self.0.made.get();
        made.map(|made| &made.job)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "its job is not known"))
    }

    /// Its job's handle.
    ///
    /// # Errors
    /// `NotFound`: it has none yet, or it is lost.
    pub fn handle(&self) -> io::Result<BorrowedHandle<'_>> {
        Ok(self.job()?.as_handle())
    }

    /// The main process, where that is all that is known of the run.
    fn alone(&self) -> Option<Handle> {
        same(self.0.recorded.filter(|_| self.0.made.get().is_none())?)
    }

    /// Limits that were asked for and cannot be had here.
    #[must_use]
    pub fn unsupported(&self) -> &[LimitUnsupported] {
        self.0.made.get().map_or(&[], |made| &made.unsupported)
    }

    /// The numbers of all its live processes.
    fn all(&self) -> io::Result<Vec<u32>> {
        match self.job() {
            Ok(job) => job.pids(),
            Err(_) => {
                let alone = self.alone().into_iter();
                Ok(alone.map(|main| main.identity().pid).collect())
            }
        }
    }

    /// The numbers of its live processes, without those of the system that show their consoles.
    ///
    /// # Errors
    /// Those of QueryInformationJobObject.
    pub fn processes(&self) -> io::Result<Vec<u32>> {
        let mut pids = self.all()?;
        pids.retain(|&pid| !is_console_host(pid));
        Ok(pids)
    }

    /// Whether a live process is one of it. `None`: nobody can tell.
    #[must_use]
    pub fn contains(&self, pid: u32) -> Option<bool> {
        self.all().ok().map(|pids| pids.contains(&pid))
    }

    /// Puts a process into its job, as one that was not made there.
    ///
    /// # Errors
    /// Those of CreateJobObject and AssignProcessToJobObject.
    pub fn enter(&self, process: &impl AsHandle) -> io::Result<()> {
        let job = match self.job() {
            Ok(job) => job,
            Err(_) => self.make_with(Settings::default(), Vec::new())?,
        };
        job.assign(process)
    }

    /// From now on its processes live also when nobody holds the job.
    ///
    /// # Errors
    /// Those of SetInformationJobObject.
    pub fn release(&self) -> io::Result<()> {
        let job = self.job()?;
        let settings = self.0.made.get().map(|made| made.settings);
        settings.unwrap_or_default().tell(job, true).map(|_| ())
    }

    /// Ends every process of it, with [`TERMINATED`], and waits until none is left, at most so long;
    /// whether none is.
    ///
    /// # Errors
    /// Those of TerminateJobObject and QueryInformationJobObject.
    pub fn kill(&self, at_most: Duration) -> io::Result<bool> {
        self.terminate(TERMINATED)?;
        self.wait_empty(at_most)
    }

    /// Ends every process of it with this code; they end a little later. One without a process is ended.
    ///
    /// # Errors
    /// Those of TerminateJobObject, or TerminateProcess.
    pub fn terminate(&self, code: u32) -> io::Result<()> {
        match (self.job(), self.alone()) {
            (Ok(job), _) => job.terminate(code),
            (Err(_), Some(main)) => main.terminate(code),
            (Err(_), None) => Ok(()),
        }
    }

    /// Waits until none is left, at most so long; whether none is.
    ///
    /// # Errors
    /// Those of QueryInformationJobObject.
    pub fn wait_empty(&self, at_most: Duration) -> io::Result<bool> {
        match (self.job(), self.alone()) {
            (Ok(job), _) => job.wait_empty(at_most),
            (Err(_), Some(main)) => Ok(main.exit(Some(at_most))?.is_some()),
            (Err(_), None) => Ok(true),
        }
    }
}
