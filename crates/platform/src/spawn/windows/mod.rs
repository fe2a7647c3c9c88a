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
mod create;
mod environment;
mod order;
mod program;
mod quote;
#[cfg(test)]
mod tests;
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
    EXTENDED_STARTUPINFO_PRESENT, PROCESS_CREATION_FLAGS, ResumeThread, STARTF_USESTDHANDLES,
    STARTUPINFOEXW,
};

use super::{SpawnError, Step};
use crate::absent;
use crate::exit::errno_text;
use crate::handle::Borrowed;
use crate::identity::{Handle, Record};
use crate::logon::{self, Owner, Whom};
use crate::pipe::Output;
use crate::private::Descriptor;
use crate::win32::{begun, inheritable, put_into, raw, wide};

pub(crate) use attributes::Attributes;
pub(super) use auxiliary::reap;
pub use auxiliary::spawn_auxiliary;
use create::{Making, System};
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
    begin(order, &System::machine(), Logon::Anew)?.go(order)
}

/// Numbers of descriptors that are kept free for programs which are being started: a handle has no number
/// that anybody could take.
#[must_use]
pub fn kept_numbers() -> usize {
    0
}

/// Tables of descriptors are not inherited here.
pub fn keep_tables_small(_: Borrowed<'_>) {}

/// Whether users are logged on anew: what they may changes only with a logon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Logon {
    /// For a run.
    Anew,
    /// For what belongs to a run: who is logged on already will do.
    Once,
}

/// Makes the process, which does not run yet.
fn begin(order: &Order, system: &System<'_>, logon: Logon) -> Result<Begun, SpawnError> {
    let launch = &order.launch;
    refuse_what_windows_has_not(order)?;
    let whom = whom(launch, system, logon)?;
    let whom = whom.as_ref();
    let environment = variables(launch, &order.variables, whom)?;
    // What they may not see or execute is not executed for them.
    let (directory, program) = acting_as(whom, system, || {
        let directory = directory(&launch.directory)?;
        let program = program::resolve(&launch.command, &launch.directory, &environment)?;
        Ok((directory, program))
    })?;
    let prepare = |error: io::Error| failed(Step::Prepare, "prepare the program", &error);
    let streams = Streams::new(order).map_err(prepare)?;
    let job = order
        .tree
        .make(launch)
        .map_err(|error| failed(Step::Group, "make its job", &error))?;
    let attributes = Attributes::new(Some(raw(job)), &streams.all()).map_err(prepare)?;
    let security = whom.map(|whom| Descriptor::of_process_of(&whom.sid));
    let security = security.transpose().map_err(prepare)?;

    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = size_of::<STARTUPINFOEXW>() as u32;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = raw(&streams.stdin);
    startup.StartupInfo.hStdOutput = raw(&streams.stdout);
    startup.StartupInfo.hStdError = raw(&streams.stderr);
    startup.lpAttributeList = attributes.pointer();
    // Nobody else may use the desktop that abide is on. An empty name: one of the logon's own, which is made if need be.
    let mut desktop = [0];
    if whom.is_some() {
        startup.StartupInfo.lpDesktop = desktop.as_mut_ptr();
    }

    let file = wide(&program.file).map_err(prepare)?;
    let mut line = wide(&program.line).map_err(prepare)?;
    let block = environment.block();
    let mut making = Making {
        file: &file,
        line: &mut line,
        security: security.as_ref(),
        flags: FLAGS,
        environment: &block,
        directory: &directory,
        startup: &startup,
    };
    hear_ctrl_c();
    let (process, thread) = acting_as(whom, system, || {
        let token = whom.map(|whom| &*whom.token);
        let made = begun(|| system.processes.create(token, &mut making));
        made.map_err(|error| explain(launch, &program.file, &error))
    })?;
    Ok(Begun {
        process: Some(process),
        thread,
        warning: whom.and_then(|whom| whom.warning.clone()),
    })
}

/// Who the run is for, if that is somebody else than abide's own account.
fn whom(launch: &Launch, system: &System<'_>, logon: Logon) -> Result<Option<Whom>, SpawnError> {
    if launch.group.is_some() {
        let text = format!("change its group: {}", absent::GROUPS.reason);
        return Err(refused(Step::User, None, text));
    }
    let Some(user) = &launch.user else {
        return Ok(None);
    };
    let (file, anew) = (launch.password_file.as_deref(), logon == Logon::Anew);
    let logged_on = system.sessions.log_on(system.accounts, user, file, anew);
    logged_on.map_err(not_logged_on)
}

/// What is done is done with their rights, and not with abide's.
fn acting_as<T>(
    whom: Option<&Whom>,
    system: &System<'_>,
    act: impl FnOnce() -> Result<T, SpawnError>,
) -> Result<T, SpawnError> {
    let disguise = whom.map(|whom| system.processes.act_as(&whom.token));
    let disguise = disguise.transpose();
    let _disguise = disguise.map_err(|error| failed(Step::User, "act for its user", &error))?;
    act()
}

fn not_logged_on(why: logon::Refused) -> SpawnError {
    refused(Step::User, why.code.map(u32::cast_signed), why.text)
}

/// Whom what is made for a unit is to be open to: its user, if that is somebody else. May block.
///
/// # Errors
/// There is nobody of this name, or nobody who could be logged on.
pub fn owner(launch: &Launch) -> Result<Option<Owner>, SpawnError> {
    logon::owner(launch.user.as_deref()).map_err(not_logged_on)
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
    /// What could not be done and did not stop it.
    warning: Option<String>,
}

impl Begun {
    fn go(mut self, order: &Order) -> Result<Spawned, SpawnError> {
        let at = |step| move |error: io::Error| failed(step, &step.to_string(), &error);
        let mut warnings: Vec<String> = self.warning.take().into_iter().collect();
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

fn variables(
    launch: &Launch,
    own: &[(String, String)],
    whom: Option<&Whom>,
) -> Result<Environment, SpawnError> {
    let environment = match whom {
        None => Environment::of_the_account(),
        Some(whom) => Environment::of(&whom.token),
    };
    let mut environment = environment
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
    match std::fs::metadata(directory) {
        Ok(found) if found.is_dir() => Ok(units),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(refuse(
            "its account may not look at it; let it do so, or change `directory`",
        )),
        _ => Err(refuse("it is not there; make it, or change `directory`")),
    }
}

/// An error of CreateProcess in words that say what to do.
fn explain(launch: &Launch, file: &Path, error: &io::Error) -> SpawnError {
    const ACCESS_DENIED: i32 = 5;
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
        (_, Some(ACCESS_DENIED)) => format!(
            "execute {file}: {why}; let {} read and execute it",
            launch.user.as_deref().unwrap_or("abide's account")
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
