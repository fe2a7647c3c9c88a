//! What the clauses need of a platform: a keeper, a daemon that can be killed, programs.

use abide_model::{ExitStatus, Signal};

/// Why a test does not apply here.
pub struct Skipped(pub &'static str);

/// A test's outcome; it panics when it fails.
pub type Outcome = Result<(), Skipped>;

/// What a clause needs of a platform.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// A process that starts and ends programs.
    Daemon,
    /// One that may die, and another one that holds.
    Keeper,
    /// Programs that die by signals.
    Signals,
}

/// The programs of the clauses.
#[derive(Clone, Debug)]
pub enum Program {
    /// Ends at once with this code.
    Exit(i32),
    /// Sends itself this signal.
    Signalled(i32),
    /// Runs until it is ended.
    Idle,
    /// There is no such program.
    Missing,
    /// Forks twice, begins a new session, clears its environment, ignores SIGTERM, closes its
    /// descriptors, and idles; the main process ends.
    Escapee,
    /// As that, and then forks and ends every 0.3 ms.
    Hopper,
}

pub trait Platform {
    /// Starts a run; its pid, or why not.
    fn spawn(&mut self, run: u64, program: Program) -> Result<u32, String>;
    /// The system's words for a file that is not there.
    fn not_there(&self) -> String {
        "no such file or directory".to_owned()
    }
    /// How a program ends that is ended with its tree.
    fn killed(&self) -> ExitStatus {
        ExitStatus::Signal {
            signal: Signal::KILL,
            core: false,
        }
    }
    /// The daemon dies in the instant in which it has made the process.
    fn spawn_and_die(&mut self, run: u64, program: Program);
    /// Waits for the end of a run.
    fn exit(&mut self, run: u64) -> ExitStatus;
    /// The daemon has the exit.
    fn take(&mut self, run: u64);
    /// The runs of the table that the current daemon got.
    fn table(&mut self) -> Vec<u64>;
    /// Ends everything of a run; returns when nothing is left.
    fn kill_tree(&mut self, run: u64);
    /// Living processes of a run.
    fn processes(&mut self, run: u64) -> u64;
    /// Has the keeper hold something with this content.
    fn hold(&mut self, key: u64, content: &str);
    /// What the current daemon got under this key.
    fn held(&mut self, key: u64) -> Option<String>;
    /// The daemon is killed; returns when there is a new one.
    fn daemon_dies(&mut self);
    /// The daemon leaves on purpose with this code; the keeper's code.
    fn leave(&mut self, code: i32) -> i32;
}
