//! What passes between the keeper and `system`.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use abide_model::Signal;

use crate::keeper::restarts::Ending;

/// As wait(2) gives it: the signal that killed, or else the exit code.
pub fn cause(wait_status: i32) -> Result<i32, Signal> {
    match wait_status & 0x7f {
        0 => Ok((wait_status >> 8) & 0xff),
        signal => Err(Signal(signal)),
    }
}

/// The same of a daemon, as it matters for its restart.
pub fn ending(wait_status: i32) -> Ending {
    match cause(wait_status) {
        Ok(code) => Ending::Code(code),
        Err(Signal::KILL) => Ending::Killed(128 + 9),
        Err(signal) => Ending::Crashed(signal.0.saturating_add(128)),
    }
}

/// What became of a child that has not ended.
#[derive(Clone, Copy)]
pub enum Change {
    Stopped(Signal),
    Continued,
}

/// What a daemon is started with.
#[cfg_attr(
    test,
    expect(dead_code, reason = "the fake of the kernel starts nothing")
)]
pub struct Program {
    pub argv: Vec<CString>,
    /// `NAME=value`, without the variables that are set anew for each start.
    pub environment: Vec<CString>,
    pub home: CString,
    /// The daemon's `oom_score_adj`, where the keeper's own is lower still.
    pub oom_score: Option<&'static CStr>,
}

/// How it is started this time.
#[derive(Default)]
#[cfg_attr(
    test,
    expect(dead_code, reason = "the fake of the kernel starts nothing")
)]
pub struct How<'a> {
    /// Another file than the keeper's own.
    pub exe: Option<&'a OwnedFd>,
    /// Where somebody waits for "ready".
    pub starter: Option<&'a OwnedFd>,
    pub safe_mode: bool,
    pub successor: bool,
}
