//! What must be there before a unit runs, and is held for it from then on: its FIFOs, its
//! notify socket, the sockets that are listened on for it.
//!
//! It is made by a job, since all of it has paths, and a path may lie on a disk that hangs; the
//! effects that need it wait meanwhile.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use abide_core::{Effect, Input, Outcome};
use abide_model::{
    EffectId, Launch, Listen, ListenAddress, SocketSpec, Streams as WantedStreams, UnitId,
};
use abide_platform::logon::Owner;
use abide_platform::notify::NotifySocket;
use abide_platform::spawn;
use abide_platform::{Handle, Lend, clock, listen};

use super::run::{Daemon, Message};
use super::streams::{self, Made, Streams};
use crate::board::KeptSpec;
use crate::capture::StreamSpec;

/// What of a unit's needs is not there yet.
struct Missing {
    dir: PathBuf,
    streams: Option<WantedStreams>,
    /// The abstract name, where a path will not do.
    notify: Option<String>,
    listeners: Vec<Listen>,
}

/// What a job has made of it.
#[derive(Default)]
pub struct Prepared {
    streams: Option<Vec<Made>>,
    notify: Option<NotifySocket>,
    listeners: Vec<(ListenAddress, Handle)>,
}

impl Daemon {
    /// Whether all that the unit needs to run is there. If not, it is made, and then the effect is
    /// carried out once more.
    pub(super) fn is_prepared(&mut self, id: UnitId, effect: (EffectId, &Effect)) -> bool {
        // What another instance had made is there for this one, too.
        self.note_sockets(id);
        let Some(missing) = self.missing(id) else {
            return true;
        };
        let Some(unit) = self.units.get_mut(id) else {
            return true;
        };
        let waiting = (effect.0, effect.1.clone());
        if let Some(others) = &mut unit.preparing {
            others.push(waiting);
            return false;
        }
        let making = &mut self.sockets.making;
        if missing
            .listeners
            .iter()
            .any(|l| making.contains(&l.address))
        {
            // Another instance has it made.
            self.waiting_for_sockets.push(waiting);
            return false;
        }
        making.extend(missing.listeners.iter().map(|l| l.address.clone()));
        unit.preparing = Some(vec![waiting]);
        self.prepare(id, missing);
        false
    }

    fn missing(&self, id: UnitId) -> Option<Missing> {
        let unit = self.units.get(id)?;
        let wanted = unit.spec.log.streams;
        let streams = (!unit.streams.as_ref().is_some_and(|s| s.fit(wanted))).then_some(wanted);
        let launch = unit.spec.around();
        let notify = launch.notify.is_some() && unit.notify.is_none();
        let socket = launch.socket.as_ref();
        let listeners: Vec<Listen> = socket
            .map_or(&[][..], |socket| &socket.listen)
            .iter()
            .filter(|listen| !unit.sockets.contains(&listen.address))
            .cloned()
            .collect();
        let complete = streams.is_none() && !notify && listeners.is_empty();
        (!complete).then(|| Missing {
            dir: self.home.unit_run(&unit.name),
            streams,
            notify: notify.then(|| format!("abide/{}/{}", self.nonce, id.0)),
            listeners,
        })
    }

    fn prepare(&mut self, id: UnitId, missing: Missing) {
        let Some(unit) = self.units.get(id) else {
            return;
        };
        let spec = Arc::clone(&unit.spec);
        let mailbox = self.mailbox.clone();
        let addresses: Vec<_> = missing
            .listeners
            .iter()
            .map(|l| l.address.clone())
            .collect();
        let making = addresses.clone();
        let job = move || mailbox.send(Message::Prepared(id, making, make(&spec, &missing)));
        if let Err(error) = self.files.submit(job) {
            let reason = format!("start a thread: {error}");
            self.mailbox
                .send(Message::Prepared(id, addresses, Err(reason)));
        }
    }

    /// A job is done.
    pub(super) fn on_prepared(
        &mut self,
        id: UnitId,
        making: Vec<ListenAddress>,
        made: Result<Prepared, String>,
    ) {
        for address in making {
            self.sockets.making.remove(&address);
        }
        self.install_for(id, made);
        let now = clock::now();
        for (effect_id, effect) in std::mem::take(&mut self.waiting_for_sockets) {
            self.perform(effect_id, effect, now);
        }
    }

    fn install_for(&mut self, id: UnitId, made: Result<Prepared, String>) {
        // A unit that was forgotten meanwhile lets go of it all.
        let Some(unit) = self.units.get_mut(id) else {
            return;
        };
        let waiting = unit.preparing.take().unwrap_or_default();
        let installed = made.and_then(|made| self.install(id, made));
        let now = clock::now();
        for (effect_id, effect) in waiting {
            match (&installed, effect) {
                (Ok(()), effect) => self.perform(effect_id, effect, now),
                (Err(reason), Effect::WatchSocket(unit)) => {
                    // Its start says the same, as a failed one, and is tried again as its policy says.
                    self.warn(Some(unit), format!("cannot {reason}"));
                    self.input(Input::Connection { unit });
                }
                (Err(reason), effect) => {
                    let reason = format!("cannot {reason}");
                    let outcome = match effect {
                        Effect::Spawn { .. } => Outcome::SpawnFailed { reason },
                        _ => Outcome::Failed { reason },
                    };
                    self.input(Input::Done {
                        effect: effect_id,
                        outcome,
                    });
                }
            }
        }
    }

    fn install(&mut self, id: UnitId, made: Prepared) -> Result<(), String> {
        if let Some(streams) = made.streams {
            self.install_streams(id, streams)
                .map_err(|e| format!("capture its output: {e}"))?;
        }
        if let Some(socket) = made.notify {
            self.install_notify(id, socket)
                .map_err(|e| format!("keep its notify socket: {e}"))?;
        }
        for (address, fd) in made.listeners {
            self.install_listener(address, fd);
        }
        self.note_sockets(id);
        Ok(())
    }

    /// Has the keeper hold what was made, and the capture drain it.
    fn install_streams(&mut self, id: UnitId, made: Vec<Made>) -> io::Result<()> {
        let mut outputs = Vec::with_capacity(made.len());
        // What the spec before had: another number of streams.
        self.capture.remove(id);
        for Made { stream, output } in made {
            for (end, handle) in output.ends() {
                let key = streams::end_key(end, id, stream);
                self.keeper.hold(key, handle.lend())?;
            }
            self.capture_stream(id, stream, output.reader(), None)?;
            outputs.push((stream, output));
        }
        if let Some(unit) = self.units.get_mut(id) {
            unit.streams = Some(Streams { outputs });
        }
        Ok(())
    }

    /// Gives a stream to the capture, with the stage that was left of it.
    pub(super) fn capture_stream(
        &self,
        id: UnitId,
        stream: abide_log::Stream,
        fifo: &Arc<Handle>,
        stage: Option<Handle>,
    ) -> io::Result<()> {
        if let Some(unit) = self.units.get(id) {
            self.capture.add(StreamSpec {
                unit: id,
                name: unit.name.clone(),
                stream,
                log: abide_model::LogSpec::clone(&unit.spec.log),
                dir: self.home.unit_logs(&unit.name),
                fifo: Arc::clone(fifo),
                stage,
                program: unit.program(),
            })?;
            self.system_logs.captured(id, &self.capture);
        }
        Ok(())
    }
}

/// Makes what is missing. May block: runs as a job. Errors read after "cannot".
fn make(spec: &KeptSpec, missing: &Missing) -> Result<Prepared, String> {
    let owner = owner(spec.around())?;
    let streams = match missing.streams {
        Some(wanted) => Some(streams::make(&missing.dir, wanted, owner.as_ref())?),
        None => None,
    };
    let notify = match &missing.notify {
        Some(name) => {
            let path = missing.dir.join("notify");
            let socket = NotifySocket::bind(Some(&path), name, owner.as_ref());
            Some(socket.map_err(|e| format!("make its notify socket: {e}"))?)
        }
        None => None,
    };
    let mut listeners = Vec::new();
    if let Some(socket) = &spec.around().socket {
        let owner = socket_owner(spec.around(), socket)?;
        for listen in &missing.listeners {
            let made = listen::bind(socket, listen, owner.as_ref()).map_err(|e| e.to_string())?;
            listeners.push((listen.address.clone(), made));
        }
    }
    Ok(Prepared {
        streams,
        notify,
        listeners,
    })
}

/// Who socket files belong to.
fn socket_owner(launch: &Launch, socket: &SocketSpec) -> Result<Option<Owner>, String> {
    if socket.owner.is_none() && socket.group.is_none() {
        return Ok(None);
    }
    owner(&Launch {
        user: socket.owner.clone(),
        group: socket.group.clone(),
        ..launch.clone()
    })
}

/// Who the FIFOs belong to: a program that changed its user may reopen only what is its own.
fn owner(launch: &Launch) -> Result<Option<Owner>, String> {
    spawn::owner(launch).map_err(|e| e.text)
}
