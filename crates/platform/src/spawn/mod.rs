//! Start one program exactly as its spec says, with nothing inherited by accident.
//!
//! [`spawn`] blocks until the program is executed or has failed to be, which on a hung disk can take
//! for ever: it belongs on a worker thread ([`Workers`]). What a child starts with:
//!
//! - every signal at its default, none blocked; a session and process group of its own;
//! - descriptors 0 to 2, from [`FIRST_SOCKET`] on what is passed to it, and the read ends of its own
//!   output at [`READ_END`] (so that it gets no SIGPIPE while nobody reads), its stages at
//!   [`STAGE_END`], nothing else;
//! - an environment from scratch: PATH, HOME, USER, LOGNAME and SHELL of its account, then the spec's;
//! - its own directory, umask, user, groups, limits, priority;
//! - the tag and the control group by which all its descendants are known ([`crate::tree`]).

mod auxiliary;
mod workers;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux::reap;
#[cfg(target_os = "linux")]
pub(crate) use linux::{ENDS, reserve_read_ends};
#[cfg(target_os = "linux")]
pub use linux::{
    FIRST_SOCKET, Order, READ_END, STAGE_END, Spawned, Stages, keep_tables_small, kept_numbers,
    owner, spawn, spawn_auxiliary,
};

pub use auxiliary::{Auxiliary, AuxiliaryOrder};
pub use workers::Workers;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows::reap;
#[cfg(windows)]
pub(crate) use windows::{Attributes, command_line, wake};
#[cfg(windows)]
pub use windows::{
    Order, Spawned, Stages, keep_tables_small, kept_numbers, owner, spawn, spawn_auxiliary,
};

use std::fmt;

/// What a child does on its way to its program, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Step {
    /// Account, environment and descriptors are made ready (before any process exists).
    Prepare = 0,
    /// The process is made.
    Clone = 1,
    /// It leaves the daemon's session.
    Session = 2,
    /// It enters its control group.
    Group = 3,
    /// It tells the keeper.
    Record = 4,
    /// Resource limits, and the tag among them.
    Limits = 5,
    /// Nice value.
    Priority = 6,
    /// `oom_score_adj`.
    OomScore = 7,
    /// Supplementary groups, group, user.
    User = 8,
    /// Working directory.
    Directory = 9,
    /// Standard streams and read ends.
    Descriptors = 10,
    /// The program itself.
    Execute = 11,
}

impl Step {
    /// The step of that number, as the keeper passes it on.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        [
            Self::Prepare,
            Self::Clone,
            Self::Session,
            Self::Group,
            Self::Record,
            Self::Limits,
            Self::Priority,
            Self::OomScore,
            Self::User,
            Self::Directory,
            Self::Descriptors,
            Self::Execute,
        ]
        .into_iter()
        .find(|step| *step as u32 == number)
    }
}

/// Reads after "cannot".
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "prepare the program",
            Self::Clone => "make a process",
            Self::Session => "begin a session",
            Self::Group => "enter the control group",
            Self::Record => "tell the keeper",
            Self::Limits => "set resource limits",
            Self::Priority => "set the priority",
            Self::OomScore => "set oom_score",
            Self::User => "change to the user and its groups",
            Self::Directory => "enter the directory",
            Self::Descriptors => "lay out descriptors",
            Self::Execute => "execute the program",
        })
    }
}

/// A run that was not started; no process of the try is left. Shown whole:
/// "cannot execute /x/y: no such file or directory; …".
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {text}")]
pub struct SpawnError {
    /// Where it failed.
    pub step: Step,
    /// The error number, if the system gave one.
    pub errno: Option<i32>,
    /// In words, after "cannot".
    pub text: String,
    /// The keeper knows this run, and will tell that its process ended: to be answered with
    /// [`crate::keeper::Link::taken`], and not to be taken for an exit of a program.
    pub recorded: bool,
}

/// What the tests of this crate start.
#[cfg(all(test, windows))]
pub(crate) mod tests {
    use abide_model::{Command, EnvironmentSpec, Launch, Limits, StdinSpec};

    /// This command, in the folder of temporary files.
    pub(crate) fn launch(words: &[&str]) -> Launch {
        Launch {
            command: Command::Argv(words.iter().map(|&word| word.to_owned()).collect()),
            directory: std::env::temp_dir(),
            environment: EnvironmentSpec::default(),
            user: None,
            password_file: None,
            group: None,
            umask: 0o022,
            priority: None,
            cpu_affinity: None,
            oom_score: None,
            stdin: StdinSpec::Null,
            limits: Limits::default(),
            notify: None,
            fd_store: 0,
            socket: None,
        }
    }
}
