//! What can go wrong when another executable is to be the daemon.

use abide_model::Signal;

/// Why a new daemon did not take over. Reads after "cannot upgrade: ".
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UpgradeFailure {
    /// It ended.
    #[error("the new daemon ended with code {code} before it was {}", state(*.turn))]
    Ended {
        /// Its exit code.
        code: i32,
        /// It was its turn already: the old daemon had gone.
        turn: bool,
    },
    /// It was killed, or crashed.
    #[error("the new daemon was killed by {signal} before it was {}", state(*.turn))]
    Killed {
        /// By what.
        signal: Signal,
        /// It was its turn already: the old daemon had gone.
        turn: bool,
    },
    /// It said nothing in the time it had, and was killed.
    #[error("the new daemon was not {} within {seconds} s", state(*.turn))]
    Late {
        /// The time it had.
        seconds: u32,
        /// It was its turn already: the old daemon had gone.
        turn: bool,
    },
    /// No process could be made, or the file not be executed.
    #[error("the new daemon could not be started: {}", crate::exit::errno_text(*.errno))]
    NotStarted {
        /// The error number.
        errno: i32,
    },
    /// The old daemon ended before the new one was prepared; the new one was killed.
    #[error("the old daemon died in the middle of it")]
    Interrupted,
    /// Another one is under way.
    #[error("another upgrade is under way")]
    Busy,
}

fn state(turn: bool) -> &'static str {
    if turn { "ready" } else { "prepared" }
}
