//! Another executable takes over from this daemon, or this daemon has just taken over. The way of it is
//! drawn in `crate::upgrade`.
//!
//! ```text
//!  asked ──Yield──► hooks ──none left, or time──► answers ──API ended──► leave
//!    └─UpgradeFailed──► as before
//! ```
//!
//! Until the last step this daemon decides as ever: only new connections wait.

use std::time::Duration;

use abide_model::api::Upgrading;
use abide_model::{EventKind, Refusal, Wall};
use abide_platform::executable::Executable;
use abide_platform::fault::point;
use abide_platform::keeper::UpgradeFailure;
use abide_platform::{Lend, clock};

use super::run::{Daemon, Message};
use crate::handle::{Replacement, Reply};
use crate::upgrade::note::Note;

/// How long hooks and reload commands that are under way are waited for; the new daemon runs those again
/// that are ended.
const HOOKS_WITHIN: Duration = Duration::from_secs(5);

/// How long the note, a courtesy, may take to be written.
const NOTE_WITHIN: Duration = Duration::from_secs(2);

/// An upgrade that is under way.
pub struct Upgrade {
    to: String,
    executable: Executable,
    reply: Option<Reply<Upgrading>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The keeper starts the new one.
    Asked,
    /// It is prepared; commands end.
    Hooks,
    /// Answers are given.
    Answers,
    /// Nothing is left to do but to go.
    Leave,
}

impl Daemon {
    /// Has the keeper start the executable beside this one.
    pub(super) fn on_upgrade(&mut self, replacement: Replacement, reply: Reply<Upgrading>) {
        let shown = replacement.executable.path().display().to_string();
        let refuse = |why: &str| Err(Refusal::NotUpgraded(format!("{shown}: {why}")));
        if self.upgrade.is_some() {
            return reply.send(refuse("another upgrade is under way"));
        }
        if self.board.daemon().stopping {
            return reply.send(refuse("everything goes down"));
        }
        point("upgrade.ask");
        let exe = replacement.executable.lend();
        if let Err(error) = self.keeper.upgrade(exe, replacement.keeper) {
            return reply.send(refuse(&error.to_string()));
        }
        point("upgrade.asked");
        self.upgrade = Some(Upgrade {
            to: replacement.to,
            executable: replacement.executable,
            reply: Some(reply),
            stage: Stage::Asked,
        });
    }

    /// There will be no new one.
    pub(super) fn on_upgrade_failed(&mut self, why: UpgradeFailure) {
        let Some(mut upgrade) = self.upgrade.take() else {
            return;
        };
        let executable = upgrade.executable.path().display().to_string();
        self.event(
            None,
            None,
            EventKind::UpgradeFailed {
                from: self.version.clone(),
                to: upgrade.to,
                executable: executable.clone(),
                reason: why.to_string(),
            },
        );
        if let Some(reply) = upgrade.reply.take() {
            reply.send(Err(Refusal::NotUpgraded(format!(
                "{executable}: {why}; the daemon goes on as it was"
            ))));
        }
    }

    /// The new one is prepared.
    pub(super) fn on_yield(&mut self) {
        point("upgrade.yield");
        let Some(upgrade) = &mut self.upgrade else {
            // Nobody asked this daemon; the keeper waits for its end all the same.
            self.yielded = true;
            return;
        };
        upgrade.stage = Stage::Hooks;
        let mailbox = self.mailbox.clone();
        let overdue = move || {
            // Nothing is ever sent: this is a sleep that ends with the process.
            let (_hold, never) = std::sync::mpsc::channel::<()>();
            let _ = never.recv_timeout(HOOKS_WITHIN);
            mailbox.send(Message::HooksOverdue);
        };
        if !self.assistants.busy() || self.jobs.submit(overdue).is_err() {
            self.let_answers_go();
        }
    }

    /// To be called when a command may have ended.
    pub(super) fn go_on_yielding(&mut self) {
        let waits = |upgrade: &Upgrade| upgrade.stage == Stage::Hooks;
        if self.upgrade.as_ref().is_some_and(waits) && !self.assistants.busy() {
            self.let_answers_go();
        }
    }

    /// Commands that are under way now are ended, and run again by the new daemon.
    pub(super) fn hooks_overdue(&mut self) {
        let waits = |upgrade: &Upgrade| upgrade.stage == Stage::Hooks;
        if self.upgrade.as_ref().is_some_and(waits) {
            self.let_answers_go();
        }
    }

    fn let_answers_go(&mut self) {
        let last_event = self.events.last();
        let Some(upgrade) = &mut self.upgrade else {
            return;
        };
        upgrade.stage = Stage::Answers;
        if let Some(reply) = upgrade.reply.take() {
            reply.send(Ok(Upgrading {
                from: self.version.clone(),
                to: upgrade.to.clone(),
                executable: upgrade.executable.path().to_owned(),
                same_file: upgrade.executable.is_own(),
                last_event,
            }));
        }
        point("upgrade.answers");
        match &self.api_end {
            Some(api) => api.leave(),
            None => self.on_api_ended(),
        }
    }

    /// All answers are given.
    pub(super) fn on_api_ended(&mut self) {
        if let Some(upgrade) = &mut self.upgrade
            && upgrade.stage == Stage::Answers
        {
            upgrade.stage = Stage::Leave;
            self.yielded = true;
        }
    }

    /// Writes what the next daemon is to know. The last thing but writing the state.
    pub(super) fn leave_note(&self) {
        let Some(upgrade) = &self.upgrade else {
            return;
        };
        let note = Note {
            from: self.version.clone(),
            to: upgrade.to.clone(),
            executable: upgrade.executable.path().to_owned(),
            since: clock::now().wall,
            ended: self.board.ended_operations(),
        };
        let path = self.home.upgrade_note();
        let written = self.files.submit(move || {
            if let Err(error) = note.write(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot leave a note for the next daemon");
            }
        });
        if let Err(error) = written {
            tracing::warn!(%error, "cannot leave a note for the next daemon");
        }
        self.files.finish(NOTE_WITHIN);
    }

    /// The daemon before left a note: its operations are remembered, and what became of the upgrade is
    /// told once this daemon is ready.
    pub(super) fn take_note(&mut self, rolled_back: Option<UpgradeFailure>, adopted: u32) {
        let Some(note) = Note::read(&self.home.upgrade_note()) else {
            return;
        };
        for operation in note.ended {
            self.board.publish_operation(operation);
        }
        let own = abide_platform::executable::own().map(|(path, _)| path);
        let reason = match rolled_back {
            Some(why) => Some(why.to_string()),
            None if own.is_ok_and(|own| own == note.executable) => None,
            None => Some("keeper and daemon were both ended in the middle of it".to_owned()),
        };
        let executable = note.executable.display().to_string();
        self.upgraded = Some((
            note.since,
            match reason {
                None => EventKind::Upgraded {
                    from: note.from,
                    to: note.to,
                    executable,
                    kept: adopted,
                    took_ms: 0,
                },
                Some(reason) => EventKind::UpgradeFailed {
                    from: note.from,
                    to: note.to,
                    executable,
                    reason,
                },
            },
        ));
    }

    /// This daemon serves: what became of the upgrade is certain.
    pub(super) fn tell_upgraded(&mut self) {
        let Some((since, mut kind)) = self.upgraded.take() else {
            return;
        };
        if let EventKind::Upgraded { took_ms, .. } = &mut kind {
            *took_ms = milliseconds(since, clock::now().wall);
        }
        if let EventKind::UpgradeFailed { reason, .. } = &kind {
            tracing::error!(%reason, "an upgrade failed, and the daemon of before is back");
        }
        self.event(None, None, kind);
        let path = self.home.upgrade_note();
        let removed = self
            .files
            .submit(move || super::sockets::remove_file(&path));
        if let Err(error) = removed {
            tracing::warn!(%error, "cannot remove the note of an upgrade");
        }
    }
}

/// From one time to another; 0 if the clock was set back.
fn milliseconds(from: Wall, to: Wall) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0) / 1_000_000).unwrap_or(0)
}
