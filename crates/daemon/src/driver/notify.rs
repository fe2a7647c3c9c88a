//! What programs say of themselves on their notify sockets (sd_notify(3)).
//!
//! The socket is held by the keeper, so what is said while there is no daemon waits in it. A message
//! leaves the socket only after what it brings is in safe hands: should the daemon die in between, the
//! next one reads it again, and everything that it can say may be said twice.

use std::io;
use std::sync::Arc;

use abide_core::Input;
use abide_model::{EventKind, NotifyAccess, ProbeKind, RunId, UnitId};
use abide_platform::Handle;
use abide_platform::keeper::Key;
use abide_platform::notify::{Datagram, Notice, NotifySocket, Sender, parse};
use abide_platform::poll::Interest;

use super::run::Daemon;
use super::streams::NOTIFY;
use super::unit::Main;
use super::watches::Watched;

/// Messages of one unit that are taken before others have their turn.
const BATCH: usize = 64;

/// Who says something, as far as a unit's `notify` tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Speaker {
    Main,
    /// A hook or the reload command.
    Auxiliary,
    Member,
    Foreign,
}

pub(super) fn key(unit: UnitId) -> Key {
    Key {
        kind: NOTIFY,
        unit: unit.0,
        sub: 0,
    }
}

impl Daemon {
    /// A socket was made: the keeper holds it from now on.
    pub(super) fn install_notify(&mut self, id: UnitId, socket: NotifySocket) -> io::Result<()> {
        self.keeper.hold(key(id), socket.held())?;
        self.adopt_notify(id, socket);
        Ok(())
    }

    /// A socket that the keeper held.
    pub(super) fn adopt_notify(&mut self, id: UnitId, socket: NotifySocket) {
        if let Some(unit) = self.units.get_mut(id) {
            unit.notify = Some(socket);
        }
        self.listen_to(id);
    }

    /// Begins to listen to what the unit's program says.
    pub(super) fn listen_to(&mut self, id: UnitId) {
        let Some(socket) = self.units.get(id).and_then(|unit| unit.notify.as_ref()) else {
            return;
        };
        let what = Watched::Notify(id);
        let added = self.watches.add(&self.poll, socket, Interest::Input, what);
        if let Err(error) = added {
            self.warn(
                Some(id),
                format!("its notify socket cannot be watched: {error}"),
            );
        }
    }

    /// Lets the socket go.
    pub(super) fn drop_notify(&mut self, id: UnitId) {
        self.stop_listening(id);
        if let Some(unit) = self.units.get_mut(id)
            && unit.notify.take().is_some()
        {
            self.keeper.release(key(id));
        }
    }

    fn stop_listening(&mut self, id: UnitId) {
        if let Some(socket) = self.units.get(id).and_then(|unit| unit.notify.as_ref()) {
            self.watches
                .remove(&self.poll, socket, &Watched::Notify(id));
        }
    }

    /// Somebody said something.
    pub(super) fn on_notify(&mut self, id: UnitId) {
        for _ in 0..BATCH {
            let Some(unit) = self.units.get(id) else {
                return;
            };
            if unit.run.as_ref().is_some_and(|r| r.main == Main::Spawning) {
                // Who the main process is, is known in a moment; until then it waits.
                return self.stop_listening(id);
            }
            let Some(socket) = &unit.notify else { return };
            match socket.peek() {
                Ok(Some(datagram)) => self.on_datagram(id, datagram),
                Ok(None) => return,
                Err(error) => {
                    self.refuse(id, "unreadable", format!("it cannot be read: {error}"));
                }
            }
            let Some(socket) = self.units.get(id).and_then(|unit| unit.notify.as_ref()) else {
                return;
            };
            if let Err(error) = socket.consume() {
                tracing::warn!(unit = %id, %error, "cannot take a message from a notify socket");
                return;
            }
        }
    }

    fn on_datagram(&mut self, id: UnitId, datagram: Datagram) {
        let mut descriptors = Some(datagram.descriptors);
        let text = datagram.text;
        match (datagram.fault, datagram.sender) {
            (Some(fault), _) => self.refuse(id, "fault", fault.to_string()),
            (None, None) => self.refuse(id, "anonymous", "its sender is not known".into()),
            (None, Some(sender)) => self.on_message_of(id, sender, &text, &mut descriptors),
        }
        self.let_go(descriptors.unwrap_or_default());
    }

    fn on_message_of(
        &mut self,
        id: UnitId,
        sender: Sender,
        text: &[u8],
        descriptors: &mut Option<Vec<Handle>>,
    ) {
        let notices = parse(text);
        if notices == [Notice::Barrier] {
            // All that was said before is done; dropping the descriptor says so.
            return;
        }
        let Some((run, access)) = self.units.get(id).and_then(|unit| {
            let access = unit.spec.around().notify?;
            let run = unit.run.as_ref().filter(|run| run.main == Main::Alive)?;
            Some((run.run, access))
        }) else {
            let text = format!("process {} said it, and the unit does not run", sender.pid);
            return self.refuse(id, "no run", text);
        };
        let speaker = self.speaker(id, sender);
        if let Some(reason) = why_not(speaker, access, sender.pid) {
            return self.refuse(id, speaker.word(), reason);
        }
        for notice in notices {
            self.on_notice(id, run, notice, descriptors);
        }
    }

    fn speaker(&self, id: UnitId, sender: Sender) -> Speaker {
        let Some(unit) = self.units.get(id) else {
            return Speaker::Foreign;
        };
        let run = unit.run.as_ref();
        let main = self.core.unit(id).and_then(|view| view.pid);
        if main == Some(sender.pid) {
            return Speaker::Main;
        }
        if run.is_some_and(|run| run.tree.contains(sender.pid) == Some(true)) {
            return Speaker::Member;
        }
        if self.trees.auxiliary_of(sender.pid) == Some(id) {
            return Speaker::Auxiliary;
        }
        Speaker::Foreign
    }

    fn on_notice(
        &mut self,
        unit: UnitId,
        run: RunId,
        notice: Notice,
        descriptors: &mut Option<Vec<Handle>>,
    ) {
        match notice {
            Notice::Ready => {
                let counts = self.core.unit(unit).is_some_and(|view| {
                    let asked = view.policy.ready.as_ref();
                    view.ready || asked.is_some_and(|ready| ready.probe == ProbeKind::Notify)
                });
                // Where readiness is found out in another way, this is not it.
                if counts {
                    self.input(Input::Ready { unit, run });
                }
            }
            Notice::Reloading { .. } => self.input(Input::Reloading { unit, run }),
            Notice::Stopping => self.input(Input::SelfStopping { unit, run }),
            Notice::Status(text) => {
                if let Some(known) = self.units.get_mut(unit) {
                    Arc::make_mut(&mut known.facts).status_text =
                        Some(text).filter(|text| !text.is_empty());
                    self.dirty.insert(unit);
                }
            }
            Notice::Errno(number) => {
                let error = io::Error::from_raw_os_error(number);
                self.warn(Some(unit), format!("it reports an error: {error}"));
            }
            Notice::MainPid(pid) => self.change_main(unit, run, pid),
            Notice::Watchdog => {
                if self.owes_beats(unit) {
                    self.take_beat(unit, run);
                } else {
                    let text = "WATCHDOG=1, and it has no `heartbeat` in its configuration";
                    self.refuse(unit, "no heartbeat", text.into());
                }
            }
            Notice::WatchdogTrigger => self.input(Input::BeatTrigger { unit, run }),
            Notice::WatchdogInterval(every) => {
                self.input(Input::BeatInterval { unit, run, every });
            }
            Notice::ExtendTimeout(by) => self.input(Input::ExtendTimeout { unit, run, by }),
            Notice::Store { name, watch } => {
                for descriptor in descriptors.take().unwrap_or_default() {
                    self.keep_descriptor(unit, name.clone(), descriptor, watch);
                }
            }
            Notice::Remove { name } => self.drop_stored(unit, &name),
            Notice::Malformed { what } => self.refuse(unit, "malformed", what),
            // Its exit says it, or it was dealt with before.
            Notice::ExitStatus(_) | Notice::Barrier => {}
        }
    }

    /// Closes descriptors that somebody sent, which may take a while: not here.
    fn let_go(&self, descriptors: Vec<Handle>) {
        if !descriptors.is_empty()
            && let Err(error) = self.jobs.submit(move || drop(descriptors))
        {
            tracing::warn!(%error, "cannot close descriptors on a thread of their own");
        }
    }

    fn owes_beats(&self, id: UnitId) -> bool {
        let unit = self.units.get(id);
        unit.is_some_and(|unit| unit.spec.policy.heartbeat.is_some())
    }

    /// Counts what is refused, and tells of it once for each kind of reason.
    pub(super) fn refuse(&mut self, id: UnitId, kind: &'static str, reason: String) {
        let Some(unit) = self.units.get_mut(id) else {
            return;
        };
        let refused = &mut Arc::make_mut(&mut unit.facts).refused.notifications;
        *refused = refused.saturating_add(1);
        let first = unit.told.insert(kind);
        self.dirty.insert(id);
        if first {
            self.event(Some(id), None, EventKind::NotifyRefused { reason });
        }
    }
}

impl Speaker {
    fn word(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Auxiliary => "auxiliary",
            Self::Member => "member",
            Self::Foreign => "foreign",
        }
    }
}

/// Why this speaker is not listened to.
fn why_not(speaker: Speaker, access: NotifyAccess, pid: u32) -> Option<String> {
    match (speaker, access) {
        (Speaker::Main, _)
        | (Speaker::Auxiliary, NotifyAccess::Exec | NotifyAccess::All)
        | (Speaker::Member, NotifyAccess::All) => None,
        (Speaker::Auxiliary, NotifyAccess::Main) => Some(format!(
            "process {pid} is one of its hooks; `notify = \"exec\"` lets those speak"
        )),
        (Speaker::Member, NotifyAccess::Main | NotifyAccess::Exec) => Some(format!(
            "process {pid} is not its main process; `notify = \"all\"` lets all of its processes speak"
        )),
        (Speaker::Foreign, _) => Some(format!(
            "process {pid} is none of its processes, or has ended already"
        )),
    }
}
