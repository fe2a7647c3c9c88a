//! What a daemon before us left: units, runs that live, and what the keeper held for them.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use abide_log::Stream;
use abide_model::{RunId, UnitId, UnitName};
use abide_platform::exit::is_shortage;
use abide_platform::keeper::Key;
use abide_platform::notify::NotifySocket;
use abide_platform::pipe::{self, End, Output};
use abide_platform::tree::Sweep;
use abide_platform::{Handle, Lend};

use super::run::Daemon;
use super::streams::{
    self, API_SOCKET, API_TCP, BEATS, FIFO, INPUT, LISTENER, NOTIFY, READY_PIPE, STAGE, STORED,
    Streams, WRITER,
};
use super::unit::{Run, Unit};
use crate::store::Image;

/// What was held of a stream: ends of its pipe, and its stage.
type Found = (Vec<(End, Handle)>, Option<Handle>);

/// The machine is too short of something to go on with what a unit's runs write. Reads after "cannot".
#[derive(Debug, thiserror::Error)]
#[error(
    "go on with the output of {unit}: {source}; so as not to lose any nothing is done until it can be had"
)]
pub struct Short {
    unit: UnitName,
    source: io::Error,
}

impl Daemon {
    pub(super) fn take_units(&mut self, image: &Image, runs: Vec<(UnitId, Run)>) {
        for (id, spec) in &image.specs {
            if image.units.contains_key(id) {
                let spec = self.keep.keep(spec.clone());
                self.units.put(*id, Arc::new(spec));
            }
        }
        self.take_versions(image);
        for (id, run) in runs {
            let (number, stranger) = (run.run, run.stranger);
            if let Some(unit) = self.units.get_mut(id) {
                unit.run = Some(run);
            }
            if !stranger {
                self.watch_own(id, number);
            } else if let Err(error) = self.watch_stranger(id, number) {
                tracing::error!(unit = %id, %error, "cannot watch an adopted run");
            }
        }
    }

    /// Goes on with the FIFOs and stages that the keeper held, and with those that were `left` with programs;
    /// what neither held is made anew from the FIFO in the directory, where somebody may still be writing
    /// to it.
    ///
    /// # Errors
    /// [`Short`]: a daemon that went on without an output would not have it when there is enough again. All
    /// that was held still is, for the next one.
    pub(super) fn take_descriptors(
        &mut self,
        descriptors: Vec<(Key, Handle)>,
        left: Vec<(Key, Handle)>,
        image: &Image,
    ) -> Result<(), Short> {
        for (key, stage) in left.iter().filter(|(key, _)| key.kind == STAGE) {
            if let Err(error) = self.keeper.socket().hold(*key, stage.lend()) {
                tracing::warn!(unit = key.unit, %error, "the keeper does not hold what its program left");
            }
        }
        let mut held: HashMap<(UnitId, u64), Found> = HashMap::new();
        for (key, fd) in descriptors.into_iter().chain(left) {
            let unit = UnitId(key.unit);
            match key.kind {
                FIFO | WRITER | STAGE if self.units.get(unit).is_some() => {
                    let found = held.entry((unit, key.sub)).or_default();
                    match key.kind {
                        FIFO => found.0.push((End::Reader, fd)),
                        WRITER => found.0.push((End::Writer, fd)),
                        _ => found.1 = Some(fd),
                    }
                }
                BEATS => self.adopt_beats(fd),
                API_SOCKET | API_TCP => self.adopt_door(key, fd),
                LISTENER => self.adopt_listener(key.sub, fd),
                NOTIFY | STORED | READY_PIPE | INPUT if self.units.get(unit).is_some() => {
                    self.adopt_for_unit(unit, key, fd, image);
                }
                _ => self.keeper.release(key),
            }
        }
        self.take_back();
        let units = self.units.iter();
        let units: Vec<_> = units.map(|(id, unit)| (id, unit.name.clone())).collect();
        for (id, unit) in units {
            self.note_sockets(id);
            let mut outputs = Vec::new();
            for stream in Stream::ALL {
                let found = held.remove(&(id, streams::key(FIFO, id, stream).sub));
                match self.take_stream(id, stream, found) {
                    Ok(Some(output)) => outputs.push((stream, output)),
                    Ok(None) => {}
                    Err(source) if is_shortage(&source) => return Err(Short { unit, source }),
                    Err(error) => {
                        self.warn(Some(id), format!("its output cannot be captured: {error}"))
                    }
                }
            }
            if !outputs.is_empty()
                && let Some(unit) = self.units.get_mut(id)
            {
                unit.streams = Some(Streams { outputs });
                let program = unit.program();
                self.capture.started(id, program);
            }
        }
        self.close_unused_sockets();
        Ok(())
    }

    fn adopt_for_unit(&mut self, unit: UnitId, key: Key, fd: Handle, image: &Image) {
        match key.kind {
            NOTIFY => match NotifySocket::from_held(fd) {
                Ok(socket) => self.adopt_notify(unit, socket),
                Err(error) => {
                    self.warn(Some(unit), format!("its notify socket is lost: {error}"));
                    self.keeper.release(key);
                }
            },
            STORED => {
                let names = image.stored.get(&unit);
                let name = names.and_then(|names| names.iter().find(|(n, _)| *n == key.sub));
                // Its message is still in the notify socket, and will be read again.
                let Some((_, name)) = name else {
                    return self.keeper.release(key);
                };
                self.adopt_stored(unit, key.sub, name.clone(), fd, true);
            }
            READY_PIPE => self.adopt_ready_pipe(unit, RunId(key.sub), fd),
            _ => self.adopt_input(unit, RunId(key.sub), fd),
        }
    }

    fn take_stream(
        &mut self,
        id: UnitId,
        stream: Stream,
        held: Option<Found>,
    ) -> io::Result<Option<Output>> {
        let (ends, stage) = held.unwrap_or_default();
        let output = match Output::of(ends) {
            Some(output) => output,
            None => {
                let Some(unit) = self.units.get(id) else {
                    return Ok(None);
                };
                let left = Output::left(&self.home.unit_run(&unit.name), stream.name())?;
                match Output::of(left) {
                    Some(output) => output,
                    None => return Ok(None),
                }
            }
        };
        for (end, handle) in output.ends() {
            let key = streams::end_key(end, id, stream);
            self.keeper.hold(key, handle.lend())?;
        }
        let stage = match stage {
            Some(stage) => Some(stage),
            None => self.stage_of_run(id, stream)?,
        };
        self.capture_stream(id, stream, output.reader(), stage)?;
        Ok(Some(output))
    }

    /// What only the program still holds: the keeper is to have it before anything else happens.
    fn stage_of_run(&self, id: UnitId, stream: Stream) -> io::Result<Option<Handle>> {
        let Some(program) = self.units.get(id).and_then(Unit::program) else {
            return Ok(None);
        };
        let stage = pipe::left_with(program, streams::place(stream))?;
        if let Some(stage) = &stage {
            let keeper = self.keeper.socket();
            keeper.hold(streams::key(STAGE, id, stream), stage.lend())?;
        }
        Ok(stage)
    }

    /// Where trees are not exact, what escaped from a run is hunted in the background when the run has
    /// ended; the daemon before may have died over it, and nothing else would end those processes.
    pub(super) fn hunt_leftovers(&self, image: &Image) {
        if self.trees.are_exact() {
            return;
        }
        for unit in image.units.values() {
            let Some(last) = unit.run else { continue };
            let current = self.units.get(unit.id).and_then(|u| u.run.as_ref());
            // The tag tells a run that lives from what is left of the one before.
            let ended = current.map_or(last, |run| RunId(run.run.0.saturating_sub(1)));
            let tree = self.trees.run(unit.id, &unit.name, ended);
            // Whether anything was left is told by nobody: the core is done with that run.
            let _ = self.sweeper.kill(&tree, Sweep::Thorough);
        }
    }
}
