//! The keeper itself, after its start: one thread and no policy. What it cannot do it leaves, and goes on
//! holding. For want of memory it ends as any program here does, and its daemon makes another one.
//!
//! ```text
//!  daemon's line ─┐                            ┌─► the daemon: the table, when it asks
//!  daemon's end ──┼─► hear, start what is due ─┴─► one that is to follow it, beside it
//!  old daemon's ──┘
//! ```

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::panic))]

mod console;
mod upgrade;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::sync::Arc;
use std::time::Duration;

use abide_model::{ExitStatus, MachineEvent, RunId, Signal, UnitId, Wall};

use super::asked;
use super::channel::{Channel, Received, pair};
use super::handles::{give, number, own_process, received};
use super::kept::{JOB, PROCESS, key};
use super::process::{Order, Variables, create};
use super::{KEEPER_FD, KEEPER_PROCESS, READY_FD, SAFE_MODE, SUCCESSOR};
use crate::clock::now;
use crate::executable;
use crate::identity::Handle;
use crate::keeper::restarts::{Ending, Restarts};
use crate::keeper::wire::{Frame, Kind, VERSION};
use crate::keeper::{
    EXIT_FAILED, EXIT_REFUSED, EXIT_SHORT, EXIT_YIELDED, KEEPER_VERSION, Key, RunEntry, RunState,
    UpgradeFailure,
};
use crate::lock::Lock;
use crate::win32::{inheritable, wait_any};
use upgrade::Upgrade;

/// The lowest NTSTATUS that is an error: what a crash leaves as exit code.
const CRASHED: u32 = 0xC000_0000;

/// The exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// What the daemon is started with.
pub(super) struct Program {
    pub arguments: Vec<OsString>,
    pub variables: Variables,
}

/// A daemon, and our end of the line to it.
struct Daemon {
    process: Handle,
    line: Channel,
}

pub(super) struct Keeper {
    program: Program,
    /// The daemon's file, whatever it is called by now. `None`: it has to be found by its name.
    exe: Option<File>,
    /// The keeper's own lock of the home.
    _lock: Lock,
    /// Where the starter waits for "ready"; dropped when that was said.
    starter: Option<OwnedHandle>,
    held: BTreeMap<Key, OwnedHandle>,
    /// Over which a daemon hands over what its dead keeper held; the next daemon is not started before
    /// that one is gone.
    adopt: Option<Channel>,
    daemon: Option<Daemon>,
    restarts: Restarts,
    upgrade: Option<Upgrade>,
    /// Why the last daemon is none of the executable that was to follow it, until one was ready.
    rolled_back: Option<UpgradeFailure>,
    /// Somebody asked for everything to go down: each daemon is told until one has done it.
    to_leave: bool,
}

impl Keeper {
    pub(super) fn new(
        program: Program,
        lock: Lock,
        starter: Option<OwnedHandle>,
        adopt: Option<Channel>,
    ) -> io::Result<Self> {
        super::process::leave_directory();
        console::ignore_ctrl_c()?;
        let exe = std::env::current_exe().and_then(|path| executable::hold(&path));
        Ok(Self {
            program,
            exe: exe.ok(),
            _lock: lock,
            starter,
            held: BTreeMap::new(),
            adopt,
            daemon: None,
            restarts: Restarts::default(),
            upgrade: None,
            rolled_back: None,
            to_leave: false,
        })
    }

    /// Holds, until the daemon leaves on purpose. Returns the code to exit with.
    pub(super) fn run(mut self) -> i32 {
        loop {
            self.hear_the_old();
            self.pass_on();
            if let Some(code) = self.attend() {
                self.give_up_successor();
                return code;
            }
            self.attend_successor();
            self.watch_upgrade();
            self.start_when_due();
            self.hand_on();
            self.tell();
            self.wait();
        }
    }

    /// Sleeps until a message, the daemon's end or a deadline.
    fn wait(&self) {
        let successor = self.upgrade.as_ref().and_then(Upgrade::successor);
        let daemons = self.daemon.iter().chain(successor);
        let lines = daemons.clone().map(|daemon| &daemon.line);
        let lines = lines.chain(&self.adopt);
        let readable = lines.clone().filter(|line| !line.ended());
        let readable = readable.map(Channel::readable);
        let writable = lines.filter_map(Channel::writable);
        let processes = daemons.map(|daemon| daemon.process.as_handle());
        let asked = asked::came().ok();
        let all = processes.chain(readable).chain(writable).chain(asked);
        let all: Vec<_> = all.collect();
        let start = self.daemon.is_none() && self.adopt.is_none();
        let start = start.then_some(self.restarts.due);
        let late = self.upgrade.as_ref().and_then(|upgrade| upgrade.until);
        let due = start.into_iter().chain(late).min();
        let at_most = due.map(|due| due.since(now().mono));
        // A wait that failed is a short one.
        let _ = wait_any(&all, at_most);
    }

    /// What was asked in this process.
    fn pass_on(&mut self) {
        for signal in asked::take() {
            self.to_leave |= signal == Signal::TERM;
            if let Some(daemon) = &mut self.daemon {
                daemon.line.push(request(signal));
            }
        }
    }

    /// What happened to the machine. A daemon that is to be followed by another one does not hear it any more.
    fn hand_on(&mut self) {
        let followed = self.upgrade.as_ref().and_then(Upgrade::successor);
        if let (Some(daemon), None) = (&mut self.daemon, followed) {
            for event in asked::take_happened() {
                daemon.line.push(happened(event));
            }
        }
    }

    /// What a daemon hands over.
    fn hear_the_old(&mut self) {
        while let Some(line) = &mut self.adopt {
            match line.receive() {
                Received::Message(frames) => {
                    for frame in &frames {
                        self.take(frame);
                    }
                }
                Received::Nothing => return,
                Received::End => self.adopt = None,
            }
        }
    }

    /// Writes what the daemon is to be told.
    fn tell(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            // One that is gone is seen by its end.
            let _ = daemon.line.flush();
        }
    }

    /// Hears the daemon. `Some`: it has ended and is to stay away.
    fn attend(&mut self) -> Option<i32> {
        let daemon = self.daemon.as_mut()?;
        // Before it is read: what it has written until its end is there then.
        let ended = daemon.process.exit(Some(Duration::ZERO));
        while let Some(daemon) = &mut self.daemon {
            match daemon.line.receive() {
                Received::Message(frames) => {
                    for frame in &frames {
                        self.take(frame);
                    }
                }
                Received::Nothing | Received::End => break,
            }
        }
        let Ok(Some(status)) = ended else {
            return None;
        };
        self.daemon = None;
        self.daemon_ended(&status)
    }

    fn daemon_ended(&mut self, status: &ExitStatus) -> Option<i32> {
        let code = match status {
            ExitStatus::Code(code) => *code,
            _ => 0,
        };
        if !self.restarts.leaving && self.after_the_daemon(status) {
            return None;
        }
        let ending = ending(code, self.restarts.is_ready);
        let stay_away = self.restarts.ended(now().mono, code, ending);
        // Ctrl-C: nobody can be asked to stop anything, since no daemon has ever worked.
        let wanted = self.to_leave || console::was_interrupted();
        let wanted = wanted && !self.restarts.was_ready;
        stay_away.or(wanted.then_some(1))
    }

    fn take(&mut self, frame: &Frame) {
        let [_, number, ..] = frame.numbers;
        match frame.kind {
            Kind::HOLD => {
                if let Some(handle) = received(number) {
                    self.held.insert(frame.key(), handle);
                }
            }
            Kind::RELEASE => drop(self.held.remove(&frame.key())),
            Kind::TAKEN => {
                for kind in [PROCESS, JOB] {
                    self.held.remove(&key(kind, frame.id()));
                }
            }
            Kind::HELLO => self.welcome(frame.unit.min(VERSION)),
            Kind::READY => {
                self.restarts.ready();
                self.starter = None;
                self.upgraded();
            }
            Kind::UPGRADE => self.begin_upgrade(number),
            Kind::LEAVING => self.restarts.leaving = true,
            _ => {}
        }
    }

    /// The daemon has asked for the table; both speak this version.
    fn welcome(&mut self, version: u32) {
        let Some(daemon) = &mut self.daemon else {
            return;
        };
        let safe_mode = u32::from(self.restarts.safe_mode());
        let numbers = [
            std::process::id(),
            self.restarts.starts,
            safe_mode,
            KEEPER_VERSION,
        ];
        daemon
            .line
            .push(Frame::new(Kind::WELCOME, version, numbers));
        if let Some((at, status)) = self.restarts.died {
            let numbers = [self.restarts.deaths, 0, 0, 0];
            let frame = Frame::new(Kind::DIED, status.cast_unsigned(), numbers);
            daemon.line.push(Frame { run: at.0, ..frame });
        }
        if let Some(why) = self.rolled_back {
            let frame = Frame::of_failure(Kind::ROLLED_BACK, why);
            daemon.line.push(frame);
        }
        for (key, handle) in &self.held {
            // What it cannot be given it hears of as missing, and refuses.
            let number = give(handle, &daemon.process).unwrap_or(0);
            daemon.line.push(Frame::of_key(Kind::HOLD, *key, number));
        }
        for (key, handle) in self.held.iter().filter(|(key, _)| key.kind == PROCESS) {
            if let Some(entry) = entry(*key, handle) {
                daemon.line.push(Frame::of_run(entry));
            }
        }
        daemon.line.push(Frame::new(Kind::END, 0, [0; 4]));
        if self.to_leave {
            daemon.line.push(request(Signal::TERM));
        }
    }

    fn start_when_due(&mut self) {
        if self.daemon.is_some() || self.adopt.is_some() || now().mono < self.restarts.due {
            return;
        }
        match self.start(self.exe.as_ref(), false) {
            Ok(daemon) => {
                self.daemon = Some(daemon);
                self.restarts.started();
            }
            // No process to be had: the machine is short of something.
            Err(_) => self.restarts.not_started(now().mono),
        }
    }

    /// Starts a daemon from this file; one that is to follow another waits until that has let go.
    fn start(&self, exe: Option<&File>, to_follow: bool) -> io::Result<Daemon> {
        let program = match exe.map(executable::path_of).transpose() {
            // There are disks whose files tell no name: then it is the name that this process was started by.
            Err(_) if !to_follow => None,
            program => program?,
        };
        let (ours, theirs) = pair()?;
        let (theirs, own) = (inheritable(&theirs)?, own_process()?);
        let starter = self.starter.as_ref().filter(|_| !to_follow);
        let starter = starter.map(inheritable).transpose()?;
        let mut variables = self.program.variables.clone();
        let mut set = |name: &str, value: OsString| {
            variables.insert(name.into(), (name.into(), value));
        };
        set(KEEPER_FD, number(&theirs));
        set(KEEPER_PROCESS, number(&own));
        if let Some(starter) = &starter {
            set(READY_FD, number(starter));
        }
        if to_follow {
            set(SUCCESSOR, "1".into());
        } else if self.restarts.safe_mode() {
            set(SAFE_MODE, "1".into());
        }
        let (process, _) = create(&Order {
            program,
            arguments: self.program.arguments.clone(),
            variables,
            handles: [&theirs, &own].into_iter().chain(&starter).collect(),
            stderr: None,
            detached: false,
        })?;
        Ok(Daemon {
            process: Handle::new(process)?,
            line: Channel::new(&Arc::new(ours))?,
        })
    }
}

fn request(signal: Signal) -> Frame {
    Frame::new(Kind::ASKED, 0, [0, signal.0.cast_unsigned(), 0, 0])
}

fn happened((event, at): (MachineEvent, Wall)) -> Frame {
    let (control, event, session) = event.numbers();
    Frame {
        run: at.0.cast_unsigned(),
        ..Frame::new(Kind::HAPPENED, control, [event, session, 0, 0])
    }
}

/// A run, as its main process has it. `None`: it cannot be asked, which of a handle with all rights is never so.
fn entry(key: Key, process: &OwnedHandle) -> Option<RunEntry> {
    let handle = Handle::new(process.try_clone().ok()?).ok()?;
    let state = match handle.exit(Some(Duration::ZERO)).ok()? {
        Some(ExitStatus::Code(wait_status)) => RunState::Ended { wait_status },
        Some(_) | None => RunState::Running,
    };
    Some(RunEntry {
        unit: UnitId(key.unit),
        run: RunId(key.sub),
        pid: handle.identity().pid,
        state,
    })
}

/// How a daemon ended. Windows knows no death by signal: who ends a process gives it a code, as that itself
/// does. A daemon that worked ends with few, so any other one came from outside.
fn ending(code: i32, worked: bool) -> Ending {
    const OWN: [i32; 6] = [
        0,
        PANICKED,
        EXIT_REFUSED,
        EXIT_SHORT,
        EXIT_YIELDED,
        EXIT_FAILED,
    ];
    if code.cast_unsigned() >= CRASHED && code.cast_unsigned() != crate::tree::TERMINATED {
        Ending::Crashed(code)
    } else if worked && !OWN.contains(&code) {
        Ending::Killed(code)
    } else {
        Ending::Code(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_a_daemon_never_ends_with_is_that_of_who_killed_it() {
        assert_eq!(ending(1, true), Ending::Killed(1));
        assert_eq!(ending(1, false), Ending::Code(1));
        assert_eq!(ending(EXIT_FAILED, true), Ending::Code(EXIT_FAILED));
        let terminated = crate::tree::TERMINATED.cast_signed();
        assert_eq!(ending(terminated, true), Ending::Killed(terminated));
        let violation = 0xC000_0005_u32.cast_signed();
        assert_eq!(ending(violation, false), Ending::Crashed(violation));
    }
}
