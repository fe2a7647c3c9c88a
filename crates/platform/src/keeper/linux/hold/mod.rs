//! The keeper itself, after its start: one thread, no policy, no way to panic, and no memory that it
//! has to have. What it cannot do it leaves, and goes on holding.
//!
//! ```text
//!  signals ─┐                                     ┌─► the daemon: the table, exits, stops
//!  sockets ─┼─► step: drain, reap, watch, start ──┤
//!  children ┘        until nothing is left to do  └─► a daemon, when none runs; a successor beside it
//! ```
//!
//! Whatever it needs memory for it reserves before it reads on: what there is no room for stays in the
//! socket, and a child that may have said something there stays unreaped.
//!
//! Architecture invariant: nothing in this folder panics, or ends the process but by [`Keeper::run`]'s
//! return. The lints below see to it, and a test drives it with random input on a fake of `system`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::panic))]
#![cfg_attr(not(test), deny(clippy::unreachable, clippy::todo))]

mod map;
mod program;
mod renew;
mod restarts;
mod tell;
mod upgrade;

#[cfg(not(test))]
mod system;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
use fuzz::system;

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use abide_model::{Mono, RunId, Signal, UnitId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::socket::{Received, pair, receive};
use crate::fault::point;
use crate::keeper::wire::{BATCH, Frame, Kind, VERSION};
use crate::keeper::{Key, RunEntry, RunState};
use crate::signals::Signals;
use map::Map;
pub(super) use program::Program;
use program::{Change, How};
use restarts::Restarts;
use system::now;
use tell::Talk;
use upgrade::Upgrade;

/// Passed on to the daemon, which decides what they mean.
pub(super) const FORWARDED: [Signal; 6] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal(3),
    Signal(10),
    Signal(12),
];

/// Some child has ended, was stopped or goes on.
pub(super) const CHILD: Signal = Signal(17);

/// How long a stopped daemon may stay stopped before it is continued, and then before it is killed.
const STOPPED_FOR: Duration = Duration::from_secs(3);

/// Stops and continuations that are looked at in a row, so that a process which is stopped and continued
/// without end keeps nothing else waiting.
const CHANGES: usize = 256;

/// When to look again whether there is memory.
const SHORTAGE: Duration = Duration::from_secs(1);

/// When nothing has happened for so long, memory is given back.
const QUIET: Duration = Duration::from_secs(1);

/// Descriptors that are waited for: signals, daemon, successor, and sockets of dead daemons. What more of
/// those there are is read whenever something else happens.
const POLLED: usize = 16;

/// Answers that wait for the daemon's socket. More than this only a daemon asks for that reads none.
const ANSWERS: usize = 8;

type Id = (UnitId, RunId);

/// A run in the table.
struct Held {
    pid: u32,
    state: RunState,
    /// The last stop or continuation that the daemon has not been told yet.
    change: Option<Change>,
    /// It is in [`Keeper::news`].
    queued: bool,
    /// `pid` did not say itself that it is this run.
    named: bool,
}

impl Held {
    fn new(pid: u32, state: RunState) -> Self {
        Self {
            pid,
            state,
            change: None,
            queued: false,
            named: false,
        }
    }

    fn entry(&self, (unit, run): Id) -> RunEntry {
        let (pid, state) = (self.pid, self.state);
        RunEntry {
            unit,
            run,
            pid,
            state,
        }
    }
}

/// A daemon, or one that is to be.
struct Process {
    pid: u32,
    /// Our end of its socket.
    socket: Option<OwnedFd>,
}

/// Where a message came from.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Daemon,
    Successor,
    /// A daemon that is gone, and half-spawned children of it.
    Old,
}

/// A stopped daemon.
#[derive(Clone, Copy)]
enum Stopped {
    /// Since then; it will be continued.
    Waiting(Mono),
    /// It was continued then; if that does not help, it is killed.
    Continued(Mono),
}

pub(super) struct Keeper {
    program: Program,
    /// The daemon's file, if it is not the keeper's own.
    exe: Option<OwnedFd>,
    /// The keeper's own lock of the home.
    lock: OwnedFd,
    /// Where the starter waits for "ready"; dropped when that was said.
    starter: Option<OwnedFd>,
    descriptors: Map<Key, OwnedFd>,
    runs: Map<Id, Held>,
    /// The runs that have not ended.
    by_pid: Map<u32, Id>,
    /// Runs of which the daemon has to be told something. Has room for every run.
    news: VecDeque<Id>,
    /// To be told before anything else.
    answers: Vec<Frame>,
    daemon: Option<Process>,
    /// Sockets of daemons that are gone, while a half-spawned child may still write to one.
    old: Vec<OwnedFd>,
    talk: Talk,
    /// The version that the daemon and we speak.
    version: u32,
    /// The daemon's socket takes no more now.
    blocked: bool,
    /// There was no memory for what is in the sockets.
    short: bool,
    restarts: Restarts,
    upgrade: Upgrade,
    stopped: Option<Stopped>,
    /// There may be children that have ended: SIGCHLD came since the kernel was last asked until it had
    /// none. One signal stands for any number of them, and the question costs as much as there are
    /// children.
    ended: bool,
    /// The same for stops and continuations.
    changed: bool,
    /// Which of [`FORWARDED`] came while no daemon could take them, a bit each.
    pending: u64,
    rolled_back: Option<crate::keeper::UpgradeFailure>,
    /// The daemon's file is to be executed by the keeper too.
    renew: bool,
    /// When memory is given back; `None`: nothing happened since the last time.
    rest: Option<Mono>,
}

impl Keeper {
    /// `adopt`: the socket over which a daemon hands over what its dead keeper held; the new daemon
    /// is not started before that one is gone.
    pub(super) fn new(
        program: Program,
        lock: OwnedFd,
        starter: Option<OwnedFd>,
        adopt: Option<OwnedFd>,
    ) -> Self {
        Self {
            program,
            exe: None,
            lock,
            starter,
            descriptors: Map::new(),
            runs: Map::new(),
            by_pid: Map::new(),
            news: VecDeque::new(),
            answers: Vec::with_capacity(ANSWERS),
            daemon: None,
            old: adopt.into_iter().collect(),
            talk: Talk::Silent,
            version: VERSION,
            blocked: false,
            short: false,
            restarts: Restarts::default(),
            upgrade: Upgrade::No,
            stopped: None,
            // Signals of before tell us nothing.
            ended: true,
            changed: true,
            pending: 0,
            rolled_back: None,
            renew: false,
            rest: None,
        }
    }

    /// Holds, until the daemon leaves on purpose. Returns the code to exit with.
    pub(super) fn run(mut self, signals: &Signals) -> i32 {
        while self.restarts.starts == 0 && !self.old.is_empty() {
            self.drain();
            self.wait(signals);
        }
        point("keeper.begin");
        loop {
            if let Some(code) = self.step(signals) {
                return code;
            }
            self.wait(signals);
        }
    }

    /// Does all that there is to do.
    fn step(&mut self, signals: &Signals) -> Option<i32> {
        while let Some(signal) = system::next_signal(signals) {
            if signal == CHILD {
                (self.ended, self.changed) = (true, true);
            }
            for (known, bit) in FORWARDED.iter().zip(0_u32..) {
                if *known == signal {
                    self.pending |= 1_u64.checked_shl(bit).unwrap_or(0);
                }
            }
        }
        self.drain();
        if let Some(code) = self.reap() {
            return Some(code);
        }
        self.watch_changes();
        self.watch_stopped();
        self.watch_upgrade();
        self.start_when_due();
        self.forward();
        self.tell();
        self.renew_when_settled();
        None
    }

    /// Sleeps until a signal, a message or a deadline.
    fn wait(&mut self, signals: &Signals) {
        if self.rest.is_some_and(|at| at <= now()) {
            self.rest = None;
            crate::memory::release();
        }
        let mut fds: [PollFd<'_>; POLLED] =
            std::array::from_fn(|_| PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN));
        let mut used = 1;
        let mut events = PollFlags::IN;
        events.set(PollFlags::OUT, self.blocked);
        let daemon = self.daemon.iter().map(|daemon| (daemon, events));
        let successor = self.upgrade.successor();
        let processes = daemon.chain(successor.map(|process| (process, PollFlags::IN)));
        let sockets = processes.filter_map(|(process, events)| {
            let socket = process.socket.as_ref()?;
            Some((socket, events))
        });
        let sockets = sockets.chain(self.old.iter().map(|old| (old, PollFlags::IN)));
        // What there is no memory for is not waited for.
        let sockets = sockets.take(if self.short { 0 } else { POLLED });
        for (place, (socket, events)) in fds.iter_mut().skip(1).zip(sockets) {
            *place = PollFd::from_borrowed_fd(socket.as_fd(), events);
            used = POLLED.min(used).saturating_add(1);
        }
        let timeout = self.due().map(|at| {
            let left = at.since(now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            }
        });
        // An interrupted or failed wait is a short one.
        let happened = poll(fds.get_mut(..used).unwrap_or(&mut []), timeout.as_ref());
        if happened.is_ok_and(|events| events > 0) {
            self.rest = Some(now().after(QUIET));
        }
    }

    fn due(&self) -> Option<Mono> {
        let start = self.daemon.is_none().then_some(self.restarts.due);
        let start = start.filter(|_| self.restarts.starts > 0 || self.old.is_empty());
        let stopped = self
            .stopped
            .map(|(Stopped::Waiting(at) | Stopped::Continued(at))| at.after(STOPPED_FOR));
        let changes = self.changed.then_some(Mono(0));
        let memory = self.short.then(|| now().after(SHORTAGE));
        let soon = [
            start,
            stopped,
            changes,
            memory,
            self.rest,
            self.upgrade.due(),
        ];
        soon.into_iter().flatten().min()
    }

    /// There is memory for whatever one more message says, and one more daemon.
    fn room(&mut self) -> bool {
        self.descriptors.room(BATCH)
            && self.runs.room(BATCH)
            && self.by_pid.room(BATCH)
            && self.old.try_reserve(2).is_ok()
            && {
                let wanted = self.runs.capacity().saturating_sub(self.news.len());
                self.news.try_reserve(wanted).is_ok()
            }
    }

    /// Reads what the daemon, and children of this and earlier ones, have written. False: there may be
    /// more of it.
    fn drain(&mut self) -> bool {
        self.short = false;
        self.drain_old();
        let socket = self.daemon.as_mut().and_then(|d| d.socket.take());
        let socket = socket.filter(|socket| self.drain_one(socket.as_fd(), Source::Daemon));
        if let Some(daemon) = &mut self.daemon {
            daemon.socket = socket;
        }
        let socket = self.upgrade.process().and_then(|p| p.socket.take());
        let socket = socket.filter(|socket| self.drain_one(socket.as_fd(), Source::Successor));
        if let Some(successor) = self.upgrade.process() {
            successor.socket = socket;
        }
        !self.short
    }

    fn drain_old(&mut self) {
        let mut old = std::mem::take(&mut self.old);
        old.retain(|socket| self.drain_one(socket.as_fd(), Source::Old));
        self.old = old;
    }

    /// False: nobody will write to it any more.
    fn drain_one(&mut self, socket: BorrowedFd<'_>, source: Source) -> bool {
        loop {
            if !self.room() {
                self.short = true;
                return true;
            }
            let message = match receive(socket) {
                Received::Message(message) => message,
                Received::Nothing => return true,
                Received::End => return false,
            };
            for (frame, fd) in message.into_frames() {
                self.take(source, &frame, fd);
            }
        }
    }

    fn take(&mut self, source: Source, frame: &Frame, fd: Option<OwnedFd>) {
        let [number, ..] = frame.numbers;
        match (source, frame.kind) {
            (_, Kind::RUN) => self.record(frame.entry()),
            (Source::Successor, Kind::PREPARED) => self.prepared(frame.unit, number),
            (Source::Successor, Kind::NOT_STARTED) => self.successor_not_started(frame.unit),
            (Source::Successor, _) => {}
            (_, Kind::HOLD) => {
                if let Some(fd) = fd {
                    point("keeper.hold");
                    self.descriptors.insert(frame.key(), fd);
                }
            }
            (_, Kind::RELEASE) => drop(self.descriptors.remove(&frame.key())),
            (_, Kind::TAKEN) => {
                if let Some(held) = self.runs.remove(&frame.id()) {
                    self.forget_pid(held.pid, frame.id());
                }
            }
            (_, Kind::MAIN) => self.change_main(frame.id(), number),
            (Source::Daemon, Kind::HELLO) => self.hello(frame.unit),
            (Source::Daemon, Kind::READY) => self.ready(),
            (Source::Daemon, Kind::LEAVING) => self.restarts.leaving = true,
            (Source::Daemon, Kind::UPGRADE) => self.begin_upgrade(fd, frame.unit != 0),
            _ => {}
        }
    }

    /// All earlier writers are through: the daemon holds the home's lock.
    fn hello(&mut self, version: u32) {
        point("keeper.hello");
        self.drain_old();
        self.news.clear();
        for held in self.runs.values() {
            (held.queued, held.change) = (false, None);
        }
        self.version = version.min(VERSION);
        self.talk = Talk::Hello;
    }

    fn ready(&mut self) {
        self.restarts.ready();
        self.starter = None;
        self.rolled_back = None;
        self.upgraded();
    }

    /// Has the daemon told of a run.
    fn tell_of(&mut self, id: Id) {
        if let Some(held) = self.runs.get_mut(&id)
            && !std::mem::replace(&mut held.queued, true)
        {
            self.news.push_back(id);
        }
    }

    /// A run goes on with another main process, though the one before may have ended already: the
    /// daemon knows that. The new one need not be a child of ours; it becomes one when its parent ends
    /// before it.
    fn change_main(&mut self, id: Id, pid: u32) {
        let another = self.by_pid.get(&pid).is_some_and(|other| *other != id);
        let daemon = self.daemon.as_ref().is_some_and(|d| d.pid == pid);
        let Some(held) = self.runs.get_mut(&id).filter(|_| !another && !daemon) else {
            return;
        };
        if held.pid == pid {
            return;
        }
        held.named = true;
        let before = std::mem::replace(&mut held.pid, pid);
        // One that is gone was reaped as an orphan, or by its own parent; nobody else would say so.
        let lives = system::exists(pid);
        held.state = if lives {
            RunState::Running
        } else {
            RunState::Vanished
        };
        self.forget_pid(before, id);
        if lives {
            self.by_pid.insert(pid, id);
        } else {
            self.tell_of(id);
        }
    }

    fn forget_pid(&mut self, pid: u32, id: Id) {
        if self.by_pid.get(&pid) == Some(&id) {
            self.by_pid.remove(&pid);
        }
    }

    /// A child's own record: written before it executes its program, and again if it cannot. An exit
    /// that was not taken stays.
    fn record(&mut self, entry: Option<RunEntry>) {
        let Some(entry) = entry else { return };
        let (id, pid, state) = ((entry.unit, entry.run), entry.pid, entry.state);
        match (self.runs.get_mut(&id), state) {
            // One that has ended is there too: what it said is read before it is reaped.
            (None, RunState::Running | RunState::ExecFailed { .. }) if system::exists(pid) => {
                let other = self.by_pid.get(&pid).and_then(|id| self.runs.get(id));
                // A number that somebody named may have been given to another process since; one that a
                // child said itself is its own until it is reaped.
                let taken = other.is_some_and(|other| !other.named);
                self.runs.insert(id, Held::new(pid, state));
                if !taken {
                    self.by_pid.insert(pid, id);
                }
            }
            (Some(held), RunState::ExecFailed { .. })
                if held.pid == pid && held.state == RunState::Running =>
            {
                held.state = state;
            }
            _ => {}
        }
    }

    /// Collects what has ended. Returns the exit code when the daemon ended and is to stay away.
    fn reap(&mut self) -> Option<i32> {
        while self.ended {
            let Some((pid, unexecuted)) = system::next_ended() else {
                self.ended = false;
                break;
            };
            let daemon = self.daemon.as_ref().is_some_and(|d| d.pid == pid);
            // What a child writes, it writes before it ends: whatever this process had to say of itself
            // is in a socket by now, and that it was not executed may be all that is not read.
            let known = self.by_pid.get(&pid).is_some() && !unexecuted;
            if !known && !self.drain() {
                return None;
            }
            point("exit.seen");
            let wait_status = system::reap(pid)?;
            point("exit.reaped");
            if daemon {
                if let Some(code) = self.daemon_ended(wait_status) {
                    return Some(code);
                }
            } else if let Some(id) = self.by_pid.remove(&pid) {
                if let Some(held) = self.runs.get_mut(&id) {
                    if held.state == RunState::Running {
                        held.state = RunState::Ended { wait_status };
                    }
                    held.change = None;
                }
                self.tell_of(id);
                point("exit.noted");
            } else {
                // Anything else is an orphan of some run: it only had to be reaped.
                self.successor_ended(pid, wait_status);
            }
        }
        None
    }

    /// The daemon was reaped, and what it said last was read.
    fn daemon_ended(&mut self, wait_status: i32) -> Option<i32> {
        point("keeper.gone");
        self.old.extend(self.daemon.take().and_then(|d| d.socket));
        self.talk = Talk::Silent;
        self.blocked = false;
        self.stopped = None;
        self.answers.clear();
        if !self.restarts.leaving && self.after_the_daemon(wait_status) {
            return None;
        }
        let code = self.restarts.ended(wait_status);
        let never_worked = code.is_none() && !self.restarts.was_ready;
        // Nobody can be asked to stop anything, since no daemon has ever worked.
        let code = code.or((never_worked && self.pending & 0b11 != 0).then_some(1));
        if code.is_some() {
            self.give_up_successor();
        }
        code
    }

    fn start_when_due(&mut self) {
        // Somebody wants something of a daemon: now.
        let due = self.pending != 0 || now() >= self.restarts.due;
        if self.daemon.is_some() || !due || self.short {
            return;
        }
        point("keeper.fork");
        let how = How {
            exe: self.exe.as_ref(),
            starter: self.starter.as_ref(),
            safe_mode: self.restarts.safe_mode(),
            successor: false,
        };
        let started = start(&self.program, &how);
        match started {
            Ok(process) => {
                point("keeper.forked");
                self.daemon = Some(process);
                self.restarts.started();
            }
            // No process or no descriptor to be had: the machine is short of something.
            Err(_) => self.restarts.not_started(),
        }
    }

    /// Collects who was stopped, and who goes on. Nothing is kept for a daemon that is not there.
    fn watch_changes(&mut self) {
        for _ in 0..CHANGES {
            let Some((pid, change)) = self.changed.then(system::next_change).flatten() else {
                self.changed = false;
                break;
            };
            if self.daemon.as_ref().is_some_and(|d| d.pid == pid) {
                self.stopped = match change {
                    Change::Stopped(_) => Some(Stopped::Waiting(now())),
                    Change::Continued => None,
                };
            } else if let Some(id) = self.by_pid.get(&pid).copied()
                && !matches!(self.talk, Talk::Silent)
                && let Some(held) = self.runs.get_mut(&id)
            {
                held.change = Some(change);
                self.tell_of(id);
            }
        }
    }

    /// A daemon that is stopped decides nothing.
    fn watch_stopped(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let at = now();
        match self.stopped {
            Some(Stopped::Waiting(since)) if at.since(since) >= STOPPED_FOR => {
                system::signal(daemon.pid, Signal::CONT);
                self.stopped = Some(Stopped::Continued(at));
            }
            Some(Stopped::Continued(since)) if at.since(since) >= STOPPED_FOR => {
                system::signal(daemon.pid, Signal::KILL);
                self.stopped = None;
            }
            _ => {}
        }
    }

    /// Signals wait until the daemon has said hello: before, it may not catch them yet.
    fn forward(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        if matches!(self.talk, Talk::Silent) {
            return;
        }
        for (signal, bit) in FORWARDED.iter().zip(0_u32..) {
            if self.pending & 1_u64.checked_shl(bit).unwrap_or(0) != 0 {
                system::signal(daemon.pid, *signal);
            }
        }
        self.pending = 0;
    }
}

fn start(program: &Program, how: &How<'_>) -> Result<Process, rustix::io::Errno> {
    let (ours, theirs) = pair()?;
    let pid = system::start(program, how, &theirs)?;
    let socket = Some(ours);
    Ok(Process { pid, socket })
}
