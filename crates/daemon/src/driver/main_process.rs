//! A run's main process: another one may take its place (`MAINPID=` of sd_notify(3)), and it may be
//! stopped and continued.

use abide_core::Input;
use abide_model::{DesiredState, EventKind, ExitStatus, RunId, Signal, UnitId};
use abide_platform::fault::point;
use abide_platform::identity::{self, Handle, Identity, Record};
use abide_platform::keeper::RunEntry;
use abide_platform::poll::Interest;

use super::run::{Daemon, token};
use super::unit::Main;
use super::watches::Watched;

impl Daemon {
    /// The program names another process as its main one. It must be one of its own, and alive.
    pub(super) fn change_main(&mut self, id: UnitId, run: RunId, pid: u32) {
        if self.core.unit(id).and_then(|view| view.pid) == Some(pid) {
            return;
        }
        let Some(current) = self.units.get(id).and_then(|unit| unit.run(run)) else {
            return;
        };
        if current.tree.contains(pid) != Some(true) {
            let text = format!("MAINPID={pid}, which is none of its processes");
            return self.refuse(id, "foreign main", text);
        }
        let handle = match Handle::open(pid) {
            Ok(handle) => handle,
            Err(error) => {
                let text = format!("MAINPID={pid}, which cannot be reached: {error}");
                return self.refuse(id, "no main", text);
            }
        };
        current.tree.change_main(pid);
        self.keeper.main_changed(id, run, pid);
        self.write_main(id, run, handle.identity());
        self.watch_main(id, run, handle, pid);
        let unit = id;
        self.input(Input::MainChanged { unit, run, pid });
    }

    fn watch_main(&mut self, id: UnitId, run: RunId, handle: Handle, pid: u32) {
        let Some(current) = self.units.get_mut(id).and_then(|unit| unit.run_mut(run)) else {
            return;
        };
        let what = Watched::Stranger(id, run);
        if let Some(before) = current.handle.as_ref().and_then(Handle::waitable) {
            self.watches.remove(&self.poll, before, &what);
        }
        // While another process is its parent, that one is told of its end, and not the keeper.
        let stranger = identity::parent(pid) != self.keeper_pid;
        current.handle = Some(handle);
        self.capture.started(id, Some(pid));
        self.strangers.forget(id, run);
        let added = if stranger {
            self.watch_stranger(id, run)
        } else {
            Ok(())
        };
        if let Err(error) = added {
            self.warn(
                Some(id),
                format!("the end of process {pid} cannot be watched: {error}"),
            );
        }
    }

    /// A new daemon finds the main process by the run's record.
    fn write_main(&self, id: UnitId, run: RunId, main: Identity) {
        let Some(unit) = self.units.get(id) else {
            return;
        };
        let path = self.home.unit_run(&unit.name).join("record");
        let name = unit.name.clone();
        let job = move || {
            if let Err(error) = Record::change_main(&path, run, &main) {
                tracing::warn!(unit = %name, %error, "cannot write down another main process");
            }
        };
        if let Err(error) = self.files.submit(job) {
            tracing::warn!(%error, "cannot write down another main process");
        }
    }

    /// Watches the main process of a run, so that its end is heard at once, and not only from the keeper
    /// when that one has reaped it. Only where a control group says whether the tree is empty: a process
    /// group with a zombie in it does not look so.
    pub(super) fn watch_own(&self, id: UnitId, run: RunId) {
        let Some(current) = self.units.get(id).and_then(|unit| unit.run(run)) else {
            return;
        };
        let Some(process) = current.handle.as_ref().and_then(Handle::waitable) else {
            return;
        };
        if current.main != Main::Alive || !current.tree.is_grouped() {
            return;
        }
        // Once: it stays so for ever. It is no longer waited for when it is closed.
        let token = token::MAIN + u64::from(id.0);
        if let Err(error) = self.poll.add(process, token, Interest::Once) {
            // The keeper tells of it, a moment later.
            tracing::debug!(unit = %id, %error, "cannot watch a main process");
        }
    }

    /// Whether this tells of the end of a main process that may be followed by the next one at once.
    pub(super) fn may_come_back(&self, number: u64) -> bool {
        let id = number
            .checked_sub(token::MAIN)
            .and_then(|id| u32::try_from(id).ok());
        id.and_then(|id| self.core.unit(UnitId(id)))
            .is_some_and(|unit| unit.desired == DesiredState::Up)
    }

    /// A main process of this unit has ended, perhaps one of a run before, or one that is it no longer.
    /// How it ended is read from the kernel, which knows before and after the keeper has reaped it. What
    /// the keeper says afterwards is nothing new, but it remembers it until it is written down.
    pub(super) fn on_main_ended(&mut self, id: UnitId) {
        // As in `on_main_exit`: it may name another one, as its last words.
        self.on_notify(id);
        let run = self.units.get_mut(id).and_then(|unit| unit.run.as_mut());
        let Some(current) = run.filter(|run| run.main == Main::Alive) else {
            return;
        };
        let Some(handle) = &current.handle else {
            return;
        };
        let pid = handle.identity().pid;
        if current.tree.main() != Some(pid) {
            return;
        }
        // It lives, or nobody can tell but the keeper.
        let Some(status) = identity::exit_of_stranger(handle) else {
            return;
        };
        current.heard = Some(pid);
        let run = current.run;
        point("exit.heard");
        self.on_exit(id, run, status);
    }

    /// The keeper tells of an exit. A program that goes to the background names its new main process
    /// right before the old one ends, so what it said is heard first.
    pub(super) fn on_main_exit(&mut self, entry: &RunEntry, status: ExitStatus) {
        self.on_notify(entry.unit);
        let Some(unit) = self.units.get_mut(entry.unit) else {
            return self.on_exit(entry.unit, entry.run, status);
        };
        let run = unit.run(entry.run);
        if run.is_none_or(|run| run.heard == Some(entry.pid)) {
            // Its pidfd has said so already. The keeper may forget it once that is written down.
            if !unit.untaken.contains(&entry.run) {
                unit.untaken.push(entry.run);
            }
            return;
        }
        let main = run.and_then(|run| run.tree.main());
        // Of one that is not the main process any more, and the keeper knows.
        if main.is_none_or(|main| main == entry.pid) {
            self.on_exit(entry.unit, entry.run, status);
        }
    }

    /// The main process is stopped, and does nothing until it is continued.
    pub(super) fn on_stopped(&mut self, id: UnitId, run: RunId, signal: Option<Signal>) {
        let current = self.units.get(id).is_some_and(|u| u.run(run).is_some());
        if !current {
            return;
        }
        let kind = match signal {
            Some(signal) => EventKind::ProcessStopped {
                signal: signal.to_string(),
            },
            None => EventKind::ProcessContinued,
        };
        self.event(Some(id), Some(run), kind);
    }
}
