//! The keeper itself. No policy, one thread, and nothing in it that can panic: no indexing, no
//! arithmetic that overflows, no unwrapping. What it cannot do it leaves, and goes on holding.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use abide_model::{Mono, RunId, Signal, UnitId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::daemon::{Daemon, Ended, Next};
use super::reap::{Change, exists, next_change, next_ended, reap};
use super::socket::{Received, Sent, receive, send};
use crate::clock::now;
use crate::fault::point;
use crate::keeper::wire::{BATCH, Frame, VERSION};
use crate::keeper::{Key, RunEntry, RunState};
use crate::signals::Signals;

/// Passed on to the daemon, which decides what they mean.
pub(super) const FORWARDED: [Signal; 6] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal(3),
    Signal(10),
    Signal(12),
];

const CHLD: Signal = Signal(17);

/// How long a stopped daemon may stay stopped before it is continued, and then before it is killed.
const STOPPED_FOR: Duration = Duration::from_secs(3);

/// Stops and continuations that are looked at in a row, so that a process which is stopped and continued
/// without end keeps nothing else waiting.
const CHANGES: usize = 256;

/// How far the talk with the daemon is.
#[derive(Clone, Copy)]
enum Talk {
    /// It has not said hello.
    Silent,
    /// It gets the descriptors, those up to this key already.
    Descriptors(Option<Key>),
    /// It gets the runs, those up to this one already.
    Runs(Option<(UnitId, RunId)>),
    /// It has the table, and hears of exits.
    Live,
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
    descriptors: BTreeMap<Key, OwnedFd>,
    runs: BTreeMap<(UnitId, RunId), RunEntry>,
    /// The runs that have not ended.
    by_pid: BTreeMap<u32, (UnitId, RunId)>,
    /// Exits that the daemon has not been told yet.
    untold: Vec<(UnitId, RunId)>,
    /// The last stop or continuation of each run that the daemon has not been told yet.
    changes: BTreeMap<(UnitId, RunId), Change>,
    /// There may be more of them than were looked at.
    more_changes: bool,
    /// The socket of the current daemon.
    socket: Option<OwnedFd>,
    /// Sockets of daemons that are gone, while a half-spawned child may still write to one.
    old: Vec<OwnedFd>,
    talk: Talk,
    blocked: bool,
    daemon: Daemon,
    stopped: Option<Stopped>,
    /// Signals that came while no daemon could take them.
    pending: Vec<Signal>,
    refused: bool,
}

impl Keeper {
    /// `adopt`: the socket over which a daemon hands over what its dead keeper held; the new daemon
    /// is not started before that one is gone.
    pub(super) fn new(daemon: Daemon, adopt: Option<OwnedFd>) -> Self {
        Self {
            descriptors: BTreeMap::new(),
            runs: BTreeMap::new(),
            by_pid: BTreeMap::new(),
            untold: Vec::new(),
            changes: BTreeMap::new(),
            more_changes: false,
            socket: None,
            old: adopt.into_iter().collect(),
            talk: Talk::Silent,
            blocked: false,
            daemon,
            stopped: None,
            pending: Vec::new(),
            refused: false,
        }
    }

    /// Holds, until the daemon leaves on purpose. Returns the code to exit with.
    pub(super) fn run(mut self, signals: &Signals) -> i32 {
        while !self.old.is_empty() {
            self.wait(signals, None);
            self.drain_old();
        }
        point("keeper.begin");
        loop {
            let wake = self.due();
            self.wait(signals, wake);
            while let Some(signal) = signals.take() {
                if signal != CHLD && !self.pending.contains(&signal) {
                    self.pending.push(signal);
                }
            }
            self.drain();
            if let Some(code) = self.reap() {
                return code;
            }
            self.watch_changes();
            self.start_when_due();
            self.watch_stopped();
            self.forward();
            self.tell();
        }
    }

    /// Sleeps until a signal, a message or `wake`.
    fn wait(&self, signals: &Signals, wake: Option<Mono>) {
        let mut fds = Vec::with_capacity(2 + self.old.len());
        fds.push(PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN));
        if let Some(socket) = &self.socket {
            let mut events = PollFlags::IN;
            events.set(PollFlags::OUT, self.blocked);
            fds.push(PollFd::from_borrowed_fd(socket.as_fd(), events));
        }
        for old in &self.old {
            fds.push(PollFd::from_borrowed_fd(old.as_fd(), PollFlags::IN));
        }
        let timeout = wake.map(|at| {
            let left = at.since(now().mono);
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            }
        });
        // An interrupted or failed wait is a short one.
        let _ = poll(&mut fds, timeout.as_ref());
    }

    fn due(&self) -> Option<Mono> {
        let stopped = self
            .stopped
            .map(|(Stopped::Waiting(at) | Stopped::Continued(at))| at.after(STOPPED_FOR));
        let changes = self.more_changes.then_some(Mono(0));
        [self.daemon.due(), stopped, changes]
            .into_iter()
            .flatten()
            .min()
    }

    /// Reads what the daemon, and children of this and earlier ones, have written.
    fn drain(&mut self) {
        self.drain_old();
        let Some(socket) = self.socket.take() else {
            return;
        };
        if self.drain_one(socket.as_fd()) {
            self.socket = Some(socket);
        }
    }

    fn drain_old(&mut self) {
        let mut old = std::mem::take(&mut self.old);
        old.retain(|socket| self.drain_one(socket.as_fd()));
        self.old = old;
    }

    /// False: nobody will write to it any more.
    fn drain_one(&mut self, socket: BorrowedFd<'_>) -> bool {
        loop {
            let message = match receive(socket) {
                Received::Message(message) => message,
                Received::Nothing => return true,
                Received::End => return false,
            };
            let frames: Vec<Frame> = message.frames().collect();
            let mut fds = message.fds.into_iter();
            for frame in frames {
                self.take(frame, &mut fds);
            }
        }
    }

    fn take(&mut self, frame: Frame, fds: &mut impl Iterator<Item = OwnedFd>) {
        match frame {
            Frame::Hello { .. } => {
                point("keeper.hello");
                // All earlier writers are through: the daemon holds the home's lock.
                self.drain_old();
                self.untold.clear();
                self.changes.clear();
                self.talk = Talk::Descriptors(None);
            }
            Frame::Hold(key) => {
                if let Some(fd) = fds.next() {
                    point("keeper.hold");
                    self.descriptors.insert(key, fd);
                }
            }
            Frame::Release(key) => {
                self.descriptors.remove(&key);
            }
            Frame::Taken { unit, run } => {
                if let Some(entry) = self.runs.remove(&(unit, run)) {
                    self.forget_pid(entry.pid, (unit, run));
                }
            }
            Frame::Main { unit, run, pid } => self.change_main((unit, run), pid),
            Frame::Ready => self.daemon.ready(),
            Frame::Leaving => self.daemon.leaving(),
            Frame::Run(entry) => self.record(entry),
            Frame::Upgrade { .. } => {
                drop(fds.next());
                self.refused = true;
            }
            _ => {}
        }
    }

    /// A run goes on with another main process, though the one before may have ended already: the
    /// daemon knows that. The new one need not be a child of ours; it becomes one when its parent ends
    /// before it.
    fn change_main(&mut self, id: (UnitId, RunId), pid: u32) {
        let another = self.by_pid.get(&pid).is_some_and(|other| *other != id);
        let Some(entry) = self.runs.get_mut(&id) else {
            return;
        };
        if another || Some(pid) == self.daemon.pid() || entry.pid == pid {
            return;
        }
        let before = std::mem::replace(&mut entry.pid, pid);
        self.untold.retain(|untold| *untold != id);
        // One that is gone was reaped as an orphan, or by its own parent; nobody else would say so.
        if exists(pid) {
            entry.state = RunState::Running;
            self.by_pid.insert(pid, id);
        } else {
            entry.state = RunState::Vanished;
            self.untold.push(id);
        }
        self.forget_pid(before, id);
    }

    fn forget_pid(&mut self, pid: u32, id: (UnitId, RunId)) {
        if self.by_pid.get(&pid) == Some(&id) {
            self.by_pid.remove(&pid);
        }
    }

    /// A child's own record: written before it executes its program, and again if it cannot.
    fn record(&mut self, entry: RunEntry) {
        let id = (entry.unit, entry.run);
        if entry.state == RunState::Running {
            self.by_pid.insert(entry.pid, id);
        }
        self.runs.insert(id, entry);
    }

    /// Collects what has ended. Returns the exit code when the daemon ended and is to stay away.
    fn reap(&mut self) -> Option<i32> {
        let mut leave = None;
        while let Some(pid) = next_ended() {
            if Some(pid) != self.daemon.pid() && !self.by_pid.contains_key(&pid) {
                // What a child writes, it writes before it ends: whatever this process had to say
                // of itself is in a socket by now.
                self.drain();
            }
            point("exit.seen");
            let Some(wait_status) = reap(pid) else {
                continue;
            };
            point("exit.reaped");
            if Some(pid) == self.daemon.pid() {
                leave = self.daemon_ended(wait_status);
            } else if let Some(id) = self.by_pid.remove(&pid)
                && let Some(entry) = self.runs.get_mut(&id)
            {
                if entry.state == RunState::Running {
                    entry.state = RunState::Ended { wait_status };
                }
                self.changes.remove(&id);
                self.untold.push(id);
                point("exit.noted");
            }
            // Anything else is an orphan of some run: it only had to be reaped.
        }
        leave
    }

    fn daemon_ended(&mut self, wait_status: i32) -> Option<i32> {
        // What it said last counts: that it was ready, that it leaves.
        self.drain();
        point("keeper.gone");
        self.old.extend(self.socket.take());
        self.talk = Talk::Silent;
        self.blocked = false;
        self.stopped = None;
        match self.daemon.ended(wait_status) {
            Ended::Leave(code) => Some(code),
            // Nobody can be asked to stop anything, since no daemon has ever worked.
            Ended::Restart if !self.daemon.was_ready() && self.asked_to_end() => Some(1),
            Ended::Restart => None,
        }
    }

    fn asked_to_end(&self) -> bool {
        self.pending
            .iter()
            .any(|signal| matches!(*signal, Signal::TERM | Signal::INT))
    }

    fn start_when_due(&mut self) {
        if !self.pending.is_empty() {
            // Somebody wants something of a daemon: now.
            self.daemon.hurry();
        }
        if let Next::Started(socket) = self.daemon.start_if_due() {
            self.socket = Some(socket);
        }
    }

    /// Collects who was stopped, and who goes on. Nothing is kept for a daemon that is not there.
    fn watch_changes(&mut self) {
        self.more_changes = true;
        for _ in 0..CHANGES {
            let Some((pid, change)) = next_change() else {
                self.more_changes = false;
                break;
            };
            if Some(pid) == self.daemon.pid() {
                self.stopped = match change {
                    Change::Stopped(_) => Some(Stopped::Waiting(now().mono)),
                    Change::Continued => None,
                };
            } else if let Some(id) = self.by_pid.get(&pid) {
                self.changes.insert(*id, change);
            }
        }
        if matches!(self.talk, Talk::Silent) {
            self.changes.clear();
        }
    }

    /// A daemon that is stopped decides nothing.
    fn watch_stopped(&mut self) {
        let at = now().mono;
        match self.stopped {
            Some(Stopped::Waiting(since)) if at.since(since) >= STOPPED_FOR => {
                self.daemon.signal(Signal::CONT);
                self.stopped = Some(Stopped::Continued(at));
            }
            Some(Stopped::Continued(since)) if at.since(since) >= STOPPED_FOR => {
                self.daemon.signal(Signal::KILL);
                self.stopped = None;
            }
            _ => {}
        }
    }

    /// Signals wait until the daemon has said hello: before, it may not catch them yet.
    fn forward(&mut self) {
        if matches!(self.talk, Talk::Silent) {
            return;
        }
        for signal in std::mem::take(&mut self.pending) {
            self.daemon.signal(signal);
        }
    }

    /// Tells the daemon what it has to know, as far as the socket takes it.
    fn tell(&mut self) {
        self.blocked = false;
        if std::mem::take(&mut self.refused)
            && let Some(socket) = &self.socket
        {
            let why = crate::keeper::UpgradeFailure::NotStarted {
                errno: libc::ENOSYS,
            };
            let _ = send(socket.as_fd(), &[Frame::UpgradeFailed(why)], &[]);
        }
        loop {
            let Some(socket) = self.socket.as_ref().map(AsFd::as_fd) else {
                return;
            };
            let mut frames = Vec::new();
            let mut fds = Vec::new();
            let then = match self.talk {
                Talk::Silent => return,
                Talk::Descriptors(last) => {
                    if last.is_none() {
                        frames.push(Frame::Welcome {
                            version: VERSION,
                            keeper: std::process::id(),
                            starts: self.daemon.starts(),
                            safe_mode: self.daemon.safe_mode(),
                            keeper_version: crate::keeper::KEEPER_VERSION,
                        });
                    }
                    let from = last.map_or(Unbounded, Excluded);
                    let room = BATCH - frames.len();
                    for (key, fd) in self.descriptors.range((from, Unbounded)).take(room) {
                        frames.push(Frame::Hold(*key));
                        fds.push(fd.as_fd());
                    }
                    match frames.last() {
                        Some(Frame::Hold(key)) => Talk::Descriptors(Some(*key)),
                        _ => Talk::Runs(None),
                    }
                }
                Talk::Runs(last) => {
                    let from = last.map_or(Unbounded, Excluded);
                    for entry in self
                        .runs
                        .range((from, Unbounded))
                        .map(|(_, e)| e)
                        .take(BATCH)
                    {
                        frames.push(Frame::Run(*entry));
                    }
                    match frames.last() {
                        Some(Frame::Run(entry)) => Talk::Runs(Some((entry.unit, entry.run))),
                        _ => {
                            frames.push(Frame::End);
                            Talk::Live
                        }
                    }
                }
                Talk::Live => {
                    // A run's stop is told before its exit, and never after.
                    let changes = self.changes.iter().take(BATCH);
                    frames.extend(changes.map(|((unit, run), change)| match *change {
                        Change::Stopped(signal) => Frame::Stopped {
                            unit: *unit,
                            run: *run,
                            signal,
                        },
                        Change::Continued => Frame::Continued {
                            unit: *unit,
                            run: *run,
                        },
                    }));
                    let told = self.untold.iter().take(BATCH - frames.len());
                    frames.extend(
                        told.filter_map(|id| self.runs.get(id))
                            .map(|e| Frame::Run(*e)),
                    );
                    if self.untold.is_empty() && self.changes.is_empty() {
                        return;
                    }
                    Talk::Live
                }
            };
            let sent = if frames.is_empty() {
                Sent::Yes
            } else {
                send(socket, &frames, &fds)
            };
            match sent {
                Sent::Yes => {}
                Sent::Later => {
                    self.blocked = true;
                    return;
                }
                // It is gone, which its exit will say.
                Sent::Never => return,
            }
            if matches!(self.talk, Talk::Live) {
                let told = self.changes.len().min(BATCH);
                for _ in 0..told {
                    self.changes.pop_first();
                }
                self.untold.drain(..self.untold.len().min(BATCH - told));
                point("exit.told");
            } else {
                point("keeper.table");
            }
            self.talk = then;
        }
    }
}
