mod console;
mod window;

use std::io;
use std::os::windows::io::OwnedHandle;
use std::time::{Duration, Instant};

use abide_model::Signal;

use super::plan::{Outcome, Plan, Report, Step, Target, follow};
use crate::absent::{self, Absent};
use crate::identity::Handle;
use crate::tree::{RunTree, TERMINATED};

use console::Event;
pub use console::{ConsoleHelper, enter};

/// Whether [`ask`] may block, so that it is not for the driver: another process sends Ctrl-C.
pub const ASKING_BLOCKS: bool = true;

/// Takes one step of a stop: asks all of the run to end, does not wait for what comes of it, and says what was
/// done. A signal means here what comes closest to it:
///
/// - `INT`: Ctrl-C in its consoles;
/// - `TERM`: that, and its windows are closed;
/// - `QUIT`: Ctrl-Break in its consoles;
/// - `HUP`: its windows are closed;
/// - `KILL`: its job is terminated.
///
/// # Errors
/// Nobody of it can be asked in this way; `Unsupported` for any other signal.
pub fn ask(tree: &RunTree, signal: Signal) -> io::Result<Option<String>> {
    let consoles = |event| {
        let processes = held(tree)?;
        ConsoleHelper::own()?.send(event, &processes)
    };
    let windows = || window::close(&tree.processes()?);
    let done = match signal {
        Signal::INT => [sent("Ctrl-C", consoles(Event::CtrlC)?), None],
        Signal::TERM => {
            // Both are tried, and it is enough if one of them reaches somebody.
            let closed = windows();
            let asked = consoles(Event::CtrlC);
            match (closed, asked) {
                (Err(error), Err(_)) => return Err(error),
                (closed, asked) => [
                    sent("Ctrl-C", asked.unwrap_or(0)),
                    closing(closed.unwrap_or(0)),
                ],
            }
        }
        QUIT => [sent("Ctrl-Break", consoles(Event::CtrlBreak)?), None],
        Signal::HUP => [closing(windows()?), None],
        Signal::KILL => {
            tree.terminate(TERMINATED)?;
            [Some("its job terminated".to_owned()), None]
        }
        _ => return Err(absent::STOP_SIGNALS.error()),
    };
    let done: Vec<String> = done.into_iter().flatten().collect();
    if done.is_empty() {
        let missing = match signal {
            Signal::TERM => "console for Ctrl-C, and no window",
            Signal::HUP => "window",
            _ => "console",
        };
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("it has no {missing}"),
        ));
    }
    Ok(Some(done.join(", ")))
}

/// Whether a program can take this signal as the word to read its configuration again: it can hear Ctrl-C and Ctrl-Break, and
/// go on.
///
/// # Errors
/// All that others mean here is to end.
pub fn can_reload(signal: Signal) -> Result<(), &'static Absent> {
    match signal {
        Signal::INT | QUIT => Ok(()),
        _ => Err(&absent::RELOAD_SIGNALS),
    }
}

/// The processes of a run that there are now. While they are held their numbers are nobody else's.
fn held(tree: &RunTree) -> io::Result<Vec<Handle>> {
    let there = tree.processes()?.into_iter();
    let mut held: Vec<Handle> = there.filter_map(|pid| Handle::open(pid).ok()).collect();
    // One that ended before it was held may have left its number to a stranger, which is not in this tree.
    let there = tree.processes()?;
    held.retain(|process| there.contains(&process.identity().pid));
    Ok(held)
}

/// "Ctrl-C in 2 consoles"; nothing if it reached nobody.
fn sent(what: &str, consoles: usize) -> Option<String> {
    match consoles {
        0 => None,
        1 => Some(format!("{what} in 1 console")),
        n => Some(format!("{what} in {n} consoles")),
    }
}

/// "1 window asked to close"; nothing if there is none.
fn closing(windows: usize) -> Option<String> {
    match windows {
        0 => None,
        1 => Some("1 window asked to close".to_owned()),
        n => Some(format!("{n} windows asked to close")),
    }
}

const QUIT: Signal = Signal(3);

/// Stops a run, and returns when nothing of it is left or all was tried. Blocks for as long as the plan says:
/// it belongs on a worker thread. `input`: the write end of its standard input, if it has one.
pub fn stop(
    tree: &RunTree,
    input: Option<OwnedHandle>,
    helper: &ConsoleHelper,
    plan: &Plan,
) -> Report {
    let mut run = Run {
        tree,
        input,
        helper,
        begun: Instant::now(),
    };
    follow(plan, &mut run)
}

fn outcome(asked: io::Result<usize>) -> Outcome {
    match asked {
        Ok(0) => Outcome::Nobody,
        Ok(asked) => Outcome::Asked(asked),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

struct Run<'a> {
    tree: &'a RunTree,
    input: Option<OwnedHandle>,
    helper: &'a ConsoleHelper,
    begun: Instant,
}

impl Run<'_> {
    /// Asks all consoles that there are now.
    fn send(&self, event: Event) -> Outcome {
        outcome(held(self.tree).and_then(|processes| self.helper.send(event, &processes)))
    }
}

impl Target for Run<'_> {
    fn take(&mut self, step: Step) -> Outcome {
        match step {
            Step::EndOfInput => match self.input.take() {
                Some(input) => {
                    drop(input);
                    Outcome::Asked(1)
                }
                None => Outcome::Nobody,
            },
            Step::CtrlC => self.send(Event::CtrlC),
            Step::CtrlBreak => self.send(Event::CtrlBreak),
            Step::Close => outcome(self.tree.processes().and_then(|pids| window::close(&pids))),
            Step::Terminate => match self.tree.terminate(TERMINATED) {
                Ok(()) => Outcome::Asked(1),
                Err(error) => Outcome::Failed(error.to_string()),
            },
        }
    }

    fn wait_empty(&mut self, at_most: Duration) -> Result<bool, String> {
        self.tree
            .wait_empty(at_most)
            .map_err(|error| error.to_string())
    }

    fn elapsed(&mut self) -> Duration {
        self.begun.elapsed()
    }
}
