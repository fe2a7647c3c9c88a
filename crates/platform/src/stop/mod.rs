//! Asking a run to end, step by step under one deadline, and ending it when that is over.
//!
//! Windows has no signal that every program understands. A program is asked in the ways that there are, one
//! after the other, each with its share of the time; the deadline is one for the whole tree, however many
//! processes it has. What ended it is said.
//!
//! (On Linux the steps of a stop are signals, which the daemon sends through [`crate::tree`].)

mod plan;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{ConsoleHelper, enter, stop};

pub use plan::{Outcome, Plan, Report, Share, Step};
