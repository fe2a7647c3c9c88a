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
//! How much code that is `cargo xtask check` bounds.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::panic))]
#![cfg_attr(not(test), deny(clippy::unreachable, clippy::todo))]

mod children;
mod hear;
mod program;
mod renew;
mod runs;
mod tell;
mod upgrade;

#[cfg(not(test))]
mod system;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
use fuzz::system;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use abide_model::{Mono, Signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::socket::pair;
use crate::fault::point;
use crate::keeper::restarts::{Restarts, SHORTAGE};
use crate::keeper::wire::{Frame, VERSION};
use crate::keeper::{Key, UpgradeFailure};
use crate::signals::Signals;
use program::How;
pub(super) use program::Program;
use runs::{Held, Id};
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

/// When nothing has happened for so long, memory is given back.
const QUIET: Duration = Duration::from_secs(1);

/// Descriptors that are waited for: signals, and sockets, the latest first. What more of those there are is
/// read whenever something else happens.
const POLLED: usize = 16;

/// A map that allocates only where running out of memory is an answer: in [`Keeper::room`].
type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// Our end of a socket to a daemon, which its half-spawned children have too.
struct Line {
    /// That daemon, also when it is gone.
    pid: u32,
    socket: OwnedFd,
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
    /// To daemons, in the order of their starts: that which works, its successor, and those which are gone
    /// while a half-spawned child may still write.
    lines: Vec<Line>,
    /// The daemon's process.
    daemon: Option<u32>,
    talk: Talk,
    /// What the daemon is told next. There is always room for the exit of every run.
    news: VecDeque<Frame>,
    /// The version that the daemon and we speak.
    version: u32,
    /// The daemon's socket takes no more now.
    blocked: bool,
    /// There was no memory for what is in the sockets.
    short: bool,
    /// There may be children that have ended: SIGCHLD came since the kernel was last asked until it had
    /// none. One signal stands for any number of them, and the question costs as much as there are
    /// children.
    ended: bool,
    /// The same for stops and continuations.
    changed: bool,
    restarts: Restarts,
    upgrade: Option<Upgrade>,
    /// The daemon is stopped: when it gets which signal, if it still is.
    stopped: Option<(Mono, Signal)>,
    /// Which of [`FORWARDED`] came while no daemon could take them.
    pending: [bool; FORWARDED.len()],
    rolled_back: Option<UpgradeFailure>,
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
        let adopt = adopt.map(|socket| Line { pid: 0, socket });
        Self {
            program,
            exe: None,
            lock,
            starter,
            descriptors: Map::default(),
            runs: Map::default(),
            by_pid: Map::default(),
            lines: adopt.into_iter().collect(),
            daemon: None,
            talk: Talk::Silent,
            news: VecDeque::new(),
            version: VERSION,
            blocked: false,
            short: false,
            // Signals of before tell us nothing.
            ended: true,
            changed: true,
            restarts: Restarts::default(),
            upgrade: None,
            stopped: None,
            pending: [false; FORWARDED.len()],
            rolled_back: None,
            renew: false,
            rest: None,
        }
    }

    /// Holds, until the daemon leaves on purpose. Returns the code to exit with.
    pub(super) fn run(mut self, signals: &Signals) -> i32 {
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
            for (known, came) in FORWARDED.iter().zip(&mut self.pending) {
                *came |= *known == signal;
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
        if self.rest.take_if(|at| *at <= now()).is_some() {
            if self.news.is_empty() {
                // It may have been as large as the table.
                self.news = VecDeque::new();
            }
            crate::memory::release();
        }
        let mut fds: [PollFd<'_>; POLLED] =
            std::array::from_fn(|_| PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN));
        let mut used = 1_usize;
        // What there is no memory for is not waited for.
        let lines = self.lines.iter().rev();
        let lines = lines.take(if self.short { 0 } else { POLLED });
        for (place, line) in fds.iter_mut().skip(1).zip(lines) {
            let mut events = PollFlags::IN;
            let daemons = self.daemon == Some(line.pid);
            events.set(PollFlags::OUT, self.blocked && daemons);
            *place = PollFd::from_borrowed_fd(line.socket.as_fd(), events);
            used = used.saturating_add(1);
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
        let start = (self.daemon.is_none() && !self.adopts()).then_some(self.restarts.due);
        let changes = (self.changed && !self.short).then_some(Mono(0));
        let stopped = self.stopped.map(|(at, _)| at);
        let upgrade = self.upgrade.as_ref().and_then(|upgrade| upgrade.until);
        let memory = self.short.then(|| now().after(SHORTAGE));
        let soon = [start, changes, stopped, upgrade, memory, self.rest];
        soon.into_iter().flatten().min()
    }

    /// A daemon hands over to us, and is there until its end of the line is gone.
    fn adopts(&self) -> bool {
        self.restarts.starts == 0 && !self.lines.is_empty()
    }

    fn start_when_due(&mut self) {
        // Somebody wants something of a daemon: now.
        let due = self.pending.contains(&true) || now() >= self.restarts.due;
        if self.daemon.is_some() || !due || self.short || self.adopts() {
            return;
        }
        if self.restarts.starts == 0 {
            point("keeper.begin");
        }
        point("keeper.fork");
        let how = How {
            exe: self.exe.as_ref(),
            starter: self.starter.as_ref(),
            safe_mode: self.restarts.safe_mode(),
            successor: false,
        };
        match start(&self.program, &how) {
            Ok(line) => {
                point("keeper.forked");
                self.daemon = Some(line.pid);
                self.lines.push(line);
                self.restarts.started();
            }
            // No process or no descriptor to be had: the machine is short of something.
            Err(_) => self.restarts.not_started(now()),
        }
    }

    /// Signals wait until the daemon has said hello: before, it may not catch them yet.
    fn forward(&mut self) {
        let Some(daemon) = self.daemon.filter(|_| self.talk != Talk::Silent) else {
            return;
        };
        for (signal, came) in FORWARDED.iter().zip(&mut self.pending) {
            if std::mem::take(came) {
                system::signal(daemon, *signal);
            }
        }
    }
}

/// [`Keeper::room`] is for the line, too.
fn start(program: &Program, how: &How<'_>) -> Result<Line, Errno> {
    let (ours, theirs) = pair()?;
    let pid = system::start(program, how, &theirs)?;
    Ok(Line { pid, socket: ours })
}
