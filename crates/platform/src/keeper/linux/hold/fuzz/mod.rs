//! The keeper under random input: daemons and children that work, that die at any instant, and that
//! write garbage, on a fake of `system` and real sockets.
//!
//! `cargo xtask fuzz` runs it for longer; a seed that fails is printed.

pub(super) mod system;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{PipeReader, pipe};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use abide_model::{Mono, RunId, Signal, UnitId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::super::socket::{Out, Received, Sent, receive};
use super::program::{Change, Program};
use super::runs::Id;
use super::system::{change, end, process, with};
use super::{Keeper, Talk};
use crate::keeper::wire::{Frame, Kind};
use crate::keeper::{Key, RunEntry, RunState};
use crate::signals::Signals;
use crate::spawn::Step;

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        // xorshift64* (Marsaglia; Vigna)
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.roll() >> 11) % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let at = self.below(from.len().max(1) as u64);
        from.get(usize::try_from(at).expect("small")).copied()
    }
}

/// A run as it really is.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Real {
    pid: u32,
    state: RunState,
}

struct Test {
    dice: Dice,
    keeper: Keeper,
    signals: Signals,
    runs: BTreeMap<Id, Real>,
    /// What is held, by the other end of a pipe.
    held: BTreeMap<Key, PipeReader>,
    /// Nobody is to have their other ends.
    dropped: Vec<PipeReader>,
    /// What the daemon that is there was told.
    view: BTreeMap<Id, RunState>,
    /// Sockets of half-spawned children of daemons that are gone.
    leftover: Vec<OwnedFd>,
    next_run: u64,
    /// Processes that became main processes.
    named: BTreeSet<u32>,
    /// The keeper left, with this code.
    left: Option<i32>,
}

/// Units from here on are garbage.
const GARBAGE: u32 = 1000;

impl Test {
    fn new(seed: u64) -> Self {
        with(|world| *world = system::World::default());
        with(|world| world.now = 1 << 40);
        let program = Program {
            argv: vec![c"abide".into()],
            environment: Vec::new(),
            home: c"/".into(),
            oom_score: None,
        };
        let lock = std::fs::File::open("/dev/null").expect("null").into();
        Self {
            dice: Dice(seed | 1),
            keeper: Keeper::new(program, lock, None, None),
            signals: Signals::new(&[]).expect("none"),
            runs: BTreeMap::new(),
            held: BTreeMap::new(),
            dropped: Vec::new(),
            view: BTreeMap::new(),
            leftover: Vec::new(),
            next_run: 0,
            named: BTreeSet::new(),
            left: None,
        }
    }

    fn daemon(&self) -> Option<(u32, OwnedFd)> {
        let pid = self.keeper.daemon?;
        Some((pid, self.end_of(pid)?))
    }

    fn end_of(&self, pid: u32) -> Option<OwnedFd> {
        with(|world| {
            let end = world.daemons.get(&pid)?;
            Some(end.try_clone().expect("a descriptor"))
        })
    }

    /// The keeper works, and the daemon reads, until neither has anything to do.
    fn settle(&mut self) {
        for _ in 0..50 {
            if self.left.is_some() {
                return;
            }
            let before = self.daemon().map(|(pid, _)| pid);
            self.left = self.keeper.step(&self.signals);
            let now = self.daemon();
            if now.as_ref().map(|(pid, _)| *pid) != before {
                self.view.clear();
            }
            let heard = now.is_some_and(|(_, socket)| self.hear(&socket));
            let more = with(|world| world.child) || self.keeper.due() == Some(Mono(0));
            if !heard && !self.keeper.blocked && !more {
                return;
            }
        }
        panic!("it does not settle");
    }

    fn hear(&mut self, socket: &OwnedFd) -> bool {
        let mut heard = false;
        while let Received::Message(message) = receive(socket.as_fd()) {
            heard = true;
            for (frame, fd) in message.into_frames() {
                match frame.kind {
                    Kind::WELCOME => self.view.clear(),
                    Kind::RUN => {
                        let entry = frame.entry().expect("it is whole");
                        self.view.insert(frame.id(), entry.state);
                    }
                    Kind::HOLD => assert!(fd.is_some()),
                    _ => {}
                }
            }
        }
        heard
    }

    fn say(&mut self, socket: &OwnedFd, frame: Frame, fd: Option<BorrowedFd<'_>>) {
        let mut out = Out::to(socket.as_fd());
        out.push(frame, fd);
        // Full, as a slow keeper has it.
        while out.send() == Sent::Later && self.left.is_none() {
            self.settle();
        }
    }

    fn act(&mut self) {
        let what = self.dice.below(22);
        let daemon = self.daemon();
        let runs: Vec<Id> = self.runs.keys().copied().collect();
        match (what, daemon) {
            (0 | 1, Some((_, socket))) if matches!(self.keeper.talk, Talk::Silent) => {
                let version = 1 + u32::try_from(self.dice.below(3)).expect("small");
                self.say(&socket, Frame::new(Kind::HELLO, version, [0; 4]), None);
                if self.dice.below(2) == 0 {
                    self.say(&socket, Frame::new(Kind::READY, 0, [0; 4]), None);
                }
            }
            (2..=5, Some((_, socket))) => self.spawn(&socket),
            (6, _) if !self.leftover.is_empty() => {
                let socket = self.leftover.swap_remove(0);
                if self.dice.below(2) == 0 {
                    self.spawn(&socket);
                }
            }
            (7 | 8, _) => {
                let Some(id) = self.dice.pick(&runs) else {
                    return;
                };
                let status = [0, 9, 1 << 8, 127 << 8][self.dice.below(4) as usize];
                let real = self.runs.get_mut(&id).expect("it is there");
                if real.state == RunState::Running {
                    let pid = real.pid;
                    real.state = RunState::Ended {
                        wait_status: status,
                    };
                    self.end(pid, status);
                }
            }
            (9, Some((_, socket))) => {
                let Some(id) = self.dice.pick(&runs) else {
                    return;
                };
                if self
                    .view
                    .get(&id)
                    .is_some_and(|state| *state != RunState::Running)
                {
                    self.runs.remove(&id);
                    self.say(&socket, Frame::about(id, Kind::TAKEN, [0; 4]), None);
                }
            }
            (10 | 11, Some((_, socket))) => self.hold(&socket),
            (12, Some((_, socket))) => {
                let keys: Vec<Key> = self.held.keys().copied().collect();
                let Some(key) = self.dice.pick(&keys) else {
                    return;
                };
                self.dropped.extend(self.held.remove(&key));
                self.say(&socket, Frame::of_key(Kind::RELEASE, key, 0), None);
            }
            (13, Some((pid, socket))) => {
                // It may have been about to start something, once it had the table.
                if self.keeper.talk == Talk::Live && self.dice.below(2) == 0 {
                    self.leftover.push(socket);
                }
                with(|world| world.daemons.remove(&pid));
                end(pid, [9, 11, 101 << 8, 79 << 8][self.dice.below(4) as usize]);
                self.view.clear();
            }
            (14 | 15, Some((_, socket))) => self.garbage(&socket),
            (14, None) if !self.leftover.is_empty() => {
                let socket = self.leftover.swap_remove(0);
                self.garbage(&socket);
            }
            (16, _) => {
                let nanos = self.dice.below(20_000_000_000);
                with(|world| world.now += nanos);
            }
            (17, _) => {
                let pids: Vec<u32> = with(|world| world.processes.keys().copied().collect());
                let Some(pid) = self.dice.pick(&pids) else {
                    return;
                };
                match self.dice.below(2) {
                    0 => change(pid, Change::Stopped(Signal(19))),
                    _ => change(pid, Change::Continued),
                }
            }
            (18, Some((_, socket))) => {
                let null = std::fs::File::open("/dev/null").expect("null");
                let renew = u32::try_from(self.dice.below(2)).expect("small");
                self.say(
                    &socket,
                    Frame::new(Kind::UPGRADE, renew, [0; 4]),
                    Some(null.as_fd()),
                );
            }
            (19, _) => self.successor(),
            (20, Some((_, socket))) => {
                let Some(id) = self.dice.pick(&runs) else {
                    return;
                };
                if matches!(self.keeper.talk, Talk::Live)
                    && self.runs[&id].state == RunState::Running
                {
                    let pid = process();
                    self.named.insert(pid);
                    self.runs.get_mut(&id).expect("it is there").pid = pid;
                    self.say(&socket, Frame::about(id, Kind::MAIN, [pid, 0, 0, 0]), None);
                }
            }
            (21, _) => {
                let full = self.dice.below(3) == 0;
                with(|world| world.full = full);
            }
            _ => {}
        }
    }

    /// A process ends: now, or in the middle of the keeper's next look for such ones.
    fn end(&mut self, pid: u32, status: i32) {
        let before = match self.dice.below(3) {
            0 => with(|world| world.early.replace((pid, status))),
            1 => with(|world| world.late.replace((pid, status))),
            _ => Some((pid, status)),
        };
        if let Some((pid, status)) = before {
            end(pid, status);
        }
        // The keeper looks.
        with(|world| world.child = true);
    }

    /// A child that says that it runs, and perhaps that it cannot be executed.
    fn spawn(&mut self, socket: &OwnedFd) {
        self.next_run += 1;
        let (unit, run) = (
            UnitId(u32::try_from(self.dice.below(50)).expect("small")),
            RunId(self.next_run),
        );
        let pid = process();
        let mut real = Real {
            pid,
            state: RunState::Running,
        };
        let frame = |state| {
            Frame::of_run(RunEntry {
                unit,
                run,
                pid,
                state,
            })
        };
        self.say(socket, frame(real.state), None);
        if self.dice.below(4) == 0 {
            real.state = RunState::ExecFailed {
                step: Step::Directory,
                errno: 2,
            };
            self.say(socket, frame(real.state), None);
            end(pid, 127 << 8);
        }
        self.runs.insert((unit, run), real);
    }

    fn hold(&mut self, socket: &OwnedFd) {
        let key = Key {
            kind: u32::try_from(self.dice.below(3)).expect("small"),
            unit: u32::try_from(self.dice.below(40)).expect("small"),
            sub: self.dice.below(3),
        };
        let (reader, writer) = pipe().expect("a pipe");
        self.say(
            socket,
            Frame::of_key(Kind::HOLD, key, 0),
            Some(writer.as_fd()),
        );
        self.dropped.extend(self.held.insert(key, reader));
    }

    fn successor(&mut self) {
        let pid = self.keeper.upgrade.as_ref().map(|upgrade| upgrade.pid);
        let Some(pid) = pid.filter(|pid| self.keeper.daemon != Some(*pid)) else {
            return;
        };
        let Some(socket) = self.end_of(pid) else {
            return;
        };
        match self.dice.below(5) {
            0 => end(pid, 1 << 8),
            1 => {
                self.say(&socket, Frame::new(Kind::NOT_STARTED, 8, [0; 4]), None);
                end(pid, 127 << 8);
            }
            2 => self.garbage(&socket),
            _ => self.say(&socket, Frame::new(Kind::PREPARED, 2, [1, 0, 0, 0]), None),
        }
    }

    /// Bytes that mean nothing, or something else than they should.
    fn garbage(&mut self, socket: &OwnedFd) {
        // A child is believed which process it is: no garbage may come before what it says itself, which
        // no real process could know.
        self.settle();
        let mut bytes = Vec::new();
        for _ in 0..self.dice.below(80) {
            let mut numbers = [0; 4];
            for number in &mut numbers {
                *number = match self.dice.below(3) {
                    0 => u32::try_from(self.dice.below(300)).expect("small"),
                    1 => self.dice.roll() as u32,
                    _ => 0,
                };
            }
            let mut kind = match self.dice.below(4) {
                0 => self.dice.roll() as u32,
                _ => u32::try_from(self.dice.below(110)).expect("small"),
            };
            if [Kind::HELLO.0, Kind::READY.0, Kind::LEAVING.0].contains(&kind) {
                // Those are a daemon's right.
                kind = 0;
            }
            // A number that was named by `MAIN` may be that of another process by now: whoever says that
            // it is itself is believed.
            let [pid, ..] = &mut numbers;
            if kind == Kind::RUN.0 && self.named.contains(pid) {
                *pid = 0;
            }
            let unit = GARBAGE + u32::try_from(self.dice.below(100)).expect("small");
            let mut frame = Frame::new(Kind(kind), unit, numbers);
            frame.run = self.dice.below(10);
            bytes.extend(frame.to_bytes());
        }
        bytes.truncate(
            bytes
                .len()
                .saturating_sub(usize::try_from(self.dice.below(40)).expect("small")),
        );
        let (reader, writer) = pipe().expect("a pipe");
        let fds = vec![writer.as_fd(); usize::try_from(self.dice.below(100)).expect("small")];
        let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(100))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let _ = sendmsg(
            socket,
            &[std::io::IoSlice::new(&bytes)],
            &mut control,
            flags,
        );
        drop(reader);
        self.settle();
    }

    fn check(&mut self) {
        if self.left.is_some() {
            return;
        }
        let live = matches!(self.keeper.talk, Talk::Live);
        for (id, real) in &self.runs {
            let held = self.keeper.runs.get(id);
            let held = held.unwrap_or_else(|| panic!("{id:?} {real:?} is lost"));
            assert_eq!(
                (held.entry.pid, held.entry.state),
                (real.pid, real.state),
                "{id:?}"
            );
            // Of one that runs it knows itself.
            if live && real.state != RunState::Running {
                assert_eq!(
                    self.view.get(id),
                    Some(&real.state),
                    "{id:?} as the daemon has it"
                );
            }
        }
        for (key, reader) in &self.held {
            assert!(!hung_up(reader, Duration::ZERO), "{key:?} is not held");
        }
        for reader in &self.dropped {
            assert!(hung_up(reader, SPAWNED), "a descriptor leaks");
        }
        self.dropped.clear();
    }

    fn run(&mut self) {
        for _ in 0..300 {
            for _ in 0..=self.dice.below(4) {
                self.act();
            }
            self.settle();
            self.check();
            if self.left.is_some() {
                return;
            }
        }
    }
}

/// A program that another test of this process spawns has everything until it is executed.
const SPAWNED: Duration = Duration::from_secs(10);

/// Nobody has the other end, or will have it any more within this time.
fn hung_up(reader: &PipeReader, within: Duration) -> bool {
    let mut fds = [PollFd::new(reader, PollFlags::empty())];
    let within = Timespec::try_from(within).expect("short");
    poll(&mut fds, Some(&within)).expect("poll");
    let [fd] = &fds;
    fd.revents().contains(PollFlags::HUP)
}

fn try_seed(seed: u64) {
    let outcome = std::panic::catch_unwind(|| {
        let mut test = Test::new(seed);
        test.run();
        let Test { keeper, held, .. } = test;
        drop(keeper);
        for (key, reader) in held {
            assert!(hung_up(&reader, SPAWNED), "{key:?} leaks");
        }
    });
    if outcome.is_err() {
        panic!("seed {seed}");
    }
}

#[test]
fn whatever_is_written_to_it_the_keeper_loses_no_run_and_no_descriptor() {
    if let Ok(seed) = std::env::var("ABIDE_FUZZ_SEED") {
        return try_seed(seed.parse().expect("a number"));
    }
    let minutes: u64 =
        std::env::var("ABIDE_FUZZ_MINUTES").map_or(0, |n| n.parse().expect("a number"));
    let until = crate::clock::now()
        .mono
        .after(std::time::Duration::from_secs(60 * minutes));
    let begin = crate::clock::now().mono.0;
    let mut done = 0;
    while done < 40 || crate::clock::now().mono < until {
        done += 1;
        try_seed(begin.wrapping_add(done));
    }
    println!("{done} histories of 300 rounds");
}
