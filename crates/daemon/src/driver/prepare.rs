//! What must be there before a unit runs, and is held for it from then on: its FIFOs and stages, its
//! notify socket, the sockets that are listened on for it.
//!
//! It is made by a job, since all of it has paths, and a path may lie on a disk that hangs; the
//! effects that need it wait meanwhile.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use abide_core::{Effect, Input, Outcome};
use abide_model::{EffectId, Spec, Streams as WantedStreams, UnitId};
use abide_platform::clock;
use abide_platform::spawn::surroundings;

use super::run::{Daemon, Message};
use super::streams::{self, FIFO, Made, STAGE, Streams};
use crate::capture::StreamSpec;

/// What of a unit's needs is not there yet.
struct Missing {
    dir: PathBuf,
    streams: Option<WantedStreams>,
}

/// What a job has made of it.
#[derive(Default)]
pub struct Prepared {
    streams: Option<Vec<Made>>,
}

impl Daemon {
    /// Whether all that the unit needs to run is there. If not, it is made, and then the effect is
    /// carried out once more.
    pub(super) fn is_prepared(&mut self, id: UnitId, effect: (EffectId, &Effect)) -> bool {
        let Some(missing) = self.missing(id) else {
            return true;
        };
        let Some(unit) = self.units.get_mut(id) else {
            return true;
        };
        let waiting = (effect.0, effect.1.clone());
        match &mut unit.preparing {
            Some(others) => others.push(waiting),
            none => {
                *none = Some(vec![waiting]);
                self.prepare(id, missing);
            }
        }
        false
    }

    fn missing(&self, id: UnitId) -> Option<Missing> {
        let unit = self.units.get(id)?;
        let wanted = unit.spec.log.streams;
        let streams = (!unit.streams.as_ref().is_some_and(|s| s.fit(wanted))).then_some(wanted);
        streams.is_some().then(|| Missing {
            dir: self.home.unit_run(&unit.name),
            streams,
        })
    }

    fn prepare(&mut self, id: UnitId, missing: Missing) {
        let Some(unit) = self.units.get(id) else {
            return;
        };
        let spec = Arc::clone(&unit.spec);
        let mailbox = self.mailbox.clone();
        let job = move || mailbox.send(Message::Prepared(id, make(&spec, &missing)));
        if let Err(error) = self.files.submit(job) {
            let reason = format!("start a thread: {error}");
            self.mailbox.send(Message::Prepared(id, Err(reason)));
        }
    }

    /// A job is done.
    pub(super) fn on_prepared(&mut self, id: UnitId, made: Result<Prepared, String>) {
        let Some(unit) = self.units.get_mut(id) else {
            return;
        };
        let Some(waiting) = unit.preparing.take() else {
            return;
        };
        let installed = made.and_then(|made| self.install(id, made));
        let now = clock::now();
        for (effect_id, effect) in waiting {
            match &installed {
                Ok(()) => self.perform(effect_id, effect, now),
                Err(reason) => {
                    let reason = format!("cannot {reason}");
                    let outcome = Outcome::SpawnFailed { reason };
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
        Ok(())
    }

    /// Has the keeper hold what was made, and the capture drain it.
    fn install_streams(&mut self, id: UnitId, made: Vec<Made>) -> io::Result<()> {
        let mut fifos = Vec::new();
        // What the spec before had: another number of streams.
        self.capture.remove(id);
        for Made {
            stream,
            fifo,
            stage,
        } in made
        {
            self.keeper
                .hold(streams::key(FIFO, id, stream), fifo.as_fd())?;
            self.keeper
                .hold(streams::key(STAGE, id, stream), stage.as_fd())?;
            fifos.push((stream, self.capture_stream(id, stream, fifo, stage)?));
        }
        if let Some(unit) = self.units.get_mut(id) {
            unit.streams = Some(Streams { fifos });
        }
        Ok(())
    }

    /// Gives a stream to the capture; returns a descriptor of the FIFO for the runs to come.
    pub(super) fn capture_stream(
        &self,
        id: UnitId,
        stream: abide_log::Stream,
        fifo: OwnedFd,
        stage: OwnedFd,
    ) -> io::Result<OwnedFd> {
        let kept = fifo.try_clone()?;
        if let Some(unit) = self.units.get(id) {
            self.capture.add(StreamSpec {
                unit: id,
                name: unit.name.clone(),
                stream,
                log: unit.spec.log.clone(),
                dir: self.home.unit_logs(&unit.name),
                fifo,
                stage,
            })?;
        }
        Ok(kept)
    }
}

/// Makes what is missing. May block: runs as a job. Errors read after "cannot".
fn make(spec: &Spec, missing: &Missing) -> Result<Prepared, String> {
    let owner = owner(&spec.launch)?;
    let streams = match missing.streams {
        Some(wanted) => Some(streams::make(&missing.dir, wanted, owner)?),
        None => None,
    };
    Ok(Prepared { streams })
}

/// Who the FIFOs belong to: a program that changed its user may reopen only what is its own.
fn owner(launch: &abide_model::Launch) -> Result<Option<(u32, u32)>, String> {
    if launch.user.is_none() && launch.group.is_none() {
        return Ok(None);
    }
    surroundings(launch).map(|s| s.user).map_err(|e| e.text)
}
