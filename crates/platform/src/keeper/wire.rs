//! What keeper, daemon and half-spawned children say to each other: frames of one fixed size over a
//! `SOCK_SEQPACKET` pair. A message is one frame or several; descriptors ride along in the order of
//! the frames that name them. Both ends are on one machine, so numbers are in its own byte order; but
//! they may be of different builds, as an upgrade replaces the daemon and leaves the keeper:
//!
//! - A frame has 32 bytes for ever: eight numbers, of which the first says what it is.
//! - One that is not known is ignored. Those with [`WITH_DESCRIPTOR`] bring a descriptor, which is then
//!   closed.
//! - What a number of a known frame means does not change. New ones take the place of zeros, and zero
//!   means what it meant before they were there.
//! - `Hello` says the highest version that the daemon speaks, `Welcome` the one that both use: the
//!   smaller of the two. Each end speaks all from [`OLDEST`] on, and a daemon that meets an older keeper
//!   refuses. A frame that the other end has to understand raises the version.
//! - `Run` is also sent by half-spawned children, whose daemon may be of another build than the next
//!   one: it never changes.

use abide_model::{RunId, Signal, UnitId};

use super::{Key, RunEntry, RunState, UpgradeFailure};
use crate::spawn::Step;

/// The newest version of what is spoken. 2: upgrades.
pub(crate) const VERSION: u32 = 2;

/// The oldest version that is understood too.
pub(crate) const OLDEST: u32 = 1;

/// The newest format of the table that a keeper leaves to the file that it executes.
pub(crate) const TABLE: u32 = 1;

/// In the first number of a frame that brings a descriptor. [`HOLD`] is older than this rule.
const WITH_DESCRIPTOR: u32 = 1 << 16;

/// Bytes of a frame.
pub(crate) const SIZE: usize = 32;

/// Frames in one message at most; the kernel takes 253 descriptors in one (unix(7)).
pub(crate) const BATCH: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame {
    /// Daemon: the lock is held, hand over the table.
    Hello { version: u32 },
    /// Daemon, with a descriptor; also keeper, when it hands over.
    Hold(Key),
    /// Daemon.
    Release(Key),
    /// Daemon.
    Taken { unit: UnitId, run: RunId },
    /// Daemon: this is the run's main process from now on.
    Main { unit: UnitId, run: RunId, pid: u32 },
    /// Daemon.
    Ready,
    /// Daemon.
    Leaving,
    /// Daemon, with a descriptor: this file is to be the daemon. `renew`: and the keeper.
    Upgrade { renew: bool },
    /// Successor: all is done that can be done beside the old daemon. The numbers are
    /// [`super::KEEPER_VERSION`] and [`TABLE`] of its executable.
    Prepared { keeper_version: u32, table: u32 },
    /// A child of the keeper that could not execute the daemon's file.
    NotStarted { errno: i32 },
    /// Keeper: the answer to `Hello`.
    Welcome {
        version: u32,
        keeper: u32,
        starts: u32,
        safe_mode: bool,
        keeper_version: u32,
    },
    /// Keeper, after `Welcome`.
    RolledBack(UpgradeFailure),
    /// Keeper: the table is complete.
    End,
    /// Keeper, to the old daemon: let go of everything, and end.
    Yield,
    /// Keeper, to the old daemon: go on.
    UpgradeFailed(UpgradeFailure),
    /// Keeper, to the successor: the old daemon is gone.
    Turn,
    /// Keeper: it has executed the daemon's file.
    Renewed { version: u32 },
    /// Keeper: it could not.
    NotRenewed { errno: i32 },
    /// Keeper: a run of the table, or one that ended. Child: `Running` or `ExecFailed`.
    Run(RunEntry),
    /// Keeper: a run's main process was stopped by this signal.
    Stopped {
        unit: UnitId,
        run: RunId,
        signal: Signal,
    },
    /// Keeper: it goes on.
    Continued { unit: UnitId, run: RunId },
}

const HELLO: u32 = 1;
const HOLD: u32 = 2;
const RELEASE: u32 = 3;
const TAKEN: u32 = 4;
const READY: u32 = 5;
const LEAVING: u32 = 6;
const WELCOME: u32 = 7;
const END: u32 = 8;
const RUN: u32 = 9;
const MAIN: u32 = 10;
const STOPPED: u32 = 11;
const CONTINUED: u32 = 12;
const UPGRADE: u32 = 13 | WITH_DESCRIPTOR;
const PREPARED: u32 = 14;
const NOT_STARTED: u32 = 15;
const ROLLED_BACK: u32 = 16;
const YIELD: u32 = 17;
const UPGRADE_FAILED: u32 = 18;
const TURN: u32 = 19;
const RENEWED: u32 = 20;
const NOT_RENEWED: u32 = 21;

const RUNNING: u32 = 0;
const ENDED: u32 = 1;
const EXEC_FAILED: u32 = 2;
const VANISHED: u32 = 3;

impl Frame {
    /// Allocates nothing and calls nothing: a half-spawned child uses it too.
    pub(crate) fn to_bytes(self) -> [u8; SIZE] {
        let (tag, a, b, c, d, e, f) = match self {
            Self::Hello { version } => (HELLO, version, 0, 0, 0, 0, 0),
            Self::Hold(key) => (HOLD, key.unit, key.sub, key.kind, 0, 0, 0),
            Self::Release(key) => (RELEASE, key.unit, key.sub, key.kind, 0, 0, 0),
            Self::Taken { unit, run } => (TAKEN, unit.0, run.0, 0, 0, 0, 0),
            Self::Main { unit, run, pid } => (MAIN, unit.0, run.0, pid, 0, 0, 0),
            Self::Stopped { unit, run, signal } => {
                let signal = signal.0.cast_unsigned();
                (STOPPED, unit.0, run.0, 0, signal, 0, 0)
            }
            Self::Continued { unit, run } => (CONTINUED, unit.0, run.0, 0, 0, 0, 0),
            Self::Ready => (READY, 0, 0, 0, 0, 0, 0),
            Self::Leaving => (LEAVING, 0, 0, 0, 0, 0, 0),
            Self::Welcome {
                version,
                keeper,
                starts,
                safe_mode,
                keeper_version,
            } => (
                WELCOME,
                version,
                0,
                keeper,
                starts,
                u32::from(safe_mode),
                keeper_version,
            ),
            Self::Upgrade { renew } => (UPGRADE, u32::from(renew), 0, 0, 0, 0, 0),
            Self::Prepared {
                keeper_version,
                table,
            } => (PREPARED, keeper_version, 0, table, 0, 0, 0),
            Self::NotStarted { errno } => (NOT_STARTED, errno.cast_unsigned(), 0, 0, 0, 0, 0),
            Self::RolledBack(why) => failure(ROLLED_BACK, why),
            Self::UpgradeFailed(why) => failure(UPGRADE_FAILED, why),
            Self::Yield => (YIELD, 0, 0, 0, 0, 0, 0),
            Self::Turn => (TURN, 0, 0, 0, 0, 0, 0),
            Self::Renewed { version } => (RENEWED, version, 0, 0, 0, 0, 0),
            Self::NotRenewed { errno } => (NOT_RENEWED, errno.cast_unsigned(), 0, 0, 0, 0, 0),
            Self::End => (END, 0, 0, 0, 0, 0, 0),
            Self::Run(entry) => {
                let (state, detail, step) = match entry.state {
                    RunState::Running => (RUNNING, 0, 0),
                    RunState::Ended { wait_status } => (ENDED, wait_status, 0),
                    RunState::ExecFailed { step, errno } => (EXEC_FAILED, errno, step as u32),
                    RunState::Vanished => (VANISHED, 0, 0),
                };
                (
                    RUN,
                    entry.unit.0,
                    entry.run.0,
                    entry.pid,
                    state,
                    detail.cast_unsigned(),
                    step,
                )
            }
        };
        let mut bytes = [0; SIZE];
        let mut rest = bytes.iter_mut();
        let words = [tag, a, b as u32, (b >> 32) as u32, c, d, e, f];
        for byte in words.iter().flat_map(|word| word.to_ne_bytes()) {
            if let Some(place) = rest.next() {
                *place = byte;
            }
        }
        bytes
    }

    /// `None`: not a frame of this version.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut words = bytes.chunks_exact(4).map(|word| {
            let mut four = [0; 4];
            four.copy_from_slice(word);
            u32::from_ne_bytes(four)
        });
        let mut next = || words.next();
        let (tag, a) = (next()?, next()?);
        let b = u64::from(next()?) | u64::from(next()?) << 32;
        let (c, d, e, f) = (next()?, next()?, next()?, next()?);
        let key = Key {
            kind: c,
            unit: a,
            sub: b,
        };
        let (unit, run) = (UnitId(a), RunId(b));
        Some(match tag {
            HELLO => Self::Hello { version: a },
            HOLD => Self::Hold(key),
            RELEASE => Self::Release(key),
            TAKEN => Self::Taken { unit, run },
            MAIN => Self::Main { unit, run, pid: c },
            STOPPED => Self::Stopped {
                unit,
                run,
                signal: Signal(d.cast_signed()),
            },
            CONTINUED => Self::Continued { unit, run },
            READY => Self::Ready,
            LEAVING => Self::Leaving,
            WELCOME => Self::Welcome {
                version: a,
                keeper: c,
                starts: d,
                safe_mode: e != 0,
                keeper_version: f,
            },
            UPGRADE => Self::Upgrade { renew: a != 0 },
            PREPARED => Self::Prepared {
                keeper_version: a,
                table: c,
            },
            NOT_STARTED => Self::NotStarted {
                errno: a.cast_signed(),
            },
            ROLLED_BACK => Self::RolledBack(read_failure(d, e, f)?),
            UPGRADE_FAILED => Self::UpgradeFailed(read_failure(d, e, f)?),
            YIELD => Self::Yield,
            TURN => Self::Turn,
            RENEWED => Self::Renewed { version: a },
            NOT_RENEWED => Self::NotRenewed {
                errno: a.cast_signed(),
            },
            END => Self::End,
            RUN => {
                let detail = e.cast_signed();
                let state = match d {
                    RUNNING => RunState::Running,
                    ENDED => RunState::Ended {
                        wait_status: detail,
                    },
                    EXEC_FAILED => RunState::ExecFailed {
                        step: Step::from_number(f)?,
                        errno: detail,
                    },
                    VANISHED => RunState::Vanished,
                    _ => return None,
                };
                Self::Run(RunEntry {
                    unit,
                    run,
                    pid: c,
                    state,
                })
            }
            _ => return None,
        })
    }
}

type Words = (u32, u32, u64, u32, u32, u32, u32);

fn failure(tag: u32, why: UpgradeFailure) -> Words {
    let (kind, detail, turn) = match why {
        UpgradeFailure::Ended { code, turn } => (1, code.cast_unsigned(), turn),
        UpgradeFailure::Killed { signal, turn } => (2, signal.0.cast_unsigned(), turn),
        UpgradeFailure::Late { seconds, turn } => (3, seconds, turn),
        UpgradeFailure::NotStarted { errno } => (4, errno.cast_unsigned(), false),
        UpgradeFailure::Interrupted => (5, 0, false),
        UpgradeFailure::Busy => (6, 0, false),
    };
    (tag, 0, 0, 0, kind, detail, u32::from(turn))
}

fn read_failure(kind: u32, detail: u32, turn: u32) -> Option<UpgradeFailure> {
    let turn = turn != 0;
    Some(match kind {
        1 => UpgradeFailure::Ended {
            code: detail.cast_signed(),
            turn,
        },
        2 => UpgradeFailure::Killed {
            signal: Signal(detail.cast_signed()),
            turn,
        },
        3 => UpgradeFailure::Late {
            seconds: detail,
            turn,
        },
        4 => UpgradeFailure::NotStarted {
            errno: detail.cast_signed(),
        },
        5 => UpgradeFailure::Interrupted,
        6 => UpgradeFailure::Busy,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_read_back_as_it_was_written() {
        let key = Key {
            kind: 7,
            unit: 9,
            sub: u64::MAX - 3,
        };
        let entry = |state| {
            Frame::Run(RunEntry {
                unit: UnitId(4),
                run: RunId(1 << 40),
                pid: 77,
                state,
            })
        };
        let frames = [
            Frame::Hello { version: 1 },
            Frame::Hold(key),
            Frame::Release(key),
            Frame::Taken {
                unit: UnitId(1),
                run: RunId(u64::MAX),
            },
            Frame::Main {
                unit: UnitId(1),
                run: RunId(u64::MAX),
                pid: 4711,
            },
            Frame::Stopped {
                unit: UnitId(1),
                run: RunId(2),
                signal: Signal(19),
            },
            Frame::Continued {
                unit: UnitId(1),
                run: RunId(2),
            },
            entry(RunState::Vanished),
            Frame::Ready,
            Frame::Leaving,
            Frame::Welcome {
                version: 1,
                keeper: 8,
                starts: 3,
                safe_mode: true,
                keeper_version: 5,
            },
            Frame::End,
            Frame::Upgrade { renew: true },
            Frame::Prepared {
                keeper_version: 3,
                table: 1,
            },
            Frame::NotStarted { errno: 8 },
            Frame::RolledBack(UpgradeFailure::Ended {
                code: -1,
                turn: true,
            }),
            Frame::RolledBack(UpgradeFailure::Interrupted),
            Frame::UpgradeFailed(UpgradeFailure::Killed {
                signal: Signal(9),
                turn: false,
            }),
            Frame::UpgradeFailed(UpgradeFailure::Late {
                seconds: 30,
                turn: true,
            }),
            Frame::UpgradeFailed(UpgradeFailure::NotStarted { errno: 2 }),
            Frame::UpgradeFailed(UpgradeFailure::Busy),
            Frame::Yield,
            Frame::Turn,
            Frame::Renewed { version: 9 },
            Frame::NotRenewed { errno: 13 },
            entry(RunState::Running),
            entry(RunState::Ended { wait_status: 0x8b }),
            entry(RunState::ExecFailed {
                step: Step::Directory,
                errno: 2,
            }),
        ];
        for frame in frames {
            assert_eq!(Frame::from_bytes(&frame.to_bytes()), Some(frame));
        }
    }

    #[test]
    fn what_is_not_a_frame_is_none() {
        assert_eq!(Frame::from_bytes(&[]), None);
        assert_eq!(Frame::from_bytes(&[0xff; SIZE]), None);
        assert_eq!(
            Frame::from_bytes(&Frame::Hello { version: 1 }.to_bytes()[..20]),
            None
        );
    }
}
