//! What can go wrong when another executable is to be the daemon.

use std::time::Duration;

use abide_model::{ExitStatus, Signal};

/// How long a successor may take until it is prepared.
pub(super) const PREPARED_WITHIN: Duration = Duration::from_secs(30);

/// How long the old daemon may take to let go, and then the new one to be ready.
pub(super) const TURN_WITHIN: Duration = Duration::from_secs(60);

/// Why a new daemon did not take over. Reads after "cannot upgrade: ".
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UpgradeFailure {
    /// It ended.
    #[error("the new daemon ended with code {} before it was {}", words(*.code), state(*.turn))]
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

/// A code that is a crash on Windows, in words.
fn words(code: i32) -> String {
    let text = ExitStatus::Code(code).to_string();
    text.strip_prefix("exit ").unwrap_or(&text).to_owned()
}

fn state(turn: bool) -> &'static str {
    if turn { "ready" } else { "prepared" }
}

impl UpgradeFailure {
    /// It said nothing until the end of its time.
    pub(super) fn late(within: Duration, turn: bool) -> Self {
        let seconds = u32::try_from(within.as_secs()).unwrap_or(u32::MAX);
        Self::Late { seconds, turn }
    }

    /// As a frame has it.
    pub(super) fn to_numbers(self) -> [u32; 4] {
        let (kind, detail, turn) = match self {
            Self::Ended { code, turn } => (1, code.cast_unsigned(), turn),
            Self::Killed { signal, turn } => (2, signal.0.cast_unsigned(), turn),
            Self::Late { seconds, turn } => (3, seconds, turn),
            Self::NotStarted { errno } => (4, errno.cast_unsigned(), false),
            Self::Interrupted => (5, 0, false),
            Self::Busy => (6, 0, false),
        };
        [kind, detail, u32::from(turn), 0]
    }

    /// `None`: a reason of a later version.
    pub(super) fn from_numbers([kind, detail, turn, _]: [u32; 4]) -> Option<Self> {
        let turn = turn != 0;
        let number = detail.cast_signed();
        Some(match kind {
            1 => Self::Ended { code: number, turn },
            2 => Self::Killed {
                signal: Signal(number),
                turn,
            },
            3 => Self::Late {
                seconds: detail,
                turn,
            },
            4 => Self::NotStarted { errno: number },
            5 => Self::Interrupted,
            6 => Self::Busy,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_read_back_as_it_was_written() {
        let signal = Signal(9);
        for turn in [false, true] {
            for why in [
                UpgradeFailure::Ended { code: -1, turn },
                UpgradeFailure::Killed { signal, turn },
                UpgradeFailure::Late { seconds: 30, turn },
                UpgradeFailure::NotStarted { errno: 2 },
                UpgradeFailure::Interrupted,
                UpgradeFailure::Busy,
            ] {
                assert_eq!(UpgradeFailure::from_numbers(why.to_numbers()), Some(why));
            }
        }
        assert_eq!(UpgradeFailure::from_numbers([0; 4]), None);
    }
}
