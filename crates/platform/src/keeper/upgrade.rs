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

impl UpgradeFailure {
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
