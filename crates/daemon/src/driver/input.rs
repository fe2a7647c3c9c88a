//! A run's standard input, where that is a pipe: its other end is held here, and by the keeper, so that only a
//! step of a stop has it end, and not the death of a daemon.

use std::io;
use std::sync::Arc;

use abide_core::Outcome;
use abide_model::{RunId, StdinSpec, UnitId};
use abide_platform::keeper::Key;
use abide_platform::pipe::Input;
use abide_platform::{Handle, Lend};

use super::run::Daemon;
use super::streams::INPUT;
use super::unit::Main;

pub(super) fn key(unit: UnitId, run: RunId) -> Key {
    Key {
        kind: INPUT,
        unit: unit.0,
        sub: run.0,
    }
}

impl Daemon {
    /// For a unit that has a pipe as its standard input: what a new run of it reads from.
    pub(super) fn input_pipe(&mut self, id: UnitId, run: RunId) -> io::Result<Option<Arc<Handle>>> {
        let spec = self.units.get(id).map(|unit| &unit.spec);
        if spec.is_none_or(|spec| spec.around().stdin == StdinSpec::Null) {
            return Ok(None);
        }
        let Input { reader, writer } = Input::new()?;
        self.keeper.hold(key(id, run), writer.lend())?;
        self.adopt_input(id, run, writer);
        Ok(Some(Arc::new(reader)))
    }

    /// One that the keeper holds. Of a run that is over it is of no use.
    pub(super) fn adopt_input(&mut self, id: UnitId, run: RunId, writer: Handle) {
        let current = self.units.get_mut(id).and_then(|unit| unit.run_mut(run));
        match current.filter(|run| run.main != Main::Ended) {
            Some(current) => current.input = Some(writer),
            None => self.keeper.release(key(id, run)),
        }
    }

    /// Has it end, as a step of a stop. One that has ended already cannot end again, but its program may still be
    /// on its way out because of that: it was a daemon before this one that let go of it, or its death and the keeper's.
    pub(super) fn end_input(&mut self, id: UnitId, run: RunId) -> Outcome {
        if self.drop_input(id, run) {
            return Outcome::Ok;
        }
        let stdin = self.units.get(id).map(|unit| unit.spec.around().stdin);
        match stdin {
            Some(StdinSpec::Pipe) => Outcome::Asked {
                how: "it had ended before".to_owned(),
            },
            Some(StdinSpec::Null) | None => Outcome::Failed {
                reason: "its standard input is no pipe of abide's".to_owned(),
            },
        }
    }

    /// Lets go of it; whether it was there.
    pub(super) fn drop_input(&mut self, id: UnitId, run: RunId) -> bool {
        let current = self.units.get_mut(id).and_then(|unit| unit.run_mut(run));
        let held = current.and_then(|run| run.input.take()).is_some();
        if held {
            self.keeper.release(key(id, run));
        }
        held
    }
}
