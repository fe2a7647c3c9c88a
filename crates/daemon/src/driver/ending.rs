//! The end of runs: exits that are told, trees that are ended, and the order between the two.
//!
//! ```text
//!  core ──KillTree, WatchTree──► sweeper ──empty──► on_empty ─┐   the exit first: the tree may be
//!  keeper ──exit (or the pidfd of a stranger)──► on_exit ─────┴─► empty before the keeper has said how
//! ```

use abide_core::Input;
use abide_model::{ExitStatus, RunId, UnitId};
use abide_platform::fault::point;
use abide_platform::identity::{self, Record};
use abide_platform::limits::OutOfMemory;
use abide_platform::tree::{Answer, RunTree, Sweep};

use super::run::Daemon;
use super::unit::Main;
use super::watches::Watched;
use crate::assist::Purpose;

impl Daemon {
    /// A run's main process ended. The keeper remembers how until that is written down.
    pub(super) fn on_exit(&mut self, id: UnitId, run: RunId, status: ExitStatus) {
        let mut empty = false;
        self.tell_out_of_memory(id, run);
        match self.units.get_mut(id) {
            Some(unit) => {
                unit.untaken.push(run);
                if let Some(run) = unit.run_mut(run) {
                    run.main = Main::Ended;
                    empty = std::mem::take(&mut run.empty);
                }
            }
            None => self.keeper.taken(id, run),
        }
        self.prober.stop(id);
        self.drop_ready_pipe(id, run);
        self.drop_input(id, run);
        self.capture.ended(id);
        self.system_logs.ended(id, &self.capture);
        let unit = id;
        self.input(Input::Exited { unit, run, status });
        if empty {
            self.is_empty(unit, run);
        }
    }

    /// Before the exit, so that it is told with its cause.
    fn tell_out_of_memory(&mut self, unit: UnitId, run: RunId) {
        let known = self.units.get(unit).and_then(|unit| unit.run(run));
        let Some(OutOfMemory { killed, limit }) = known.and_then(|run| run.tree.out_of_memory())
        else {
            return;
        };
        self.input(Input::OutOfMemory {
            unit,
            run,
            killed,
            limit,
        });
    }

    /// A run that is no child of the keeper's has ended, as its pidfd says or a look at it.
    pub(super) fn on_stranger_exit(&mut self, unit: UnitId, run: RunId) {
        let Some(current) = self.units.get(unit).and_then(|u| u.run(run)) else {
            return;
        };
        let Some(handle) = &current.handle else {
            return;
        };
        if let Some(process) = handle.waitable() {
            // It stays so for ever.
            let what = Watched::Stranger(unit, run);
            self.watches.remove(&self.poll, process, &what);
        }
        let status = identity::exit_of_stranger(handle).unwrap_or(ExitStatus::Unknown);
        self.on_exit(unit, run, status);
    }

    /// Ends what is left of a run, or watches it end.
    pub(super) fn sweep(&mut self, unit: UnitId, run: RunId, sweep: Sweep) {
        self.prober.stop(unit);
        if sweep != Sweep::Watch {
            self.assistants.cancel(unit, run, Purpose::Stop);
        }
        if let Some(current) = self.units.get_mut(unit).and_then(|u| u.run_mut(run))
            && current.main == Main::Spawning
        {
            // A child that is stuck before its program can be ended now; one that is not made yet
            // must be ended as soon as it is.
            current.sweep = Some(sweep);
        }
        point("stop.kill");
        let empty = match self.tree_of(unit, run) {
            Some(tree) => self.sweeper.kill(&tree, sweep) == Answer::Empty,
            None => true,
        };
        if empty {
            self.on_empty(unit, run);
        }
    }

    /// No process of the run is left.
    pub(super) fn on_empty(&mut self, unit: UnitId, run: RunId) {
        if let Some(current) = self.units.get_mut(unit).and_then(|u| u.run_mut(run)) {
            match current.main {
                // The spawn's answer says what comes of it.
                Main::Spawning => return,
                // How it ended is on its way; asked for a second time, it is not.
                Main::Alive if !current.empty => {
                    current.empty = true;
                    return;
                }
                Main::Alive | Main::Ended => {}
            }
        }
        point("stop.empty");
        self.is_empty(unit, run);
    }

    /// A command that was to have the run end has nothing to do any more.
    fn is_empty(&mut self, unit: UnitId, run: RunId) {
        self.assistants.cancel(unit, run, Purpose::Stop);
        self.input(Input::TreeEmpty { unit, run });
    }

    /// The processes of a run, also of one that an earlier daemon began.
    pub(super) fn tree_of(&self, id: UnitId, run: RunId) -> Option<RunTree> {
        let unit = self.units.get(id)?;
        if let Some(current) = unit.run(run) {
            return Some(current.tree.clone());
        }
        let record = Record::read(&self.home.unit_run(&unit.name).join("record"))
            .ok()
            .flatten();
        Some(match record.filter(|r| r.unit == id && r.run == run) {
            Some(record) => self.trees.adopt(&unit.name, &record),
            None => self.trees.run(id, &unit.name, run),
        })
    }
}
