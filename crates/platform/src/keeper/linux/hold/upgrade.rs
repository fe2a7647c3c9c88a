//! Another executable becomes the daemon.
//!
//! ```text
//!    UPGRADE          PREPARED: YIELD           the old one ended: TURN       READY
//!  ─────────► Beside ────────────────► Yielding ──────────────────────► Trial ──────► the daemon
//!               │ ends, hangs             │ fails, and the old one ended  │ ends, hangs
//!               ▼                         └──────────► ◄──────────────────┘
//!        UPGRADE_FAILED                        the old file again
//! ```

use abide_model::{Mono, Signal};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

use super::program::{How, cause};
use super::system::{self, now};
use super::{Keeper, start};
use crate::fault::point;
use crate::keeper::upgrade::{PREPARED_WITHIN, TURN_WITHIN};
use crate::keeper::wire::{Frame, Kind, TABLE};
use crate::keeper::{KEEPER_VERSION, UpgradeFailure};

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// The new daemon prepares itself beside the old one.
    Beside,
    /// It is prepared, and the old daemon was told to let go.
    Yielding,
    /// It is its turn: it is the daemon.
    Trial,
}

pub(super) struct Upgrade {
    stage: Stage,
    /// The new daemon.
    pub pid: u32,
    /// Its file; in its trial, that of the daemon before.
    exe: Option<OwnedFd>,
    /// The end of the stage's time. `None`: it is over, and whoever was late was killed.
    pub until: Option<Mono>,
    /// Why the new daemon has failed, if it has.
    failed: Option<UpgradeFailure>,
    /// The keeper is to execute its file too.
    renew: bool,
}

fn failure(wait_status: i32, turn: bool) -> UpgradeFailure {
    match cause(wait_status) {
        Ok(code) => UpgradeFailure::Ended { code, turn },
        Err(signal) => UpgradeFailure::Killed { signal, turn },
    }
}

impl Keeper {
    fn fail(&mut self, why: UpgradeFailure) {
        self.say(Frame::of_failure(Kind::UPGRADE_FAILED, why));
    }

    /// The daemon asks for another executable.
    pub(super) fn begin_upgrade(&mut self, exe: Option<OwnedFd>, renew: bool) {
        let Some(exe) = exe else {
            let errno = Errno::BADF.raw_os_error();
            return self.fail(UpgradeFailure::NotStarted { errno });
        };
        if self.upgrade.is_some() || self.renew {
            return self.fail(UpgradeFailure::Busy);
        }
        let how = How {
            exe: Some(&exe),
            successor: true,
            ..How::default()
        };
        point("keeper.successor");
        match start(&self.program, &how) {
            Ok(line) => {
                point("keeper.succeeding");
                let pid = line.pid;
                self.lines.push(line);
                self.upgrade = Some(Upgrade {
                    stage: Stage::Beside,
                    pid,
                    exe: Some(exe),
                    until: Some(now().after(PREPARED_WITHIN)),
                    failed: None,
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
        if let Some(upgrade) = &mut self.upgrade {
            let errno = errno.cast_signed();
            upgrade.failed = Some(UpgradeFailure::NotStarted { errno });
        }
    }

    pub(super) fn prepared(&mut self, keeper_version: u32, table: u32) {
        let beside =
            |upgrade: &&mut Upgrade| upgrade.stage == Stage::Beside && upgrade.failed.is_none();
        if let Some(upgrade) = self.upgrade.as_mut().filter(beside) {
            point("keeper.prepared");
            upgrade.stage = Stage::Yielding;
            upgrade.until = Some(now().after(TURN_WITHIN));
            upgrade.renew |= keeper_version != KEEPER_VERSION;
            // A file that cannot read our table is never executed in our place.
            upgrade.renew &= table >= TABLE;
            self.say(Frame::new(Kind::YIELD, 0, [0; 4]));
        }
    }

    /// Some child was reaped that is neither the daemon nor a run.
    pub(super) fn successor_ended(&mut self, pid: u32, wait_status: i32) {
        let Some(upgrade) = self.upgrade.as_mut().filter(|upgrade| upgrade.pid == pid) else {
            return;
        };
        let why = *upgrade.failed.get_or_insert(failure(wait_status, false));
        if upgrade.stage == Stage::Beside {
            self.upgrade = None;
            self.fail(why);
        }
    }

    /// The daemon has ended, and not because it was asked to leave. True: because of an upgrade, and
    /// what follows is arranged.
    pub(super) fn after_the_daemon(&mut self, wait_status: i32) -> bool {
        let Some(mut upgrade) = self.upgrade.take() else {
            return false;
        };
        match (upgrade.stage, upgrade.failed) {
            (Stage::Beside, _) => {
                system::signal(upgrade.pid, Signal::KILL);
                self.rolled_back = Some(UpgradeFailure::Interrupted);
                return false;
            }
            (Stage::Yielding, None) => {
                point("keeper.yielded");
                self.daemon = Some(upgrade.pid);
                self.restarts.started();
                self.say(Frame::new(Kind::TURN, 0, [0; 4]));
                std::mem::swap(&mut self.exe, &mut upgrade.exe);
                upgrade.stage = Stage::Trial;
                upgrade.until = Some(now().after(TURN_WITHIN));
                self.upgrade = Some(upgrade);
            }
            (Stage::Yielding, Some(why)) => self.roll_back(why),
            (Stage::Trial, late) => {
                self.exe = upgrade.exe;
                self.roll_back(late.unwrap_or(failure(wait_status, true)));
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
        if let Some(upgrade) = self
            .upgrade
            .take_if(|upgrade| upgrade.stage == Stage::Trial)
        {
            point("keeper.upgraded");
            self.renew = upgrade.renew;
        }
    }

    /// The keeper ends.
    pub(super) fn give_up_successor(&mut self) {
        if let Some(upgrade) = &self.upgrade {
            system::signal(upgrade.pid, Signal::KILL);
        }
    }

    /// Whoever is late is killed; what that means is seen when it has ended.
    pub(super) fn watch_upgrade(&mut self) {
        let at = now();
        let Some(upgrade) = &mut self.upgrade else {
            return;
        };
        if upgrade.until.take_if(|until| *until <= at).is_none() {
            return;
        }
        let whom = match upgrade.stage {
            Stage::Beside => {
                upgrade.failed = Some(UpgradeFailure::late(PREPARED_WITHIN, false));
                Some(upgrade.pid)
            }
            Stage::Yielding => self.daemon,
            Stage::Trial => {
                upgrade.failed = Some(UpgradeFailure::late(TURN_WITHIN, true));
                self.daemon
            }
        };
        if let Some(pid) = whom {
            system::signal(pid, Signal::KILL);
        }
    }
}
