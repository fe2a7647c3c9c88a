//! What keeper, daemon and half-spawned children say to each other: frames of one fixed size over a
//! `SOCK_SEQPACKET` pair. A message is one frame or several; descriptors ride along in the order of
//! the frames that name them. Both ends are the same executable on the same machine, or of versions
//! that [`VERSION`] tells apart, so numbers are in the machine's own byte order.

use abide_model::{RunId, Signal, UnitId};

use super::{Key, RunEntry, RunState};
use crate::spawn::Step;

/// Of the frames below. A daemon that meets another one refuses. New kinds of frame do not change it
/// as long as keeper and daemon are the same executable, which this release always makes them: the
/// keeper executes its own. One that could meet a daemon newer than itself would have to.
pub(crate) const VERSION: u32 = 1;

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
    /// Keeper: the answer to `Hello`.
    Welcome {
        version: u32,
        keeper: u32,
        starts: u32,
        safe_mode: bool,
    },
    /// Keeper: the table is complete.
    End,
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
            } => (WELCOME, version, 0, keeper, starts, u32::from(safe_mode), 0),
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
            },
            Frame::End,
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
