//! Readiness by a descriptor: the program writes a newline to a pipe ([`readiness`]). The keeper
//! holds the reading end, so that the newline waits there while there is no daemon, and writing it
//! breaks no pipe.

use std::io;

use abide_core::Input;
use abide_model::{ProbeKind, RunId, UnitId};
use abide_platform::keeper::Key;
use abide_platform::poll::Interest;
use abide_platform::readiness::{self, Said};
use abide_platform::{Handle, Lend};

use super::run::Daemon;
use super::streams::READY_PIPE;
use super::watches::Watched;

pub(super) fn key(unit: UnitId, run: RunId) -> Key {
    Key {
        kind: READY_PIPE,
        unit: unit.0,
        sub: run.0,
    }
}

impl Daemon {
    /// For a unit that says it is ready by a descriptor: the number at which its run finds the writing
    /// end, and that end.
    pub(super) fn ready_pipe(
        &mut self,
        id: UnitId,
        run: RunId,
    ) -> io::Result<Option<(u32, Handle)>> {
        let ready = self
            .units
            .get(id)
            .and_then(|u| u.spec.policy.ready.as_ref());
        let Some(ProbeKind::Fd(number)) = ready.map(|ready| &ready.probe) else {
            return Ok(None);
        };
        let number = *number;
        let (reader, writer) = readiness::pipe()?;
        self.keeper.hold(key(id, run), reader.lend())?;
        self.adopt_ready_pipe(id, run, reader);
        Ok(Some((number, writer)))
    }

    /// One that the keeper held.
    pub(super) fn adopt_ready_pipe(&mut self, id: UnitId, run: RunId, reader: Handle) {
        let current = self.units.get_mut(id).and_then(|unit| unit.run_mut(run));
        let Some(current) = current else {
            return self.keeper.release(key(id, run));
        };
        let what = Watched::ReadyPipe(id, run);
        let added = self.watches.add(&self.poll, &reader, Interest::Input, what);
        current.ready_pipe = Some(reader);
        if let Err(error) = added {
            self.warn(
                Some(id),
                format!("its readiness cannot be watched: {error}"),
            );
        }
    }

    /// The run wrote to it, or closed it.
    pub(super) fn on_ready_pipe(&mut self, unit: UnitId, run: RunId) {
        let current = self.units.get(unit).and_then(|u| u.run(run));
        let Some(pipe) = current.and_then(|run| run.ready_pipe.as_ref()) else {
            return;
        };
        let ready = match readiness::read(pipe) {
            Ok(Said::Nothing) => return,
            Ok(Said::Ready) => true,
            Ok(Said::Closed) => false,
            Err(error) => {
                tracing::warn!(unit = %unit, %error, "cannot read from a readiness pipe");
                false
            }
        };
        self.drop_ready_pipe(unit, run);
        if ready {
            self.input(Input::Ready { unit, run });
        }
    }

    /// The run is over, or has said what it had to say.
    pub(super) fn drop_ready_pipe(&mut self, unit: UnitId, run: RunId) {
        let current = self.units.get_mut(unit).and_then(|u| u.run_mut(run));
        if let Some(pipe) = current.and_then(|run| run.ready_pipe.take()) {
            let what = Watched::ReadyPipe(unit, run);
            self.watches.remove(&self.poll, &pipe, &what);
            self.keeper.release(key(unit, run));
        }
    }
}
