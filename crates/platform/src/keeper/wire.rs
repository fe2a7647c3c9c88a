//! What keeper, daemon and half-spawned children say to each other: frames of one fixed size over a
//! `SOCK_SEQPACKET` pair. A message is one frame or several; descriptors ride along in the order of
//! the frames that name them. Both ends are on one machine, so numbers are in its own byte order; but
//! they may be of different builds, as an upgrade replaces the daemon and leaves the keeper:
//!
//! - A frame has 32 bytes for ever: its kind, and the numbers below.
//! - One of an unknown kind is ignored, with its descriptor if it brings one ([`Kind::WITH_DESCRIPTOR`]).
//! - What a number of a known kind means does not change. New ones take the place of zeros, and zero
//!   means what it meant before they were there.
//! - `HELLO` says the highest version that the daemon speaks, `WELCOME` the one that both use: the
//!   smaller of the two. Each end speaks all from [`OLDEST`] on, and a daemon that meets an older keeper
//!   refuses. A kind that the other end has to understand raises the version.
//! - `RUN` is also sent by half-spawned children, whose daemon may be of another build than the next
//!   one: it never changes.
//!
//! To add a kind: take the next number, say who sends it and what its numbers are, and raise
//! [`VERSION`] if the other end must understand it.

use abide_model::{MachineEvent, RunId, UnitId, Wall};

use super::{Key, RunEntry, RunState, UpgradeFailure};
use crate::spawn::Step;

/// The newest version of what is spoken. 2: upgrades.
pub(crate) const VERSION: u32 = 2;

/// The oldest version that is understood too.
pub(crate) const OLDEST: u32 = 1;

/// The format of the table that a keeper leaves to the file that it executes, frames of the kinds
/// from [`Kind::HEAD`] on.
pub(crate) const TABLE: u32 = 1;

/// Bytes of a frame.
pub(crate) const SIZE: usize = 32;

/// Frames in one message at most; the kernel takes 253 descriptors in one (unix(7)).
pub(crate) const BATCH: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    pub kind: Kind,
    pub unit: u32,
    pub run: u64,
    /// What they are says the kind.
    pub numbers: [u32; 4],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kind(pub u32);

/// Who sends it: what for. What is in `unit`, `run`, `numbers`, where that is not what they are called.
impl Kind {
    /// In the number of every kind that brings a descriptor; `HOLD` is older than this rule.
    pub const WITH_DESCRIPTOR: u32 = 1 << 16;

    /// Daemon: the lock is held, hand over the table. `unit`: the version.
    pub const HELLO: Self = Self(1);
    /// Daemon, keeper: this descriptor is held under a [`Key`].
    pub const HOLD: Self = Self(2);
    /// Daemon: the one under this [`Key`] need not be.
    pub const RELEASE: Self = Self(3);
    /// Daemon: the exit of this run is known for good.
    pub const TAKEN: Self = Self(4);
    /// Daemon: it serves.
    pub const READY: Self = Self(5);
    /// Daemon: it will end on purpose.
    pub const LEAVING: Self = Self(6);
    /// Keeper: the answer to `HELLO`. `unit`: the version; pid, starts, safe mode, keeper's version.
    pub const WELCOME: Self = Self(7);
    /// Keeper: the table is complete.
    pub const END: Self = Self(8);
    /// Keeper: a [`RunEntry`] of the table, or that has ended. Child: that of itself.
    pub const RUN: Self = Self(9);
    /// Daemon: the first number is the run's main process from now on.
    pub const MAIN: Self = Self(10);
    /// Keeper: a run's main process was stopped. The second number is the signal.
    pub const STOPPED: Self = Self(11);
    /// Keeper: it goes on.
    pub const CONTINUED: Self = Self(12);
    /// Daemon: this file is to be the daemon. `unit`: and the keeper, whatever its version. On Windows the
    /// second number is the file's handle in the keeper.
    pub const UPGRADE: Self = Self(13 | Self::WITH_DESCRIPTOR);
    /// Successor: all is done that can be done beside the old daemon. `unit`: the keeper's version of
    /// its file; the first number: the newest [`TABLE`] that it reads.
    pub const PREPARED: Self = Self(14);
    /// A child that could not execute the daemon's file. `unit`: the error number.
    pub const NOT_STARTED: Self = Self(15);
    /// Keeper, after `WELCOME`: the last daemon failed. The numbers are an [`UpgradeFailure`].
    pub const ROLLED_BACK: Self = Self(16);
    /// Keeper, to the old daemon: let go of everything, and end.
    pub const YIELD: Self = Self(17);
    /// Keeper, to the old daemon: go on. The numbers are an [`UpgradeFailure`].
    pub const UPGRADE_FAILED: Self = Self(18);
    /// Keeper, to the successor: the old daemon is gone.
    pub const TURN: Self = Self(19);
    /// Keeper: it has executed the daemon's file. `unit`: its version.
    pub const RENEWED: Self = Self(20);
    /// Keeper: it could not. `unit`: the error number.
    pub const NOT_RENEWED: Self = Self(21);
    /// Keeper, after `WELCOME`: a daemon died since one was ready. `unit`: how the first one did, as wait(2)
    /// gives it; `run`: when, in nanoseconds of the clock that never jumps; the first number: how many did.
    pub const DIED: Self = Self(22);
    /// Keeper, on Windows: somebody asks for what a signal says. The second number is the signal.
    pub const ASKED: Self = Self(23);
    /// Keeper, on Windows: something happened to the machine. `unit`: the control by which the Service Control Manager
    /// said so; `run`: when, in nanoseconds since 1970; the numbers: the event's, the session's.
    pub const HAPPENED: Self = Self(24);

    /// Table: begins it. `unit`: [`TABLE`]; daemon's pid, starts, the previous keeper's version.
    pub const HEAD: Self = Self(101);
    /// Table: a socket, by its number as a descriptor. `unit`: 0, the daemon's; 1, an older one; 2, the
    /// home's lock.
    pub const KEPT: Self = Self(102);

    fn brings_descriptor(self) -> bool {
        self == Self::HOLD || self.0 & Self::WITH_DESCRIPTOR != 0
    }
}

const RUNNING: u32 = 0;
const ENDED: u32 = 1;
const EXEC_FAILED: u32 = 2;
const VANISHED: u32 = 3;

// Nothing here allocates or calls anything: a half-spawned child uses it too.
impl Frame {
    pub(crate) fn new(kind: Kind, unit: u32, numbers: [u32; 4]) -> Self {
        Self {
            kind,
            unit,
            run: 0,
            numbers,
        }
    }

    pub(crate) fn about((unit, run): (UnitId, RunId), kind: Kind, numbers: [u32; 4]) -> Self {
        Self {
            run: run.0,
            ..Self::new(kind, unit.0, numbers)
        }
    }

    /// `fd`: its number, in a table.
    pub(crate) fn of_key(kind: Kind, key: Key, fd: u32) -> Self {
        Self {
            run: key.sub,
            ..Self::new(kind, key.unit, [key.kind, fd, 0, 0])
        }
    }

    pub(crate) fn of_run(entry: RunEntry) -> Self {
        let (state, detail, step) = match entry.state {
            RunState::Running => (RUNNING, 0, 0),
            RunState::Ended { wait_status } => (ENDED, wait_status, 0),
            RunState::ExecFailed { step, errno } => (EXEC_FAILED, errno, step as u32),
            RunState::Vanished => (VANISHED, 0, 0),
        };
        let numbers = [entry.pid, state, detail.cast_unsigned(), step];
        Self::about((entry.unit, entry.run), Kind::RUN, numbers)
    }

    pub(crate) fn of_failure(kind: Kind, why: UpgradeFailure) -> Self {
        Self::new(kind, 0, why.to_numbers())
    }

    pub(crate) fn key(&self) -> Key {
        let [kind, ..] = self.numbers;
        Key {
            kind,
            unit: self.unit,
            sub: self.run,
        }
    }

    pub(crate) fn id(&self) -> (UnitId, RunId) {
        (UnitId(self.unit), RunId(self.run))
    }

    /// What happened to the machine, and when. `None`: it is of a later version.
    pub(crate) fn event(&self) -> Option<(MachineEvent, Wall)> {
        let [event, session, ..] = self.numbers;
        let event = MachineEvent::from_numbers(self.unit, event, session)?;
        Some((event, Wall(self.run.cast_signed())))
    }

    /// `None`: it is of a later version.
    pub(crate) fn entry(&self) -> Option<RunEntry> {
        let [pid, state, detail, step] = self.numbers;
        let detail = detail.cast_signed();
        let state = match state {
            RUNNING => RunState::Running,
            ENDED => RunState::Ended {
                wait_status: detail,
            },
            EXEC_FAILED => RunState::ExecFailed {
                step: Step::from_number(step)?,
                errno: detail,
            },
            VANISHED => RunState::Vanished,
            _ => return None,
        };
        let (unit, run) = self.id();
        Some(RunEntry {
            unit,
            run,
            pid,
            state,
        })
    }

    /// The next one of `fds`, if this frame brings one.
    pub(crate) fn descriptor<T>(&self, fds: &mut impl Iterator<Item = T>) -> Option<T> {
        self.kind.brings_descriptor().then(|| fds.next()).flatten()
    }

    pub(crate) fn to_bytes(self) -> [u8; SIZE] {
        let [a, b, c, d] = self.numbers;
        let (low, high) = (self.run as u32, (self.run >> 32) as u32);
        let words = [self.kind.0, self.unit, low, high, a, b, c, d];
        let mut bytes = [0; SIZE];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; SIZE]) -> Self {
        let mut words = [0; 8];
        for (word, four) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_ne_bytes(*four);
        }
        let [kind, unit, low, high, a, b, c, d] = words;
        Self {
            kind: Kind(kind),
            unit,
            run: u64::from(low) | u64::from(high) << 32,
            numbers: [a, b, c, d],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(frame: Frame) -> Frame {
        Frame::from_bytes(frame.to_bytes())
    }

    #[test]
    fn every_frame_is_read_back_as_it_was_written() {
        let key = Key {
            kind: 7,
            unit: 9,
            sub: u64::MAX - 3,
        };
        assert_eq!(again(Frame::of_key(Kind::HOLD, key, 5)).key(), key);
        for state in [
            RunState::Running,
            RunState::Vanished,
            RunState::Ended { wait_status: 0x8b },
            RunState::ExecFailed {
                step: Step::Directory,
                errno: 2,
            },
        ] {
            let entry = RunEntry {
                unit: UnitId(4),
                run: RunId(1 << 40),
                pid: 77,
                state,
            };
            assert_eq!(again(Frame::of_run(entry)).entry(), Some(entry));
        }
        let frame = Frame::new(Kind::WELCOME, 2, [1, 2, 3, u32::MAX]);
        assert_eq!(again(frame), frame);
    }

    #[test]
    fn a_child_of_any_build_is_understood() {
        // As version 1 wrote them.
        let mut bytes = [0; SIZE];
        bytes[0] = 9; // RUN
        bytes[4] = 3; // unit
        bytes[8] = 5; // run
        bytes[16] = 42; // pid
        bytes[20] = 2; // it could not be executed
        bytes[24] = 13; // errno
        bytes[28] = Step::Directory as u8;
        if cfg!(target_endian = "big") {
            bytes.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        }
        let state = RunState::ExecFailed {
            step: Step::Directory,
            errno: 13,
        };
        let entry = RunEntry {
            unit: UnitId(3),
            run: RunId(5),
            pid: 42,
            state,
        };
        assert_eq!(Frame::from_bytes(bytes).entry(), Some(entry));
    }

    #[test]
    fn what_is_not_known_brings_its_descriptor_along() {
        let mut fds = [1, 2, 3].into_iter();
        let unknown = |kind| Frame::new(Kind(kind), 0, [0; 4]);
        assert_eq!(unknown(999).descriptor(&mut fds), None);
        assert_eq!(
            unknown(999 | Kind::WITH_DESCRIPTOR).descriptor(&mut fds),
            Some(1)
        );
        assert_eq!(unknown(Kind::HOLD.0).descriptor(&mut fds), Some(2));
        assert_eq!(unknown(Kind::UPGRADE.0).descriptor(&mut fds), Some(3));
        assert_eq!(unknown(Kind::UPGRADE.0).descriptor(&mut fds), None);
        assert_eq!(unknown(0).entry().map(|e| e.state), Some(RunState::Running));
    }
}
