//! Descriptors that programs leave here over their restarts (`FDSTORE=1` of sd_notify(3)). The keeper
//! holds them; their names are written down.

use std::sync::Arc;

use abide_model::UnitId;
use abide_platform::file::is_same;
use abide_platform::keeper::Key;
use abide_platform::poll::Interest;
use abide_platform::{Borrowed, Handle, Lend};

use super::run::Daemon;
use super::streams::STORED;
use super::unit::Unit;
use super::watches::Watched;
use super::{input, notify, ready};
use crate::store::Entry;

/// One descriptor that a unit left here.
pub struct Stored {
    /// Its place in the keeper's table.
    pub number: u64,
    /// Its name in `LISTEN_FDNAMES`.
    pub name: String,
    /// It.
    pub fd: Arc<Handle>,
}

fn key(unit: UnitId, number: u64) -> Key {
    Key {
        kind: STORED,
        unit: unit.0,
        sub: number,
    }
}

impl Daemon {
    /// Keeps a descriptor for the unit's next run. Beyond the unit's `fd_store` it is closed.
    pub(super) fn keep_descriptor(&mut self, id: UnitId, name: String, fd: Handle, watch: bool) {
        let Some(unit) = self.units.get(id) else {
            return;
        };
        // A message that is read again after the death of a daemon brings the same.
        if unit
            .stored
            .iter()
            .any(|s| s.name == name && is_same(&s.fd, &fd))
        {
            return;
        }
        let most = unit.spec.around().fd_store;
        if unit.stored.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            let text = if most == 0 {
                "FDSTORE=1, and it has no `fd_store` in its configuration".to_owned()
            } else {
                format!(
                    "FDSTORE=1, and it has left {most} descriptors already, as many as `fd_store` allows"
                )
            };
            return self.refuse(id, "store full", text);
        }
        let number = unit.stored.iter().map(|s| s.number + 1).max().unwrap_or(0);
        if let Err(error) = self.keeper.hold(key(id, number), fd.lend()) {
            return self.warn(
                Some(id),
                format!("a descriptor of it cannot be kept: {error}"),
            );
        }
        self.adopt_stored(id, number, name, fd, watch);
        self.write_stored(id);
    }

    /// One that is in the keeper's table.
    pub(super) fn adopt_stored(
        &mut self,
        id: UnitId,
        number: u64,
        name: String,
        fd: Handle,
        watch: bool,
    ) {
        let fd = Arc::new(fd);
        if watch {
            // Nothing is asked for: what is dead says so all the same. A file cannot be watched, and
            // does not die.
            let what = Watched::Stored(id, number);
            let _ = self.watches.add(&self.poll, &fd, Interest::Loss, what);
        }
        if let Some(unit) = self.units.get_mut(id) {
            unit.stored.push(Stored { number, name, fd });
            unit.stored.sort_by_key(|stored| stored.number);
        }
        self.show_stored(id);
    }

    /// Those of this name are not needed any more.
    pub(super) fn drop_stored(&mut self, id: UnitId, name: &str) {
        self.drop_stored_if(id, |stored| stored.name == name);
    }

    /// Its other end is gone: it would be of no use to the next run.
    pub(super) fn on_stored_dead(&mut self, id: UnitId, number: u64) {
        self.drop_stored_if(id, |stored| stored.number == number);
    }

    /// The unit is gone.
    pub(super) fn drop_all_stored(&mut self, id: UnitId) {
        self.drop_stored_if(id, |_| true);
    }

    fn drop_stored_if(&mut self, id: UnitId, gone: impl Fn(&Stored) -> bool) {
        let Some(unit) = self.units.get_mut(id) else {
            return;
        };
        let (leaving, staying): (Vec<_>, Vec<_>) =
            std::mem::take(&mut unit.stored).into_iter().partition(gone);
        unit.stored = staying;
        if leaving.is_empty() {
            return;
        }
        for stored in leaving {
            let what = Watched::Stored(id, stored.number);
            self.watches.remove(&self.poll, &stored.fd, &what);
            self.keeper.release(key(id, stored.number));
        }
        self.write_stored(id);
        self.show_stored(id);
    }

    /// What the keeper holds for the unit beside its output, for a new keeper.
    pub(super) fn held_for<'a>(
        &self,
        id: UnitId,
        unit: &'a Unit,
    ) -> impl Iterator<Item = (Key, Borrowed<'a>)> {
        let notify = unit.notify.iter();
        let stored = unit.stored.iter();
        let run = unit.run.iter();
        notify
            .map(move |socket| (notify::key(id), socket.lend()))
            .chain(stored.map(move |stored| (key(id, stored.number), stored.fd.lend())))
            .chain(run.flat_map(move |run| {
                let ready = run.ready_pipe.iter();
                let ready = ready.map(move |pipe| (ready::key(id, run.run), pipe.lend()));
                let input = run.input.iter();
                ready.chain(input.map(move |pipe| (input::key(id, run.run), pipe.lend())))
            }))
    }

    fn write_stored(&mut self, id: UnitId) {
        if let Some(unit) = self.units.get(id) {
            let names = unit.stored.iter();
            let names = names.map(|s| (s.number, s.name.clone())).collect();
            self.store.write(Entry::StoredNames(id, names), false, None);
        }
    }

    fn show_stored(&mut self, id: UnitId) {
        if let Some(unit) = self.units.get_mut(id) {
            Arc::make_mut(&mut unit.facts).fds_stored =
                u32::try_from(unit.stored.len()).unwrap_or(u32::MAX);
            self.dirty.insert(id);
        }
    }
}
