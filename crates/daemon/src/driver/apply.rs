//! Taking over configuration: giving ids, remembering specs and sources, reading files again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use abide_core::{Command, UnitDef};
use abide_model::{Operation, OperationKind, Rolling, Spec, UnitId};

use super::run::{Daemon, Message};
use crate::board::SourceInfo;
use crate::handle::{AskError, ConfigSource, Handle, Reply};
use crate::store::{Entry, SourceRecord};

/// Sources by name, as the core wants them.
type Definitions = Vec<(String, Vec<UnitDef>)>;

/// What becomes true when the core takes an `Apply`.
pub struct Staged {
    /// Each unit's id and spec.
    specs: Vec<(UnitId, Spec)>,
    /// The sources that it came from.
    sources: Vec<SourceRecord>,
}

impl Daemon {
    /// The sources as the core wants them, and the ids that their units have or would get.
    pub(super) fn definitions(
        &mut self,
        sources: &[ConfigSource],
    ) -> (Definitions, Vec<(UnitId, Spec)>) {
        let mut specs = Vec::new();
        let mut fresh = std::collections::HashMap::new();
        let definitions = sources
            .iter()
            .map(|source| {
                let units = source
                    .specs
                    .iter()
                    .map(|spec| {
                        let id = *fresh
                            .entry(spec.name.clone())
                            .or_insert_with(|| self.units.id_for(&spec.name));
                        specs.push((id, spec.clone()));
                        UnitDef {
                            id,
                            name: spec.name.clone(),
                            policy: spec.policy.clone(),
                        }
                    })
                    .collect();
                (source.name(), units)
            })
            .collect();
        (definitions, specs)
    }

    /// Hands sources to the core; what they say becomes true if it takes them.
    pub(super) fn apply(
        &mut self,
        kind: OperationKind,
        sources: &[ConfigSource],
        rolling: Option<Rolling>,
        reply: Option<Reply<Operation>>,
    ) {
        let (definitions, specs) = self.definitions(sources);
        let files: Vec<&Path> = sources.iter().map(|s| s.file.as_path()).collect();
        if let Err(refusal) = self.check_room(&specs, &files) {
            match reply {
                Some(reply) => reply.send(Err(refusal)),
                None => self.warn(None, format!("configuration was not applied: {refusal}")),
            }
            return;
        }
        let leaving: Vec<PathBuf> = match kind {
            OperationKind::DownFile => sources.iter().map(|source| source.file.clone()).collect(),
            _ => Vec::new(),
        };
        let sources = sources.iter().map(source_record).collect();
        let request = self.request();
        if let Some(reply) = reply {
            self.replies.insert(request, reply);
        }
        // The core decides on the plan first, since its effects need the specs, and a refusal must
        // leave no trace.
        let taken = match rolling {
            Some(_) => self.core.check_rolling(&definitions),
            None => self.core.plan(&definitions).map(drop),
        };
        if taken.is_ok() {
            self.take_over(Staged { specs, sources }, rolling.is_some());
        }
        self.input(abide_core::Input::Command {
            request,
            command: Command::Apply {
                kind,
                sources: definitions,
                rolling,
            },
        });
        for file in leaving {
            self.source_leaves(&file);
        }
    }

    fn take_over(&mut self, staged: Staged, rolling: bool) {
        self.store
            .write(Entry::NextUnit(self.units.next_id()), false, None);
        for (id, spec) in staged.specs {
            if rolling && self.units.get(id).is_some() {
                self.hold_back(id, spec);
                continue;
            }
            let spec = Arc::new(self.keep.keep(spec));
            let held_back = self.units.get_mut(id).and_then(|u| u.versions.take());
            if held_back.is_some() {
                self.write_spec(id, &spec);
                self.store.write(Entry::Next(id, None), false, None);
            }
            let old = self.units.put(id, Arc::clone(&spec));
            if old.as_ref().is_some_and(|old| **old == *spec) {
                continue;
            }
            self.note_sockets(id);
            self.log_changed(id, old.as_deref());
            self.write_spec(id, &spec);
            self.dirty.insert(id);
        }
        for source in staged.sources {
            self.leaving.remove(&source.file);
            match self.sources.iter_mut().find(|s| s.file == source.file) {
                Some(known) => *known = source,
                None => self.sources.push(source),
            }
        }
        self.sources_changed();
        self.serve_beats_if_wanted();
        self.spare_pidfds();
    }

    /// Remembers the sources, and tells everybody.
    pub(super) fn sources_changed(&mut self) {
        self.store
            .write(Entry::Sources(self.sources.clone()), true, None);
        let sources: Vec<SourceInfo> = self.sources.iter().map(source_info).collect();
        let listen: BTreeSet<_> = self
            .sources
            .iter()
            .flat_map(|s| s.settings.listen.iter().copied())
            .collect();
        self.board.update_daemon(|daemon| {
            daemon.sources = sources;
            daemon.listen = listen.into_iter().collect();
        });
        self.default_system_logs();
    }

    /// This source is on its way out: it is forgotten with its last unit.
    pub(super) fn source_leaves(&mut self, file: &Path) {
        self.leaving.insert(file.to_owned());
        self.forget_source_if_empty(file);
    }

    /// A unit of this source is gone. A file that `abide run` made goes with it: it would bring the
    /// unit back. A file of the user's is remembered until the user takes it down: it may say where to
    /// listen, and its units come back with the next `up`.
    pub(super) fn forget_source_if_empty(&mut self, file: &Path) {
        let ours = file.starts_with(self.home.units());
        let leaves = ours || self.leaving.contains(file);
        if !leaves || self.units.iter().any(|(_, unit)| *unit.spec.file == *file) {
            return;
        }
        self.leaving.remove(file);
        let known = self.sources.len();
        self.sources.retain(|source| source.file != file);
        if self.sources.len() != known {
            self.sources_changed();
        }
        if ours {
            let file = file.to_owned();
            let job = move || {
                if let Err(error) = std::fs::remove_file(&file)
                    && error.kind() != std::io::ErrorKind::NotFound
                {
                    tracing::warn!(path = %file.display(), %error, "cannot remove");
                }
            };
            if let Err(error) = self.files.submit(job) {
                tracing::warn!(%error, "cannot remove a unit's file");
            }
        }
    }

    /// Reads all remembered files again (SIGHUP).
    ///
    /// A service that hosts one unit is that unit: its program is to read its configuration, too.
    pub(super) fn reload(&mut self) {
        let mailbox = self.hosting.is_of_one().then(|| self.mailbox.clone());
        self.load(move |handle| {
            let read = handle.reload_blocking()?;
            if let Some(mailbox) = mailbox {
                mailbox.send(Message::HostedAgain);
            }
            Ok(read)
        });
    }

    /// Reads files that the command line named, and says when that is done. `first`: no daemon of this keeper has
    /// done so before.
    pub(super) fn load_files(&mut self, files: Vec<PathBuf>, first: bool) {
        let mailbox = self.mailbox.clone();
        self.load(move |handle| {
            let read = handle.up_blocking(files);
            let refused = read.as_ref().err().map(ToString::to_string);
            mailbox.send(Message::FilesRead(refused, first));
            read
        });
    }

    /// Reads as a job; what was read comes back as a request.
    fn load(&self, read: impl FnOnce(&Handle) -> Result<Operation, AskError> + Send + 'static) {
        let handle = self.handle.clone();
        let job = move || {
            if let Err(error) = read(&handle) {
                tracing::warn!("configuration was not applied: {error}");
            }
        };
        if let Err(error) = self.jobs.submit(job) {
            self.warn(
                None,
                format!("configuration cannot be read: start a thread: {error}"),
            );
        }
    }
}

fn source_record(source: &ConfigSource) -> SourceRecord {
    SourceRecord {
        file: source.file.clone(),
        argument: source.argument.clone(),
        environment: source.environment.clone(),
        settings: source.settings.clone(),
        scale: source.scale.clone(),
    }
}

pub(super) fn source_info(source: &SourceRecord) -> SourceInfo {
    SourceInfo {
        file: source.file.clone(),
        argument: source.argument.clone(),
        environment: source.environment.clone(),
        settings: source.settings.clone(),
        scale: source.scale.clone(),
    }
}
