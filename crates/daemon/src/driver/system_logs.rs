//! What the system's logs are told of units, and when.

use std::collections::BTreeSet;

use abide_model::UnitId;

use super::run::Daemon;
use crate::board::KeptSpec;

impl Daemon {
    /// Units and runs that an earlier daemon left are sent on.
    pub(super) fn begin_system_logs(&mut self) {
        self.default_system_logs();
        let mut names = BTreeSet::new();
        let ids: Vec<UnitId> = self.units.iter().map(|(id, _)| id).collect();
        for id in ids {
            self.heed_system_log(id);
            let Some(unit) = self.units.get(id) else {
                continue;
            };
            names.insert(unit.name.clone());
            let Some(run) = unit.run.as_ref() else {
                continue;
            };
            let view = self.core.unit(id);
            if let Some(started) = view.and_then(|view| view.started) {
                self.system_logs
                    .runs(id, run.run, unit.program(), started.wall);
            }
        }
        if let Err(error) = self.files.submit(self.system_logs.tidy(names)) {
            tracing::warn!(%error, "cannot look what system logs do not need any more");
        }
    }

    /// `[daemon]` may say something else.
    pub(super) fn default_system_logs(&mut self) {
        let said = self
            .sources
            .iter()
            .find_map(|source| source.settings.system_log.clone());
        if self.system_logs.set_default(said.unwrap_or_default()) {
            let ids: Vec<UnitId> = self.units.iter().map(|(id, _)| id).collect();
            for id in ids {
                self.heed_system_log(id);
            }
        }
    }

    /// What is kept of the unit's output, or sent on, may be something else than `old` said.
    pub(super) fn log_changed(&mut self, id: UnitId, old: Option<&KeptSpec>) {
        let Some(unit) = self.units.get(id) else {
            return;
        };
        if old.is_some_and(|old| old.log == unit.spec.log) {
            return;
        }
        if old.is_some() {
            self.capture.reconfigure(id, &unit.spec.log);
        }
        self.heed_system_log(id);
    }

    fn heed_system_log(&mut self, id: UnitId) {
        if let Some(unit) = self.units.get(id) {
            self.system_logs
                .unit(id, &unit.name, &unit.spec.log, &self.capture);
        }
    }
}
