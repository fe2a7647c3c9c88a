//! How a keeper comes to be.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::Arc;
use std::time::Duration;

use super::channel::{Channel, Operation, Received, Sent, pair};
use super::handles::{close_to_children, give, inherited, number as number_of};
use super::hold::{Keeper, Program};
use super::link::{take_starter, tell};
use super::process::{Order, Variables, create, has_console, variables};
use super::{KEEPER, KEEPER_FD, KEEPER_PROCESS, READY_FD, SAFE_MODE, SUCCESSOR, kept};
use crate::executable;
use crate::keeper::wire::{Frame, Kind, VERSION};
use crate::keeper::{Key, Launch, StartError};
use crate::win32::{inheritable, wait};

/// What a detached daemon keeps of the variables of whoever typed the command: what programs of Windows
/// expect, and what abide heeds.
const KEPT_VARIABLES: [&str; 30] = [
    "ALLUSERSPROFILE",
    "APPDATA",
    "CommonProgramFiles",
    "COMPUTERNAME",
    "ComSpec",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "Path",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "ProgramData",
    "ProgramFiles",
    "ProgramFiles(x86)",
    "PUBLIC",
    "SystemDrive",
    "SystemRoot",
    "TEMP",
    "TMP",
    "USERDOMAIN",
    "USERNAME",
    "USERPROFILE",
    "windir",
    "TZ",
    "RUST_BACKTRACE",
    "ABIDE_RECORD",
    "ABIDE_FAULT_FILE",
    "ABIDE_UNDER_WINE",
];

/// What is set anew for each process of ours.
const OWN_VARIABLES: [&str; 5] = [KEEPER_FD, KEEPER_PROCESS, READY_FD, SAFE_MODE, SUCCESSOR];

/// First of all in `main`, before arguments are parsed: if this process was started as a keeper,
/// be one, and return the code to exit with when all is over. `None`: it was not.
#[must_use]
pub fn enter() -> Option<i32> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != KEEPER) {
        for name in [KEEPER_FD, KEEPER_PROCESS, READY_FD] {
            // In the daemon: no program is to inherit these.
            if let Ok(number) = std::env::var(name) {
                close_to_children(&number);
            }
        }
        if std::env::var_os(KEEPER_FD).is_some() {
            executable::note_own();
        }
        return None;
    }
    let home = arguments.next().map(PathBuf::from).unwrap_or_default();
    let mut number = || arguments.next().and_then(|n| inherited(n.to_str()?));
    let (starter, adopt) = (number(), number());
    Some(keep(&home, starter, adopt, arguments.collect()))
}

fn keep(
    home: &Path,
    starter: Option<OwnedHandle>,
    adopt: Option<OwnedHandle>,
    arguments: Vec<OsString>,
) -> i32 {
    let lock = match crate::lock::acquire_keeper(home, adopt.is_some()) {
        Ok(lock) => lock,
        Err(error) => {
            say(starter, &error.to_string());
            return 1;
        }
    };
    let adopt = adopt.map(|pipe| Channel::new(&Arc::new(pipe))).transpose();
    let keeper = adopt.and_then(|mut adopt| {
        if let Some(daemon) = &mut adopt {
            // Whoever does not hear it takes this keeper for one that was refused.
            daemon.push(Frame::new(Kind::WELCOME, VERSION, [0; 4]));
            daemon.flush();
        }
        let program = Program {
            arguments,
            variables: variables(is_not_own),
        };
        Keeper::new(program, lock, starter, adopt)
    });
    match keeper {
        Ok(keeper) => keeper.run(),
        Err(error) => {
            say(None, &format!("hold anything: {error}"));
            1
        }
    }
}

/// Tells whoever started us, or else standard error.
fn say(starter: Option<OwnedHandle>, error: &str) {
    match starter {
        Some(pipe) => tell(pipe, &format!("error: {error}\n")),
        // There is nobody left to tell when this fails.
        None => drop(io::stderr().write_all(format!("abide: cannot {error}\n").as_bytes())),
    }
}

fn arguments(
    launch: &Launch,
    starter: Option<&OwnedHandle>,
    adopt: Option<&OwnedHandle>,
) -> Vec<OsString> {
    let number = |handle: Option<&OwnedHandle>| handle.map_or_else(|| "-".into(), number_of);
    [KEEPER.into(), launch.home.clone().into_os_string()]
        .into_iter()
        .chain([number(starter), number(adopt)])
        .chain(launch.daemon.iter().cloned())
        .collect()
}

fn is_not_own(name: &OsStr) -> bool {
    !OWN_VARIABLES.iter().any(|own| name == *own)
}

fn kept_variables() -> Variables {
    variables(|name| {
        KEPT_VARIABLES
            .iter()
            .any(|kept| name.eq_ignore_ascii_case(kept))
    })
}

/// Starts keeper and daemon without a console, in the system's directory, with little of
/// this process's environment; standard error goes to the end of `log`.
///
/// # Errors
/// Those of opening `log`, and of making a pipe and a process.
pub fn start_detached(launch: &Launch, log: &Path) -> Result<Starting, StartError> {
    let (reader, writer) = pair()?;
    let writer = inheritable(&writer)?;
    let stderr = OpenOptions::new().append(true).create(true).open(log)?;
    let (_, keeper) = create(&Order {
        program: None,
        arguments: arguments(launch, Some(&writer), None),
        variables: kept_variables(),
        handles: vec![&writer],
        stderr: Some(&stderr.into()),
        detached: true,
    })?;
    Ok(Starting {
        keeper,
        reading: Operation::new(&Arc::new(reader))?,
        log: log.to_owned(),
    })
}

/// Turns this process into the keeper, in the foreground (same process id, same standard streams), and ends it
/// when all is over. Returns only when that cannot be done.
#[must_use]
pub fn become_keeper(launch: &Launch) -> io::Error {
    exit(keep(&launch.home, None, None, launch.daemon.clone()))
}

/// How keeping has ended.
#[derive(Debug)]
pub struct Kept {
    /// The code to exit with.
    pub code: i32,
    /// Why it has not begun, if it has not: what keeper or daemon say of that.
    pub refused: Option<String>,
}

/// Has this process be the keeper until all is over, on this thread, while others of it do something else. `log`: what
/// the daemon says on standard error goes to the end of this file.
///
/// # Errors
/// Those of opening it, and of making a pipe.
pub fn be_keeper(launch: &Launch, log: &Path) -> io::Result<Kept> {
    let stderr = OpenOptions::new().append(true).create(true).open(log)?;
    super::process::set_stderr(stderr.into())?;
    let (reader, writer) = pair()?;
    let code = keep(&launch.home, Some(writer), None, launch.daemon.clone());
    let refused = refusal(&Arc::new(reader));
    let refused = refused.map(|words| {
        if words.starts_with("cannot ") {
            // The daemon's, which stand in the log.
            return words;
        }
        say(None, &words);
        format!("cannot {words}")
    });
    Ok(Kept { code, refused })
}

/// What was said to a starter that did not wait for it, if that is why something was refused.
fn refusal(pipe: &Arc<OwnedHandle>) -> Option<String> {
    let mut reading = Operation::new(pipe).ok()?;
    let mut text = Vec::new();
    // What was said is there; nobody is left who would say more.
    while reading.read().is_ok() && reading.wait(Some(Duration::ZERO)).ok()? {
        match reading.done() {
            Ok(Some(length)) => text.extend_from_slice(reading.bytes(length)),
            Ok(None) => {}
            Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&text);
    let words = text.trim_end().strip_prefix("error: ")?;
    Some(words.to_owned())
}

/// A daemon on its way up.
pub struct Starting {
    keeper: u32,
    reading: Operation,
    log: PathBuf,
}

impl Starting {
    /// The keeper's process.
    #[must_use]
    pub fn keeper(&self) -> u32 {
        self.keeper
    }

    /// Waits until the daemon is ready, or has said why not.
    ///
    /// # Errors
    /// [`StartError`] has the daemon's own words where it said some.
    pub fn wait(mut self, timeout: Duration) -> Result<(), StartError> {
        let deadline = crate::clock::now().mono.after(timeout);
        let mut text = Vec::new();
        loop {
            if !self.reading.under_way() && self.reading.read().is_err() {
                break;
            }
            let left = deadline.since(crate::clock::now().mono);
            if !self.reading.wait(Some(left))? {
                return Err(StartError::Slow {
                    seconds: timeout.as_secs(),
                    log: self.log,
                });
            }
            match self.reading.done() {
                Ok(None) => {}
                Ok(Some(length)) => text.extend_from_slice(self.reading.bytes(length)),
                // Nobody is left who could write to it.
                Err(_) => break,
            }
            if text == b"ready\n" {
                return Ok(());
            }
        }
        let text = String::from_utf8_lossy(&text);
        Err(match text.trim_end().strip_prefix("error: ") {
            Some(error) => StartError::Refused(error.to_owned()),
            None => StartError::Silent { log: self.log },
        })
    }
}

impl std::fmt::Debug for Starting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Starting")
            .field("keeper", &self.keeper)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// The keeper is gone: starts a new one, gives it these handles and those of the runs, and has it start a new
/// daemon as soon as this process ends, which it should at once (runs go on and are adopted). Whoever waits for
/// this daemon to be ready waits for that one then. When this returns the new keeper has the home.
///
/// # Errors
/// Those of starting the keeper; another keeper has the home, and keeps it.
pub fn hand_over(launch: &Launch, descriptors: &[(Key, BorrowedHandle<'_>)]) -> io::Result<()> {
    let starter = take_starter().map(|pipe| inheritable(&pipe)).transpose()?;
    let (ours, theirs) = pair()?;
    let theirs = inheritable(&theirs)?;
    let (process, _) = create(&Order {
        program: None,
        arguments: arguments(launch, starter.as_ref(), Some(&theirs)),
        variables: variables(is_not_own),
        handles: starter.iter().chain([&theirs]).collect(),
        stderr: None,
        detached: !has_console(),
    })?;
    drop((starter, theirs));
    let mut line = Channel::new(&Arc::new(ours))?;
    loop {
        match line.receive() {
            Received::Message(_) => break,
            Received::Nothing => drop(wait(&line.readable(), None)?),
            Received::End => {
                return Err(io::Error::new(
                    io::ErrorKind::AddrInUse,
                    "the new keeper found another one in this home, or was ended",
                ));
            }
        }
    }
    let runs = kept::all();
    let runs = runs.iter().map(|(key, handle)| (*key, handle.as_handle()));
    for (key, handle) in descriptors.iter().copied().chain(runs) {
        let number = give(&handle, &process)?;
        line.push(Frame::of_key(Kind::HOLD, key, number));
    }
    while line.flush() == Sent::Later {
        if let Some(through) = line.writable() {
            wait(&through, None)?;
        }
    }
    // Left open: its end tells the keeper that this process, and what it was spawning, is through.
    Box::leak(Box::new(line));
    Ok(())
}
