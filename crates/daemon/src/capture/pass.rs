//! What a pass is asked for, and what it tells: on every system.

use std::time::{SystemTime, UNIX_EPOCH};

use abide_log::Position;
use abide_model::Wall;

/// After this much in one pass, others come first.
pub const FAIR: u64 = 4 << 20;

/// Output that is missing between what is on its way and what the pipe holds.
#[derive(Default)]
pub struct Gap {
    pub bytes: u64,
    pub reason: String,
}

/// Where a stream is at.
#[derive(Clone, Copy, Default)]
pub struct Reached {
    /// The end of the segments, once this daemon has written something.
    pub at: Option<Position>,
    /// Bytes on their way.
    #[allow(dead_code, reason = "only systems with stages look at it")]
    pub staged: u64,
}

/// What a pass is to do besides.
#[derive(Clone, Copy)]
pub struct Wish {
    /// Leave the segment open.
    pub keep_open: bool,
    /// Whether it may have something that holds what is on its way (a stage).
    #[allow(dead_code, reason = "only systems with stages look at it")]
    pub lease: Lease,
    /// If there is nothing: let go of what a quiet stream needs not.
    pub rest: bool,
}

/// Whether a stream may have a stage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// Until it is quiet.
    Keep,
    /// For this pass.
    Once,
    /// Only the one that it has.
    No,
}

/// What a pass did.
#[derive(Default)]
pub struct Passed {
    pub bytes: u64,
    /// A segment was sealed: there may be something to compress or to remove.
    pub sealed: bool,
    /// The FIFO was full twice in a row: give it more room.
    pub busy: bool,
    /// The device of the segments, once it is known.
    pub device: Option<u64>,
    /// A segment is open.
    pub open: bool,
    /// Its stage is here, on loan.
    pub staged: bool,
    /// What the FIFO has room for.
    pub room: u64,
    /// The first segment that something was written to.
    pub first: Option<u64>,
}

/// What the calendar shows.
pub fn wall() -> Wall {
    // Before 1970 is no time that a clock of ours shows; an entry of 0 would mean "torn".
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Wall(1).max(Wall(0).after(since))
}
