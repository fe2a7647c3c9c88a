//! Every process of a run, wherever it went: known, counted and ended.
//!
//! Where a control group (cgroup v2) can be made, it is the answer: nothing leaves it by itself, and
//! its emptiness is exact. Elsewhere every process of a run carries an inherited *tag* that clearing
//! the environment, closing descriptors, `setsid` and double forks do not remove: `RLIMIT_LOCKS`,
//! which Linux no longer uses, which anybody may lower and only root may raise, and which
//! `/proc/PID/limits` shows. It is no defence against a hostile program; a process that only looks
//! like ours is reported, never ended.
//!
//! On Windows a run is a job object, which no process can leave.

#[cfg(target_os = "linux")]
mod sweeper;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux::{Hunt, Wake, hunt, wait};
#[cfg(target_os = "linux")]
pub(crate) use linux::{Place, Scratch, Survey, number, number_in, pids, read_tag, value};
#[cfg(target_os = "linux")]
pub use linux::{RunTree, Trees};

#[cfg(target_os = "linux")]
pub use sweeper::Sweeper;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{JobMessage, RunTree, Sweeper, TERMINATED, Trees};

use abide_model::{RunId, UnitId};

/// How thoroughly a tree is ended before that is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sweep {
    /// As soon as the control group, or else the process group, is empty; what escaped from those
    /// is hunted in the background.
    Prompt,
    /// When nothing of the run is left anywhere.
    Thorough,
    /// As `Thorough`, but nothing is ended: wait until all have gone by themselves.
    Watch,
}

/// What [`Sweeper::kill`] could say at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Nothing is left; no [`SweepEvent::Empty`] follows.
    Empty,
    /// [`SweepEvent::Empty`] follows.
    Pending,
}

/// What the sweeper found out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SweepEvent {
    /// Nothing of the run is left (as far as its [`Sweep`] asked).
    Empty {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
    },
    /// Processes of the run are still there although they were killed a while ago, or cannot be:
    /// said once a run, the hunt goes on.
    Stuck {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// Why, in words.
        reason: String,
    },
    /// A process looks like one of the run, but does not carry its tag: left alone.
    Doubtful {
        /// The unit.
        unit: UnitId,
        /// The run.
        run: RunId,
        /// The process.
        pid: u32,
        /// Why it is doubtful, in words.
        reason: String,
    },
}
