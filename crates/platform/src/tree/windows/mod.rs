//! One job object a run.

#![allow(unsafe_code)]

mod job;
mod port;

use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use abide_model::{Launch, LimitUnsupported, RunId, UnitId};
use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use crate::identity::Handle;
use crate::keeper::kept;
use crate::limits::Settings;
use crate::win32::{checked, owned, raw};

pub(crate) use job::is_console_host;
pub use port::JobMessage;

use job::Job;
use port::Port;

/// The exit code of processes that are ended with their job: an NTSTATUS of our own, "terminated by abide".
pub const TERMINATED: u32 = 0xE0AB_1DE0;

/// Makes jobs, and hears what they say.
#[derive(Debug)]
pub struct Trees {
    port: Port,
    keys: AtomicUsize,
}

/// The processes of one run.
#[derive(Clone, Debug)]
pub struct RunTree(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    unit: UnitId,
    run: RunId,
    key: usize,
    job: Job,
    settings: Settings,
    unsupported: Vec<LimitUnsupported>,
}

impl Trees {
    /// With a completion port of its own.
    ///
    /// # Errors
    /// Those of CreateIoCompletionPort.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            port: Port::new()?,
            keys: AtomicUsize::new(1),
        })
    }

    /// A job for a run, with the unit's limits. Whatever is in it dies with the last handle to it, until it
    /// is released.
    ///
    /// # Errors
    /// Those of CreateJobObject and SetInformationJobObject.
    pub fn run(&self, unit: UnitId, run: RunId, launch: &Launch) -> io::Result<RunTree> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let (settings, mut unsupported) = Settings::of(launch, processors);
        let job = Job::new()?;
        unsupported.extend(settings.tell(&job, false)?);
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        job.report_to(self.port.handle(), key)?;
        Ok(RunTree::new(unit, run, key, job, settings, unsupported))
    }

    /// The job of a run that lives already: the one that the keeper holds, or else by the handle to it that its
    /// main process was given. If that has never begun, as whoever made it was killed just then, it is set going.
    ///
    /// # Errors
    /// Those of DuplicateHandle: the process has ended, or has closed the handle. The messages of a job
    /// go where they went before, if anybody still holds that port.
    pub fn adopt(
        &self,
        unit: UnitId,
        run: RunId,
        main: &Handle,
        handle: u64,
        launch: &Launch,
    ) -> io::Result<RunTree> {
        if let Some(tree) = self.take_back(unit, run, launch)? {
            return Ok(tree);
        }
        let job = job_in(main, handle)?;
        crate::spawn::wake(main)?;
        Ok(self.tree(unit, run, job, launch))
    }

    /// The job of a run that the keeper holds, also when its main process has ended; `None`: it does not hold
    /// this one. A run that has never begun is set going, as by [`Trees::adopt`].
    ///
    /// # Errors
    /// Those of DuplicateHandle, and of setting it going.
    pub fn take_back(
        &self,
        unit: UnitId,
        run: RunId,
        launch: &Launch,
    ) -> io::Result<Option<RunTree>> {
        let Some(job) = kept::job(unit, run)? else {
            return Ok(None);
        };
        if let Some(main) = kept::main_process(unit, run)?.filter(Handle::alive) {
            crate::spawn::wake(&main)?;
        }
        Ok(Some(self.tree(unit, run, Job::from(job), launch)))
    }

    fn tree(&self, unit: UnitId, run: RunId, job: Job, launch: &Launch) -> RunTree {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let (settings, unsupported) = Settings::of(launch, processors);
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        // A job has one port for ever: while the first one is held somewhere, that is where it reports.
        let _ = job.report_to(self.port.handle(), key);
        RunTree::new(unit, run, key, job, settings, unsupported)
    }

    /// The next message of any job, with the key that [`RunTree::key`] tells; `None`: none came in time.
    ///
    /// # Errors
    /// Those of GetQueuedCompletionStatus.
    pub fn next(&self, at_most: Option<Duration>) -> io::Result<Option<(usize, JobMessage)>> {
        self.port.next(at_most)
    }
}

/// The job that has this number in its main process.
fn job_in(main: &Handle, handle: u64) -> io::Result<Job> {
    let mut job: HANDLE = std::ptr::null_mut();
    let number = usize::try_from(handle).unwrap_or(0) as HANDLE;
    // SAFETY: the process is held, the result goes to a local; a number that is no handle is refused.
    checked(unsafe {
        DuplicateHandle(
            raw(main),
            number,
            GetCurrentProcess(),
            &mut job,
            0,
            0,
            DUPLICATE_SAME_ACCESS,
        )
    })?;
    // SAFETY: it was made for us just now.
    let job = Job::from(unsafe { owned(job) }?);
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
    fn new(
        unit: UnitId,
        run: RunId,
        key: usize,
        job: Job,
        settings: Settings,
        unsupported: Vec<LimitUnsupported>,
    ) -> Self {
        Self(Arc::new(Inner {
            unit,
            run,
            key,
            job,
            settings,
            unsupported,
        }))
    }

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

    /// What messages of its job come with.
    #[must_use]
    pub fn key(&self) -> usize {
        self.0.key
    }

    /// Limits that were asked for and cannot be had here.
    #[must_use]
    pub fn unsupported(&self) -> &[LimitUnsupported] {
        &self.0.unsupported
    }

    /// The numbers of its live processes, without those of the system that show their consoles.
    ///
    /// # Errors
    /// Those of QueryInformationJobObject.
    pub fn processes(&self) -> io::Result<Vec<u32>> {
        let mut pids = self.0.job.pids()?;
        pids.retain(|&pid| !is_console_host(pid));
        Ok(pids)
    }

    /// Whether a live process is one of it.
    ///
    /// # Errors
    /// Those of QueryInformationJobObject.
    pub fn contains(&self, pid: u32) -> io::Result<bool> {
        Ok(self.0.job.pids()?.contains(&pid))
    }

    /// Puts a process into the job, as one that was not made there.
    ///
    /// # Errors
    /// Those of AssignProcessToJobObject.
    pub fn enter(&self, process: &impl AsHandle) -> io::Result<()> {
        self.0.job.assign(process)
    }

    /// From now on its processes live also when nobody holds the job.
    ///
    /// # Errors
    /// Those of SetInformationJobObject.
    pub fn release(&self) -> io::Result<()> {
        self.0.settings.tell(&self.0.job, true).map(|_| ())
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

    /// Ends every process of it with this code; they end a little later.
    ///
    /// # Errors
    /// Those of TerminateJobObject.
    pub fn terminate(&self, code: u32) -> io::Result<()> {
        self.0.job.terminate(code)
    }

    /// Waits until none is left, at most so long; whether none is.
    ///
    /// # Errors
    /// Those of QueryInformationJobObject.
    pub fn wait_empty(&self, at_most: Duration) -> io::Result<bool> {
        self.0.job.wait_empty(at_most)
    }
}

/// The job's handle.
impl AsHandle for RunTree {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.job.as_handle()
    }
}
