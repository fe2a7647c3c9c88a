//! Asking a run to end, step by step under one deadline, and ending it when that is over.
//!
//! Windows has no signal that every program understands. A program is asked in the ways that there are, one
//! after the other, each with its share of the time; the deadline is one for the whole tree, however many
//! processes it has. What ended it is said.
//!
//! On Linux the steps of a stop are signals.
//!
//! The daemon has the steps and their times from its core, and takes one after the other by [`ask`]; [`stop`] takes
//! all of them by itself.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{ASKING_BLOCKS, ask, can_reload, enter};

#[cfg(windows)]
mod plan;
#[cfg(windows)]
pub use plan::{Outcome, Plan, Report, Share, Step};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{ASKING_BLOCKS, ConsoleHelper, ask, can_reload, enter, stop};
