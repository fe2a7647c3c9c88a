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
pub use sweeper::{SweepEvent, Sweeper};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{JobMessage, RunTree, TERMINATED, Trees};

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
