//! What others ask: commands go to the core, the rest is answered at once.

use std::path::{Path, PathBuf};

use abide_core::{Command, Input};
use abide_model::Refusal;
use abide_platform::clock;
use abide_platform::fault::point;

use super::run::Daemon;
use crate::handle::Request;

impl Daemon {
    pub(super) fn on_request(&mut self, request: Request) {
        match request {
            Request::Command { command, reply } => {
                point("command.heard");
                let request = self.request();
                self.replies.insert(request, reply);
                if matches!(command, Command::Down) {
                    self.hosting.leaving(clock::now().mono);
                }
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
                rolling,
                reply,
            } => {
                point("config.read");
                self.apply(kind, &sources, rolling, Some(reply));
            }
            Request::Plan { sources, reply } => {
                let (definitions, specs) = self.definitions(&sources);
                let files: Vec<&Path> = sources.iter().map(|s| s.file.as_path()).collect();
                let room = self.check_room(&specs, &files);
                reply.send(room.and_then(|()| self.core.plan(&definitions)));
            }
            Request::Upgrade { replacement, reply } => self.on_upgrade(replacement, reply),
            Request::KeepDoor(door, socket) => self.keep_door(door, socket),
            Request::DropDoor(door) => self.drop_door(door),
            Request::Explain { unit, reply } => {
                let explanation = self.core.explain(unit, clock::now());
                reply.send(explanation.ok_or_else(|| Refusal::NoSuchUnit(unit.to_string())));
            }
        }
    }

    /// Takes the beats that came since the last time.
    pub(super) fn take_beats(&mut self) {
        for beat in self.requests.beats() {
            let Some(unit) = self.units.get_mut(beat.unit) else {
                continue;
            };
            if unit.run.as_ref().is_none_or(|run| run.run != beat.run) {
                continue;
            }
            unit.beat = Some((beat.at, beat.drift_ms));
            self.dirty.insert(beat.unit);
            self.input(Input::Beat {
                unit: beat.unit,
                run: beat.run,
            });
        }
    }
}
