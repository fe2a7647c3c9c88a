//! The process that holds, so that the process that decides may die at any instant.
//!
//! ```text
//!   keeper ─┬─ daemon          decides; started again when it dies
//!           ├─ run of web      spawned by the daemon with CLONE_PARENT: the keeper's children
//!           └─ run of db
//! ```
//!
//! The keeper is the parent and the subreaper of every run, keeps a table of descriptors by [`Key`]
//! and a table of runs, starts the daemon and brings it back. It decides nothing else. A child
//! writes its own record to the keeper's socket before it executes its program, so the keeper knows
//! which exits matter even when the daemon died right after the clone; such an exit waits until a
//! daemon says that it took it.
//!
//! How a program uses it: [`enter`] first of all in `main`; [`start_detached`] or [`become_keeper`]
//! from the command line; in the daemon [`crate::lock::acquire`], then [`Link::connect`], and
//! [`Link::ready`] when it serves.
//!
//! A keeper may die at any instant, too. Whoever of its daemons notices makes a new one: a daemon that works
//! with [`hand_over`], one that is on its way up in [`Link::connect`], one that is to take over from another
//! in [`Successor`], if no other daemon is left.

mod launch;
mod told;
mod upgrade;

// What runs in the keeper cannot panic.
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
#[cfg_attr(not(test), deny(clippy::expect_used, clippy::panic))]
mod restarts;
#[cfg_attr(windows, allow(dead_code))]
#[cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
#[cfg_attr(not(test), deny(clippy::expect_used, clippy::panic))]
pub(crate) mod wire;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{
    KeeperSocket, Link, Starting, Successor, become_keeper, enter, hand_over, main_process,
    start_detached, tell_starter,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::kept;
#[cfg(windows)]
pub use windows::{
    KeeperSocket, Kept, Link, Starting, Successor, ask, be_keeper, become_keeper, enter, hand_over,
    happened, main_process, start_detached, tell_starter,
};

use abide_model::{ExitStatus, MachineEvent, Mono, RunId, Signal, UnitId, Wall};

use crate::handle::Handle;

pub use launch::{Launch, StartError};
pub use upgrade::UpgradeFailure;

/// Of the keeper's own code: to be raised with every change of it that is worth its re-execution. After
/// an upgrade, a keeper of another version executes the new file, in place; on Windows, where no process can,
/// it is renewed when it is started next.
pub const KEEPER_VERSION: u32 = if cfg!(windows) { 3 } else { 1 };

/// What the daemon's exit code says to its keeper, once it has been ready: do not start me again,
/// I refuse to run (`EX_CONFIG` of sysexits.h). Code 0 says the same without a complaint. Until the
/// first daemon of a keeper was ready, every exit code but 101 (a panic) has this meaning.
pub const EXIT_REFUSED: i32 = 78;

/// The exit code of a daemon that the machine is too short of something to start (`EX_TEMPFAIL` of
/// sysexits.h): it is tried again, and that is no crash. Before the first daemon of a keeper was ready it is
/// a refusal as any other.
pub const EXIT_SHORT: i32 = 75;

/// The exit code of a daemon that cannot go on and has said why in its log (`EX_SOFTWARE` of sysexits.h): a
/// crash as any other.
pub const EXIT_FAILED: i32 = 70;

/// The exit code of a daemon that was told [`KeeperEvent::Yield`] and has let go of everything: it is
/// its successor's turn.
pub const EXIT_YIELDED: i32 = 79;

/// Names a descriptor in the keeper's table. What the parts mean is the daemon's business.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// What it is: the output FIFO, the stage pipe, …
    pub kind: u32,
    /// The unit, or 0.
    pub unit: u32,
    /// Which one of several.
    pub sub: u64,
}

/// One run in the keeper's table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunEntry {
    /// The unit.
    pub unit: UnitId,
    /// The run.
    pub run: RunId,
    /// Its main process.
    pub pid: u32,
    /// Where it stands.
    pub state: RunState,
}

/// What the keeper knows of a run's main process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunState {
    /// Not reaped yet.
    Running,
    /// Reaped; the status is that of wait(2).
    Ended {
        /// As wait(2) gives it.
        wait_status: i32,
    },
    /// Reaped; it never executed its program. The worker that spawned it has said the same, in
    /// more words, if the daemon has not died since.
    ExecFailed {
        /// What failed.
        step: crate::spawn::Step,
        /// The error number.
        errno: i32,
    },
    /// It has ended, and its exit went to somebody else: [`Link::main_changed`] named a process that
    /// was gone when the keeper heard of it.
    Vanished,
}

impl RunEntry {
    /// How the run ended, once it did.
    #[must_use]
    pub fn exit(&self) -> Option<ExitStatus> {
        match self.state {
            RunState::Running => None,
            RunState::Vanished => Some(ExitStatus::Unknown),
            RunState::Ended { wait_status } => Some(crate::exit::from_wait_status(wait_status)),
            RunState::ExecFailed { step, errno } => Some(ExitStatus::SpawnFailed(format!(
                "cannot {step}: {}",
                crate::exit::errno_text(errno)
            ))),
        }
    }
}

/// What a new daemon gets from its keeper.
#[derive(Debug, Default)]
pub struct Table {
    /// Every descriptor that is held.
    pub descriptors: Vec<(Key, Handle)>,
    /// Every run that is alive, or whose exit nobody has taken.
    pub runs: Vec<RunEntry>,
    /// The keeper's process.
    pub keeper: u32,
    /// How often this keeper has started a daemon; 1: this is the first.
    pub starts: u32,
    /// The last daemons died quickly: run without what may have killed them.
    pub safe_mode: bool,
    /// The keeper's [`KEEPER_VERSION`]; 0: a keeper of before that was counted.
    pub keeper_version: u32,
    /// The last daemon was one that an upgrade brought, and it failed: this is the executable of before.
    /// Told again until a daemon was ready.
    pub rolled_back: Option<UpgradeFailure>,
    /// How the daemon before died; `None`: there was none, or the keeper is too old to say.
    pub died: Option<Death>,
}

/// The end of a daemon, as its keeper saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Death {
    /// When the keeper learnt of it.
    pub at: Mono,
    /// How it ended.
    pub status: ExitStatus,
    /// Daemons that ended since one was ready: those after the first did not come that far.
    pub deaths: u32,
}

/// What the keeper tells its daemon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeeperEvent {
    /// A run's main process was reaped (not told on Windows, where a process can be asked as long as the keeper
    /// holds it). It stays in the keeper's table until [`Link::taken`]. If
    /// `entry.pid` is not the main process that [`Link::main_changed`] told last, the exit was on its
    /// way already, and is of no meaning any more: not to be answered.
    Exit(RunEntry),
    /// A run's main process was stopped (SIGSTOP, SIGTSTP, a debugger). Told once, and only to a
    /// daemon that is there: after its start a daemon has to look for itself.
    Stopped {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// What stopped it.
        signal: Signal,
    },
    /// A stopped main process goes on. Of several stops and continuations in a row only the last one
    /// may be told.
    Continued {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// The successor that [`Link::upgrade`] asked for is prepared: let go of everything, and end with
    /// [`EXIT_YIELDED`]. A daemon that has not ended 60 s later is killed.
    Yield,
    /// There will be no successor: go on. Not told any more once [`KeeperEvent::Yield`] was; if the
    /// successor fails then, this daemon's executable is started again, which finds [`Table::rolled_back`].
    UpgradeFailed(UpgradeFailure),
    /// The keeper now runs the same file as this daemon: it has executed it, in place.
    Renewed {
        /// Its [`KEEPER_VERSION`].
        version: u32,
    },
    /// The keeper could not execute the daemon's file, and goes on as it was.
    NotRenewed {
        /// Why.
        errno: i32,
    },
    /// Somebody asks for what this signal says: on Windows, where the keeper cannot pass one on.
    Asked(Signal),
    /// Something happened to the machine: on Windows, where the Service Control Manager told the keeper's process.
    Happened {
        /// What.
        event: MachineEvent,
        /// When.
        at: Wall,
    },
    /// The keeper is gone. The daemon should [`hand_over`] to a new one.
    Lost,
}

/// Why a daemon has no keeper.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It was not started by one.
    #[error(
        "reach the keeper: this process was not started by one; start the daemon with `abide up` or `abide daemon`"
    )]
    NoKeeper,
    /// It died before it had handed over its table. A new one was started, which starts another daemon when
    /// this process has ended: it is to end at once, with code 0, and to tell nobody.
    #[error("go on: the keeper died, and a new one starts another daemon")]
    Replaced,
    /// It speaks another version.
    #[error(
        "work with the keeper: it speaks version {theirs} of the protocol, this daemon {ours}; `abide down`, then `abide up`"
    )]
    Version {
        /// The keeper's.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// This process may not open as many files as the keeper holds.
    #[error(
        "take over what the keeper holds: it is more files than this process may open (RLIMIT_NOFILE, `prlimit --nofile`); what runs goes on, and the daemon is tried again"
    )]
    NoRoom,
    /// The connection broke.
    #[error("talk to the keeper: {0}")]
    Io(#[from] std::io::Error),
}
