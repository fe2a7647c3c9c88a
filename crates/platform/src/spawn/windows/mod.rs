//! A run of Windows: made suspended in its job, recorded, released, set going.
//!
//! ```text
//!   CreateProcess (suspended, in the job, which dies with us)
//!     │  killed here: the job's last handle goes, and the process with it, before its first instruction
//!   handles to its job and to both ends of its output are put into the process
//!   record ──────── run/UNIT/record says which process, and where in it those handles are
//!   release ─────── the job no longer dies with its handles
//!   keeper ──────── it has process and job
//!     │  killed here or before: it lies there suspended; who finds the record sets it going ([`wake`])
//!   resume
//! ```
//!
//! What a process starts with:
//!
//! - the three standard handles, and those that are put into it, which its own children do not get;
//! - an environment from scratch: that of its account, then the spec's;
//! - a console of its own that nobody sees, so that it can be sent Ctrl-C and nobody else gets it
//!   ([`crate::stop`]). (A process group of its own would do the opposite: Windows has Ctrl-C ignored in
//!   those.)

#![allow(unsafe_code)]

mod attributes;
mod auxiliary;
mod batch;
mod environment;
mod order;
mod program;
mod quote;
mod wake;

use std::io;
use std::os::windows::io::OwnedHandle;
use std::path::Path;
use std::sync::Once;

use abide_model::{Launch, LimitUnsupported};
use windows_sys::Win32::Foundation::{ERROR_DIRECTORY, HANDLE};
use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Threading::{
    CREATE_DEFAULT_ERROR_MODE, CREATE_NO_WINDOW, CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT,
    CreateProcessW, EXTENDED_STARTUPINFO_PRESENT, PROCESS_CREATION_FLAGS, PROCESS_INFORMATION,
    ResumeThread, STARTF_USESTDHANDLES, STARTUPINFOEXW,
};

use super::{SpawnError, Step, Surroundings};
use crate::absent;
use crate::exit::errno_text;
use crate::handle::Borrowed;
use crate::identity::{Handle, Record};
use crate::pipe::Output;
use crate::win32::{begun, checked, inheritable, owned, put_into, raw, wide};

pub(crate) use attributes::Attributes;
pub(super) use auxiliary::reap;
pub use auxiliary::spawn_auxiliary;
use environment::Environment;
pub use order::{Order, Spawned, Stages};
pub(crate) use quote::command_line;
pub(crate) use wake::wake;

/// How every process is made. Not in a process group of its own: see above.
const FLAGS: PROCESS_CREATION_FLAGS = CREATE_SUSPENDED
    | CREATE_UNICODE_ENVIRONMENT
    | EXTENDED_STARTUPINFO_PRESENT
    | CREATE_NO_WINDOW
    | CREATE_DEFAULT_ERROR_MODE;

/// Windows takes a current directory of at most so many characters, whatever its prefix.
const LONGEST_DIRECTORY: usize = 258;

/// Starts a run: when this returns its program is going. Blocks while the system looks for the file, which
/// on a share that hangs can take long: it belongs on a worker thread.
///
/// # Errors
/// [`SpawnError`]; no process of the try is left.
pub fn spawn(order: &Order) -> Result<Spawned, SpawnError> {
    begin(order)?.go(order)
}

/// Numbers of descriptors that are kept free for programs which are being started: a handle has no number
/// that anybody could take.
#[must_use]
pub fn kept_numbers() -> usize {
    0
}

/// Tables of descriptors are not inherited here.
pub fn keep_tables_small(_: Borrowed<'_>) {}

/// Makes the process, which does not run yet.
fn begin(order: &Order) -> Result<Begun, SpawnError> {
    let launch = &order.launch;
    refuse_what_windows_has_not(order)?;
    let account = launch.user.as_ref().or(launch.group.as_ref());
    if let Some(account) = account {
        return Err(refused(
            Step::User,
            None,
            format!("change to {account}: {}", absent::ACCOUNTS.reason),
        ));
    }
    let environment = variables(launch, &order.variables)?;
    let directory = directory(&launch.directory)?;
    let program = program::resolve(&launch.command, &launch.directory, &environment)?;
    let prepare = |error: io::Error| failed(Step::Prepare, "prepare the program", &error);
    let streams = Streams::new(order).map_err(prepare)?;
    let job = order
        .tree
        .make(launch)
        .map_err(|error| failed(Step::Group, "make its job", &error))?;
    let attributes = Attributes::new(Some(raw(job)), &streams.all()).map_err(prepare)?;

    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = size_of::<STARTUPINFOEXW>() as u32;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = raw(&streams.stdin);
    startup.StartupInfo.hStdOutput = raw(&streams.stdout);
    startup.StartupInfo.hStdError = raw(&streams.stderr);
    startup.lpAttributeList = attributes.pointer();

    let file = wide(&program.file).map_err(prepare)?;
    let mut line = wide(&program.line).map_err(prepare)?;
    let block = environment.block();
    let mut made = PROCESS_INFORMATION::default();
    hear_ctrl_c();
    let answer = begun(|| {
        // SAFETY: all texts end with a zero and live until after the call, as do the list and what it names;
        // the line may be written to; the structure says its size.
        checked(unsafe {
            CreateProcessW(
                file.as_ptr(),
                line.as_mut_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                1,
                FLAGS,
                block.as_ptr().cast(),
                directory.as_ptr(),
                (&raw const startup).cast(),
                &mut made,
            )
        })
    });
    answer.map_err(|error| explain(launch, &program.file, &error))?;
    // SAFETY: both were made for us just now.
    let (process, thread) = unsafe { (owned(made.hProcess), owned(made.hThread)) };
    Ok(Begun {
        process: Some(process.map_err(prepare)?),
        thread: thread.map_err(prepare)?,
    })
}

/// Better not started than without what its specification asks for.
fn refuse_what_windows_has_not(order: &Order) -> Result<(), SpawnError> {
    let (what, why) = if !order.sockets.is_empty() {
        ("pass sockets to it", absent::SOCKETS.reason)
    } else if order.ready_fd.is_some() {
        (
            "pass it a descriptor to say on that it is ready",
            absent::READY_DESCRIPTOR.reason,
        )
    } else {
        return Ok(());
    };
    Err(refused(Step::Descriptors, None, format!("{what}: {why}")))
}

/// A process that has not run yet: ended when this is dropped.
struct Begun {
    process: Option<OwnedHandle>,
    thread: OwnedHandle,
}

impl Begun {
    fn go(mut self, order: &Order) -> Result<Spawned, SpawnError> {
        let at = |step| move |error: io::Error| failed(step, &step.to_string(), &error);
        let mut warnings = Vec::new();
        let Some(process) = &self.process else {
            return Err(refused(Step::Clone, None, "make a process".to_owned()));
        };
        let tree = order.tree.handle().map_err(at(Step::Group))?;
        // Where who has lost all others finds them.
        let job = put_into(process, &tree).map_err(at(Step::Group))?;
        let outputs = order.fifos.iter().map(|output| output.put_into(process));
        let outputs = outputs.collect::<io::Result<Vec<_>>>();
        let outputs = outputs.map_err(at(Step::Descriptors))?;
        let copy = process.try_clone().map_err(at(Step::Clone))?;
        let handle = Handle::new(copy).map_err(at(Step::Clone))?;
        let identity = handle.identity();
        if let Some(path) = &order.record
            && let Err(error) = Record::write(path, order.unit, order.run, &identity, job, &outputs)
        {
            warnings.push(format!("cannot write {}: {error}", path.display()));
        }
        order.tree.release().map_err(at(Step::Group))?;
        let run = (order.unit, order.run);
        if let Some(keeper) = &order.keeper
            && let Err(error) = keeper.hold_run(run, process, &tree)
        {
            warnings.push(format!("cannot have the keeper hold it: {error}"));
        }
        self.resume().map_err(|error| SpawnError {
            recorded: order.keeper.is_some(),
            ..error
        })?;
        order.tree.change_main(identity.pid);
        let unsupported: Vec<LimitUnsupported> = order.tree.unsupported().to_vec();
        Ok(Spawned {
            pid: identity.pid,
            identity,
            handle,
            unsupported,
            warnings,
        })
    }
}

impl Begun {
    /// Has it run, as one that dies with this process: nobody else has its job.
    fn go_with_us(mut self, order: &Order) -> Result<Handle, SpawnError> {
        let at = |step| move |error: io::Error| failed(step, &step.to_string(), &error);
        let Some(process) = &self.process else {
            return Err(refused(Step::Clone, None, "make a process".to_owned()));
        };
        let copy = process.try_clone().map_err(at(Step::Clone))?;
        let handle = Handle::new(copy).map_err(at(Step::Clone))?;
        self.resume()?;
        order.tree.change_main(handle.identity().pid);
        Ok(handle)
    }

    fn resume(&mut self) -> Result<(), SpawnError> {
        // SAFETY: the thread is ours, and suspended once.
        if unsafe { ResumeThread(raw(&self.thread)) } == u32::MAX {
            let error = io::Error::last_os_error();
            return Err(failed(Step::Execute, &Step::Execute.to_string(), &error));
        }
        self.process = None;
        Ok(())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(process) = self.process.take()
            && let Ok(handle) = Handle::new(process)
        {
            // It is in its job, which the caller ends as well.
            let _ = handle.terminate(crate::tree::TERMINATED);
        }
    }
}

/// The standard handles of a process, each an inheritable duplicate of its own: a list of handles may not
/// name one twice.
struct Streams {
    stdin: OwnedHandle,
    stdout: OwnedHandle,
    stderr: OwnedHandle,
}

impl Streams {
    fn new(order: &Order) -> io::Result<Self> {
        let nothing = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("NUL")?;
        let or_nothing = |handle: Option<&OwnedHandle>| match handle {
            Some(handle) => inheritable(handle),
            None => inheritable(&nothing),
        };
        let mut fifos = order.fifos.iter().map(Output::for_program);
        let (stdout, stderr) = match fifos.next() {
            Some(out) => (Some(out), fifos.next().or(Some(out))),
            None => (
                order.stdout.as_ref(),
                order.stderr.as_ref().or(order.stdout.as_ref()),
            ),
        };
        Ok(Self {
            stdin: or_nothing(order.stdin.as_deref())?,
            stdout: or_nothing(stdout)?,
            stderr: or_nothing(stderr)?,
        })
    }

    fn all(&self) -> [HANDLE; 3] {
        [raw(&self.stdin), raw(&self.stdout), raw(&self.stderr)]
    }
}

/// Whether Ctrl-C is ignored is inherited. Whoever started this process may have had it so; runs begin with
/// it heard.
fn hear_ctrl_c() {
    static ONCE: Once = Once::new();
    // SAFETY: without a handler it only sets that attribute.
    ONCE.call_once(|| unsafe {
        SetConsoleCtrlHandler(None, 0);
    });
}

/// What a run of this launch finds itself in.
///
/// # Errors
/// A variable that Windows cannot have.
pub fn surroundings(launch: &Launch) -> Result<Surroundings, SpawnError> {
    Ok(Surroundings {
        environment: variables(launch, &[])?.list(),
        user: None,
    })
}

fn variables(launch: &Launch, own: &[(String, String)]) -> Result<Environment, SpawnError> {
    let mut environment = Environment::of_the_account()
        .map_err(|error| failed(Step::Prepare, "read the account's variables", &error))?;
    for (name, value) in launch.environment.variables.iter().chain(own) {
        let set = environment.set(name, value);
        set.map_err(|text| refused(Step::Prepare, None, text))?;
    }
    Ok(environment)
}

fn directory(directory: &Path) -> Result<Vec<u16>, SpawnError> {
    let refuse = |why: &str| {
        let text = format!("enter the directory {}: {why}", directory.display());
        refused(Step::Directory, None, text)
    };
    let units = wide(directory).map_err(|error| refuse(&error.to_string()))?;
    if units.len() > LONGEST_DIRECTORY {
        return Err(refuse(&format!(
            "it has {} characters, and Windows takes {LONGEST_DIRECTORY}; choose a shorter one, or a \
             junction to it",
            units.len() - 1
        )));
    }
    if !directory.is_dir() {
        return Err(refuse("it is not there; make it, or change `directory`"));
    }
    Ok(units)
}

/// An error of CreateProcess in words that say what to do.
fn explain(launch: &Launch, file: &Path, error: &io::Error) -> SpawnError {
    const BAD_FORMAT: i32 = 193;
    const NEEDS_ELEVATION: i32 = 740;
    let code = error.raw_os_error();
    let step = match code {
        Some(code) if code == ERROR_DIRECTORY.cast_signed() => Step::Directory,
        _ => Step::Execute,
    };
    let why = code.map_or_else(|| error.to_string(), errno_text);
    let file = file.display();
    let text = match (step, code) {
        (Step::Directory, _) => {
            format!("enter the directory {}: {why}", launch.directory.display())
        }
        (_, Some(BAD_FORMAT)) => format!(
            "execute {file}: it is not a program for this system; name its interpreter first"
        ),
        (_, Some(NEEDS_ELEVATION)) => format!(
            "execute {file}: it asks for an administrator's rights; run abide as one, or as a service"
        ),
        _ => format!("execute {file}: {why}"),
    };
    refused(step, code, text)
}

fn failed(step: Step, what: &str, error: &io::Error) -> SpawnError {
    let why = error
        .raw_os_error()
        .map_or_else(|| error.to_string(), errno_text);
    refused(step, error.raw_os_error(), format!("{what}: {why}"))
}

fn refused(step: Step, errno: Option<i32>, text: String) -> SpawnError {
    SpawnError {
        step,
        errno,
        text,
        recorded: false,
    }
}
