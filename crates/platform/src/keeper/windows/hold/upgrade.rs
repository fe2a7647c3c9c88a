//! Another executable becomes the daemon; the keeper stays the one that it is.
//!
//! ```text
//!    UPGRADE          PREPARED: YIELD           the old one ended: TURN       READY
//!  ─────────► Beside ────────────────► Yielding ──────────────────────► Trial ──────► the daemon
//!               │ ends, hangs             │ fails, and the old one ended  │ ends, hangs
//!               ▼                         └──────────► ◄──────────────────┘
//!        UPGRADE_FAILED                        the old file again
//! ```

use std::fs::File;
use std::time::Duration;

use abide_model::{ExitStatus, Mono};
use windows_sys::Win32::Foundation::{ERROR_INVALID_HANDLE, ERROR_NOT_SUPPORTED};

use super::{Daemon, Keeper};
use crate::clock::now;
use crate::fault::point;
use crate::keeper::upgrade::{PREPARED_WITHIN, TURN_WITHIN};
use crate::keeper::windows::channel::Received;
use crate::keeper::windows::handles::received;
use crate::keeper::wire::{Frame, Kind};
use crate::keeper::{KEEPER_VERSION, UpgradeFailure};

/// The exit code of a daemon that was too late.
const TOO_LATE: u32 = 1;

enum Stage {
    /// The new daemon prepares itself beside the old one.
    Beside(Daemon),
    /// It is prepared, and the old daemon was told to let go.
    Yielding(Daemon),
    /// It is its turn: it is the daemon.
    Trial,
}

pub(super) struct Upgrade {
    stage: Stage,
    /// The new daemon's file; in its trial, that of the daemon before.
    exe: Option<File>,
    /// The end of the stage's time. `None`: it is over, and whoever was late was killed.
    pub until: Option<Mono>,
    /// Why the new daemon has failed, if it has.
    failed: Option<UpgradeFailure>,
    /// The keeper's version of the new file.
    keeper_version: u32,
}

impl Upgrade {
    /// The new daemon, as long as it is not its turn.
    pub fn successor(&self) -> Option<&Daemon> {
        match &self.stage {
            Stage::Beside(successor) | Stage::Yielding(successor) => Some(successor),
            Stage::Trial => None,
        }
    }

    fn successor_mut(&mut self) -> Option<&mut Daemon> {
        match &mut self.stage {
            Stage::Beside(successor) | Stage::Yielding(successor) => Some(successor),
            Stage::Trial => None,
        }
    }
}

fn failure(status: &ExitStatus, turn: bool) -> UpgradeFailure {
    let code = match status {
        ExitStatus::Code(code) => *code,
        _ => 0,
    };
    UpgradeFailure::Ended { code, turn }
}

/// Ends a process of ours. One that cannot be ended has ended.
fn end(daemon: &Daemon) {
    let _ = daemon.process.terminate(TOO_LATE);
}

impl Keeper {
    /// To the daemon, if there is one.
    fn say(&mut self, frame: Frame) {
        if let Some(daemon) = &mut self.daemon {
            daemon.line.push(frame);
        }
    }

    fn fail(&mut self, why: UpgradeFailure) {
        self.say(Frame::of_failure(Kind::UPGRADE_FAILED, why));
    }

    /// The daemon asks for another executable, whose open file has this number here.
    pub(super) fn begin_upgrade(&mut self, number: u32) {
        let Some(exe) = received(number).map(File::from) else {
            let errno = ERROR_INVALID_HANDLE.cast_signed();
            return self.fail(UpgradeFailure::NotStarted { errno });
        };
        if self.upgrade.is_some() {
            return self.fail(UpgradeFailure::Busy);
        }
        point("keeper.successor");
        match self.start(Some(&exe), true) {
            Ok(successor) => {
                point("keeper.succeeding");
                self.upgrade = Some(Upgrade {
                    stage: Stage::Beside(successor),
                    exe: Some(exe),
                    until: Some(now().mono.after(PREPARED_WITHIN)),
                    failed: None,
                    keeper_version: KEEPER_VERSION,
                });
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                self.fail(UpgradeFailure::NotStarted { errno });
            }
        }
    }

    /// Hears the new daemon, as long as it is not its turn.
    pub(super) fn attend_successor(&mut self) {
        let Some(successor) = self.upgrade.as_mut().and_then(Upgrade::successor_mut) else {
            return;
        };
        // Before it is read: what it has written until its end is there then.
        let ended = successor.process.exit(Some(Duration::ZERO));
        let mut prepared = None;
        while let Received::Message(frames) = successor.line.receive() {
            let said = frames.iter().find(|frame| frame.kind == Kind::PREPARED);
            prepared = prepared.or(said.map(|frame| frame.unit));
        }
        if let Ok(Some(status)) = ended {
            self.successor_ended(&status);
        } else if let Some(version) = prepared {
            self.prepared(version);
        }
    }

    fn prepared(&mut self, keeper_version: u32) {
        let Some(mut upgrade) = self.upgrade.take() else {
            return;
        };
        upgrade.stage = match upgrade.stage {
            Stage::Beside(successor) if upgrade.failed.is_none() => {
                point("keeper.prepared");
                upgrade.until = Some(now().mono.after(TURN_WITHIN));
                upgrade.keeper_version = keeper_version;
                self.say(Frame::new(Kind::YIELD, 0, [0; 4]));
                Stage::Yielding(successor)
            }
            stage => stage,
        };
        self.upgrade = Some(upgrade);
    }

    fn successor_ended(&mut self, status: &ExitStatus) {
        let Some(upgrade) = &mut self.upgrade else {
            return;
        };
        let why = *upgrade.failed.get_or_insert(failure(status, false));
        if matches!(upgrade.stage, Stage::Beside(_)) {
            self.upgrade = None;
            self.fail(why);
        }
    }

    /// The daemon has ended, and not because it was asked to leave. True: because of an upgrade, and
    /// what follows is arranged.
    pub(super) fn after_the_daemon(&mut self, status: &ExitStatus) -> bool {
        let Some(upgrade) = self.upgrade.take() else {
            return false;
        };
        match (upgrade.stage, upgrade.failed) {
            (Stage::Beside(successor), _) => {
                end(&successor);
                self.rolled_back = Some(UpgradeFailure::Interrupted);
                return false;
            }
            (Stage::Yielding(mut successor), None) => {
                point("keeper.yielded");
                successor.line.push(Frame::new(Kind::TURN, 0, [0; 4]));
                self.daemon = Some(successor);
                self.restarts.started();
                self.upgrade = Some(Upgrade {
                    stage: Stage::Trial,
                    exe: std::mem::replace(&mut self.exe, upgrade.exe),
                    until: Some(now().mono.after(TURN_WITHIN)),
                    ..upgrade
                });
            }
            (Stage::Yielding(_), Some(why)) => self.roll_back(why),
            (Stage::Trial, late) => {
                self.exe = upgrade.exe;
                self.roll_back(late.unwrap_or(failure(status, true)));
            }
        }
        true
    }

    fn roll_back(&mut self, why: UpgradeFailure) {
        point("keeper.rolled-back");
        self.rolled_back = Some(why);
        self.restarts.due = now().mono;
    }

    /// The daemon is ready.
    pub(super) fn upgraded(&mut self) {
        self.rolled_back = None;
        let in_trial = |upgrade: &mut Upgrade| matches!(upgrade.stage, Stage::Trial);
        if let Some(upgrade) = self.upgrade.take_if(in_trial) {
            point("keeper.upgraded");
            if upgrade.keeper_version != KEEPER_VERSION {
                let frame = Frame::new(Kind::NOT_RENEWED, ERROR_NOT_SUPPORTED, [0; 4]);
                self.say(frame);
            }
        }
    }

    /// The keeper ends.
    pub(super) fn give_up_successor(&mut self) {
        if let Some(successor) = self.upgrade.as_ref().and_then(Upgrade::successor) {
            end(successor);
        }
    }

    /// Whoever is late is killed; what that means is seen when it has ended.
    pub(super) fn watch_upgrade(&mut self) {
        let at = now().mono;
        let Some(upgrade) = &mut self.upgrade else {
            return;
        };
        if upgrade.until.take_if(|until| *until <= at).is_none() {
            return;
        }
        let whom = match &upgrade.stage {
            Stage::Beside(successor) => {
                upgrade.failed = Some(UpgradeFailure::late(PREPARED_WITHIN, false));
                Some(successor)
            }
            Stage::Yielding(_) => self.daemon.as_ref(),
            Stage::Trial => {
                upgrade.failed = Some(UpgradeFailure::late(TURN_WITHIN, true));
                self.daemon.as_ref()
            }
        };
        if let Some(whom) = whom {
            end(whom);
        }
    }
}
