//! Ctrl-C for programs with consoles of their own. A process reaches only the console that it is attached
//! to, and is itself reached by what it sends there: so a helper does it, a process of the same executable
//! that attaches itself, sends, and ends.

#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::io;
use std::os::windows::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use windows_sys::Win32::System::Console::{
    AttachConsole, CTRL_BREAK_EVENT, CTRL_C_EVENT, FreeConsole, GenerateConsoleCtrlEvent,
    GetConsoleProcessList, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::DETACHED_PROCESS;
use windows_sys::core::BOOL;

use crate::identity::{Handle, Identity};
use crate::win32::wait;

/// The first argument of a helper.
const HELPER: &str = "--be-the-console-helper";

/// Attaching and sending ask the console's host, which answers at once or hangs; a busy machine takes a while to load
/// a helper.
const AT_MOST: Duration = Duration::from_secs(20);

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    CtrlC,
    CtrlBreak,
}

impl Event {
    const ALL: [Self; 2] = [Self::CtrlC, Self::CtrlBreak];

    fn word(self) -> &'static str {
        match self {
            Self::CtrlC => "ctrl-c",
            Self::CtrlBreak => "ctrl-break",
        }
    }

    fn number(self) -> u32 {
        match self {
            Self::CtrlC => CTRL_C_EVENT,
            Self::CtrlBreak => CTRL_BREAK_EVENT,
        }
    }
}

/// The executable that plays the helper: one that calls [`enter`] first of all.
#[derive(Clone, Debug)]
pub struct ConsoleHelper {
    program: PathBuf,
}

impl ConsoleHelper {
    /// This executable.
    ///
    /// # Errors
    /// Those of GetModuleFileName.
    pub fn own() -> io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
        })
    }

    /// Sends to all consoles of these processes, but to none that this process is attached to; to how many.
    pub(super) fn send(&self, event: Event, processes: &[Handle]) -> io::Result<usize> {
        let mut child = Command::new(&self.program)
            .args([HELPER, event.word(), &std::process::id().to_string()])
            .args(processes.iter().map(|process| told(&process.identity())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // It must have no console to be able to take another one.
            .creation_flags(DETACHED_PROCESS)
            .spawn()?;
        if !wait(&child, Some(AT_MOST))? {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the host of its console does not answer",
            ));
        }
        let code = child.wait()?.code().unwrap_or(-1);
        match usize::try_from(code) {
            Ok(reached) if reached <= MOST => Ok(reached),
            _ => Err(io::Error::other(format!(
                "the console helper ended with {code:#x}"
            ))),
        }
    }
}

/// The most that a helper tells: what is above is no number of consoles.
const MOST: usize = 100;

/// To be called first of all in `main`: plays the helper if that is what this process was started for, and
/// says with which code it is to end then.
#[must_use]
pub fn enter() -> Option<i32> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(HELPER) {
        return None;
    }
    let event = arguments.next()?;
    let event = Event::ALL.into_iter().find(|known| known.word() == event)?;
    let spared = arguments.next()?.parse().ok()?;
    let reached = help(event, spared, arguments.filter_map(|word| find(&word)));
    Some(i32::try_from(reached.min(MOST)).unwrap_or(0))
}

/// Whatever arrives here is for others.
unsafe extern "system" fn ignore(_: u32) -> BOOL {
    1
}

/// A process, as the helper is told of it. Its number alone may be somebody else's when the helper has been loaded:
/// whoever sends may be gone by then, and its processes too.
fn told(process: &Identity) -> String {
    format!("{}:{}", process.pid, process.start.unwrap_or_default())
}

/// That very process, if it is still there; as long as it is held its number is nobody else's.
fn find(word: &str) -> Option<Handle> {
    let (pid, _) = word.split_once(':')?;
    let found = Handle::open(pid.parse().ok()?).ok()?;
    (told(&found.identity()) == word).then_some(found)
}

fn help(event: Event, spared: u32, processes: impl Iterator<Item = Handle>) -> usize {
    let (mut reached, mut seen) = (0, BTreeSet::new());
    // SAFETY: the handler does nothing; the others take numbers.
    unsafe {
        // This process keeps its own console's events away from itself, also the first one.
        SetConsoleCtrlHandler(Some(ignore), 1);
        FreeConsole();
    }
    for process in processes {
        let pid = process.identity().pid;
        // Several processes on one console are reached at once.
        if seen.contains(&pid) {
            continue;
        }
        // SAFETY: takes a number. One that has no console, or has ended, is refused.
        if unsafe { AttachConsole(pid) } == 0 {
            continue;
        }
        let there = attached();
        if !there.contains(&spared) {
            // SAFETY: takes numbers; group 0 is everybody on this console.
            reached += usize::from(unsafe { GenerateConsoleCtrlEvent(event.number(), 0) } != 0);
        }
        seen.extend(there);
        // SAFETY: gives up what was attached above.
        unsafe { FreeConsole() };
    }
    reached
}

/// The processes on the console that this one is attached to.
fn attached() -> Vec<u32> {
    let mut pids = vec![0; 64];
    loop {
        let room = u32::try_from(pids.len()).unwrap_or(u32::MAX);
        // SAFETY: the list has as much room as is said.
        let count = unsafe { GetConsoleProcessList(pids.as_mut_ptr(), room) } as usize;
        if count <= pids.len() {
            pids.truncate(count);
            return pids;
        }
        pids.resize(count + 16, 0);
    }
}
