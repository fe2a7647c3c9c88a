//! What others ask: commands go to the core, the rest is answered at once.

use std::path::PathBuf;

use abide_core::{Command, Input};
use abide_model::{Refusal, UnitId};
use abide_platform::clock;

use super::run::Daemon;
use crate::handle::Request;

impl Daemon {
    pub(super) fn on_request(&mut self, request: Request) {
        match request {
            Request::Command { command, reply } => {
                let request = self.request();
                self.replies.insert(request, reply);
                let leaving = match &command {
                    Command::DownSource(name) => Some(PathBuf::from(name)),
                    _ => None,
                };
                self.input(Input::Command { request, command });
                if let Some(file) = leaving {
                    self.source_leaves(&file);
                }
            }
            Request::Apply {
                kind,
                sources,
                reply,
            } => self.apply(kind, &sources, Some(reply)),
            Request::Plan { sources, reply } => {
                let (definitions, _) = self.definitions(&sources);
                reply.send(self.core.plan(&definitions));
            }
            Request::Beat {
                unit,
                drift_ms,
                reply,
            } => reply.send(self.beat(unit, drift_ms)),
            Request::Explain { unit, reply } => {
                let explanation = self.core.explain(unit, clock::now());
                reply.send(explanation.ok_or_else(|| Refusal::NoSuchUnit(unit.to_string())));
            }
        }
    }

    fn beat(&mut self, id: UnitId, drift_ms: Option<i64>) -> Result<(), Refusal> {
        let now = clock::now();
        let unit = self
            .units
            .get_mut(id)
            .ok_or_else(|| Refusal::NoSuchUnit(id.to_string()))?;
        if unit.spec.policy.heartbeat.is_none() {
            return Err(Refusal::NoHeartbeat(unit.name.clone()));
        }
        let run = match &unit.run {
            Some(run) if self.core.unit(id).is_some_and(|view| view.pid.is_some()) => run.run,
            _ => return Err(Refusal::NotRunning(unit.name.clone())),
        };
        unit.beat = Some((now.wall, drift_ms));
        self.dirty.insert(id);
        self.input(Input::Beat { unit: id, run });
        Ok(())
    }
}
