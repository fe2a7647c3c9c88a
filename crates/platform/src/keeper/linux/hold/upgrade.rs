//! Another executable becomes the daemon.
//!
//! ```text
//!       UPGRADE             PREPARED: YIELD           the old one ended: TURN       READY
//!  No ──────────► Beside ───────────────► Beside ──────────────────────────► Trial ──────► No
//!                   │ ends, hangs       (yielding)  ends                       │ ends, hangs
//!                   ▼                       └─────► Missed ─── the old one ──► ▼
//!                  No: UPGRADE_FAILED                          ended           No: the old file again
//! ```

use std::os::fd::OwnedFd;
use std::time::Duration;

use abide_model::{Mono, Signal};

use super::program::How;
use super::restarts::cause;
use super::system::{self, now};
use super::{ANSWERS, Keeper, Process, start};
use crate::fault::point;
use crate::keeper::wire::{Frame, Kind, TABLE};
use crate::keeper::{KEEPER_VERSION, UpgradeFailure};

/// How long a successor may take until it is prepared.
const PREPARED_WITHIN: Duration = Duration::from_secs(30);

/// How long the old daemon may take to let go, and then the new one to be ready.
const TURN_WITHIN: Duration = Duration::from_secs(60);

pub(super) enum Upgrade {
    No,
    /// A new daemon beside the old one.
    Beside(Successor),
    /// It has failed, but the old daemon was told already to yield, by then.
    Missed(UpgradeFailure, Mono),
    /// It is its turn, until then; or it was too late, and was killed.
    Trial {
        before: Option<OwnedFd>,
        until: Option<Mono>,
        renew: bool,
    },
}

pub(super) struct Successor {
    process: Process,
    exe: OwnedFd,
    /// The end of its time, or of the old daemon's; or it was too late, and was killed.
    until: Option<Mono>,
    /// It is prepared, and the old daemon was told to yield.
    yielding: bool,
    /// Why it could not be executed.
    not_started: Option<i32>,
    /// The keeper is to execute its file too.
    renew: bool,
}

impl Upgrade {
    pub(super) fn process(&mut self) -> Option<&mut Process> {
        match self {
            Self::Beside(successor) => Some(&mut successor.process),
            _ => None,
        }
    }

    pub(super) fn successor(&self) -> Option<&Process> {
        match self {
            Self::Beside(successor) => Some(&successor.process),
            _ => None,
        }
    }

    pub(super) fn due(&self) -> Option<Mono> {
        match self {
            Self::No => None,
            Self::Beside(successor) => successor.until,
            Self::Missed(_, until) => Some(*until),
            Self::Trial { until, .. } => *until,
        }
    }
}

fn failure(wait_status: i32, in_time: bool, turn: bool) -> UpgradeFailure {
    let within = if turn { TURN_WITHIN } else { PREPARED_WITHIN };
    let seconds = u32::try_from(within.as_secs()).unwrap_or(u32::MAX);
    match cause(wait_status) {
        _ if !in_time => UpgradeFailure::Late { seconds, turn },
        Ok(code) => UpgradeFailure::Ended { code, turn },
        Err(signal) => UpgradeFailure::Killed { signal, turn },
    }
}

impl Keeper {
    pub(super) fn answer(&mut self, frame: Frame) {
        if self.answers.len() < ANSWERS {
            self.answers.push(frame);
        }
    }

    fn fail(&mut self, why: UpgradeFailure) {
        self.answer(Frame::of_failure(Kind::UPGRADE_FAILED, why));
    }

    /// The daemon asks for another executable.
    pub(super) fn begin_upgrade(&mut self, exe: Option<OwnedFd>, renew: bool) {
        let Some(exe) = exe else {
            let errno = rustix::io::Errno::BADF.raw_os_error();
            return self.fail(UpgradeFailure::NotStarted { errno });
        };
        if !matches!(self.upgrade, Upgrade::No) || self.renew {
            return self.fail(UpgradeFailure::Busy);
        }
        let how = How {
            exe: Some(&exe),
            successor: true,
            ..How::default()
        };
        point("keeper.successor");
        match start(&self.program, &how) {
            Ok(process) => {
                point("keeper.succeeding");
                self.upgrade = Upgrade::Beside(Successor {
                    process,
                    exe,
                    until: Some(now().after(PREPARED_WITHIN)),
                    yielding: false,
                    not_started: None,
                    renew,
                });
            }
            Err(error) => {
                let errno = error.raw_os_error();
                self.fail(UpgradeFailure::NotStarted { errno });
            }
        }
    }

    pub(super) fn successor_not_started(&mut self, errno: u32) {
        if let Upgrade::Beside(successor) = &mut self.upgrade {
            successor.not_started = Some(errno.cast_signed());
        }
    }

    pub(super) fn prepared(&mut self, keeper_version: u32, table: u32) {
        if let Upgrade::Beside(successor) = &mut self.upgrade
            && !successor.yielding
            && successor.until.is_some()
        {
            point("keeper.prepared");
            successor.yielding = true;
            successor.until = Some(now().after(TURN_WITHIN));
            successor.renew |= keeper_version != KEEPER_VERSION;
            // A file that cannot read our table is never executed in our place.
            successor.renew &= table >= TABLE;
            self.answer(Frame::new(Kind::YIELD, 0, [0; 4]));
        }
    }

    /// Some child was reaped that is neither the daemon nor a run.
    pub(super) fn successor_ended(&mut self, pid: u32, wait_status: i32) {
        if self.upgrade.successor().is_none_or(|s| s.pid != pid) {
            return;
        }
        let before = std::mem::replace(&mut self.upgrade, Upgrade::No);
        let Upgrade::Beside(successor) = before else {
            return;
        };
        let why = match successor.not_started {
            Some(errno) => UpgradeFailure::NotStarted { errno },
            None => failure(wait_status, successor.until.is_some(), false),
        };
        if let Some(until) = successor.until.filter(|_| successor.yielding) {
            self.upgrade = Upgrade::Missed(why, until);
        } else {
            self.fail(why);
        }
    }

    /// The daemon has ended, and not because it was asked to leave. True: because of an upgrade, and
    /// what follows is arranged.
    pub(super) fn after_the_daemon(&mut self, wait_status: i32) -> bool {
        match std::mem::replace(&mut self.upgrade, Upgrade::No) {
            Upgrade::No => return false,
            Upgrade::Beside(successor) if !successor.yielding => {
                system::signal(successor.process.pid, Signal::KILL);
                self.old.extend(successor.process.socket);
                self.rolled_back = Some(UpgradeFailure::Interrupted);
                return false;
            }
            Upgrade::Beside(successor) => {
                point("keeper.yielded");
                let renew = successor.renew;
                self.daemon = Some(successor.process);
                self.restarts.started();
                self.answer(Frame::new(Kind::TURN, 0, [0; 4]));
                self.upgrade = Upgrade::Trial {
                    before: self.exe.replace(successor.exe),
                    until: Some(now().after(TURN_WITHIN)),
                    renew,
                };
            }
            Upgrade::Missed(why, _) => self.roll_back(why),
            Upgrade::Trial { before, until, .. } => {
                self.exe = before;
                self.roll_back(failure(wait_status, until.is_some(), true));
            }
        }
        true
    }

    fn roll_back(&mut self, why: UpgradeFailure) {
        point("keeper.rolled-back");
        self.rolled_back = Some(why);
        self.restarts.due = now();
    }

    /// The daemon is ready.
    pub(super) fn upgraded(&mut self) {
        if let Upgrade::Trial { renew, .. } = self.upgrade {
            point("keeper.upgraded");
            self.upgrade = Upgrade::No;
            self.renew = renew;
        }
    }

    /// The keeper ends.
    pub(super) fn give_up_successor(&mut self) {
        if let Some(successor) = self.upgrade.process() {
            system::signal(successor.pid, Signal::KILL);
        }
    }

    /// Whoever is late is killed; what that means is seen when it has ended.
    pub(super) fn watch_upgrade(&mut self) {
        let at = now();
        let late = |until: &mut Option<Mono>| until.take_if(|until| *until <= at).is_some();
        let old = self.daemon.as_ref().map(|daemon| daemon.pid);
        let whom = match &mut self.upgrade {
            Upgrade::Beside(successor) if successor.yielding => {
                let over = successor.until.is_some_and(|until| until <= at);
                if over {
                    successor.until = Some(at.after(TURN_WITHIN));
                }
                old.filter(|_| over)
            }
            Upgrade::Beside(successor) => {
                late(&mut successor.until).then_some(successor.process.pid)
            }
            Upgrade::Missed(_, until) if *until <= at => {
                *until = at.after(TURN_WITHIN);
                old
            }
            Upgrade::Trial { until, .. } => old.filter(|_| late(until)),
            _ => None,
        };
        if let Some(pid) = whom {
            system::signal(pid, Signal::KILL);
        }
    }
}
