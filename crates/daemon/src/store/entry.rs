//! What the journal's lines hold, and the state they add up to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use abide_config::DaemonSettings;
use abide_core::{Change, UnitRecord};
use abide_model::{Operation, OperationId, Spec, UnitId};
use serde::{Deserialize, Serialize};

/// One line. Variants and fields are only ever added; [`super::format`] says what else that takes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Lines here are of this format. Read by every release before anything else is believed, so this
    /// line stays as it is for ever.
    Format {
        /// See [`super::format::FORMAT`].
        format: u32,
        /// The version that wrote it, for people.
        by: String,
    },
    /// Lines from here on are of this boot.
    Boot {
        /// `/proc/sys/kernel/random/boot_id`.
        boot: String,
        /// Of the home's random source; drawn once.
        seed: u64,
    },
    /// The spec that goes with a unit.
    Spec(UnitId, Box<Spec>),
    /// The spec that the unit gets when its turn in a rolling operation comes; `None`: no other any more.
    Next(UnitId, Option<Box<Spec>>),
    /// A change of what the core remembers.
    Core(Change),
    /// The configuration files that `up` was given, and what it was given with them.
    Sources(Vec<SourceRecord>),
    /// Unit ids below this may have been used.
    NextUnit(u32),
    /// Names of the descriptors that a unit left here, by their number in the keeper's table.
    StoredNames(UnitId, Vec<(u64, String)>),
}

/// A configuration file that the daemon was asked to agree with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Absolute path of the file.
    pub file: PathBuf,
    /// The argument that it was found by: itself, or its directory.
    pub argument: PathBuf,
    /// The caller's variables that its `inherit` names.
    pub environment: BTreeMap<String, String>,
    /// Its `[daemon]`, `[report]` and `[monitor]`.
    #[serde(flatten)]
    pub settings: DaemonSettings,
    /// Numbers of instances set by hand, by full name without instance.
    #[serde(default)]
    pub scale: BTreeMap<String, u32>,
}

/// Lines of one key replace each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Key {
    Format,
    Boot,
    NextUnit,
    Sources,
    Spec(UnitId),
    Next(UnitId),
    Unit(UnitId),
    Operation(OperationId),
    Halted,
    StoredNames(UnitId),
}

impl Entry {
    /// Which earlier line this one replaces.
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Format { .. } => Key::Format,
            Self::Boot { .. } => Key::Boot,
            Self::Spec(id, _) => Key::Spec(*id),
            Self::Next(id, _) => Key::Next(*id),
            Self::Sources(_) => Key::Sources,
            Self::NextUnit(_) => Key::NextUnit,
            Self::StoredNames(id, _) => Key::StoredNames(*id),
            Self::Core(Change::Unit(record)) => Key::Unit(record.id),
            Self::Core(Change::Forgotten(id)) => Key::Unit(*id),
            Self::Core(Change::Operation(operation)) => Key::Operation(operation.id),
            Self::Core(Change::OperationEnded(id)) => Key::Operation(*id),
            Self::Core(Change::Halted) => Key::Halted,
        }
    }
}

/// The state that a journal adds up to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Image {
    /// The newest format of its lines, and the version that wrote them; `None`: of one that did not say
    /// so yet.
    pub format: Option<(u32, String)>,
    /// The boot of the last lines.
    pub boot: Option<String>,
    /// The home's seed.
    pub seed: Option<u64>,
    /// Specs by unit.
    pub specs: BTreeMap<UnitId, Spec>,
    /// Specs that units get in their turn.
    pub next: BTreeMap<UnitId, Spec>,
    /// What the core remembers.
    pub units: BTreeMap<UnitId, UnitRecord>,
    /// Unfinished operations.
    pub operations: BTreeMap<OperationId, Operation>,
    /// Remembered files.
    pub sources: Vec<SourceRecord>,
    /// See [`Entry::StoredNames`].
    pub stored: BTreeMap<UnitId, Vec<(u64, String)>>,
    /// See [`Entry::NextUnit`].
    pub next_unit: u32,
    /// Everything was taken down on purpose, and nothing was written since.
    pub halted: bool,
}

impl Image {
    /// Adds one line.
    pub fn apply(&mut self, entry: Entry) {
        if let Entry::Format { format, by } = entry {
            self.format = self.format.take().max(Some((format, by)));
            return;
        }
        // Anything after `Halted` means that a daemon was at work again.
        self.halted = false;
        match entry {
            // Above.
            Entry::Format { .. } => {}
            Entry::Boot { boot, seed } => {
                self.boot = Some(boot);
                self.seed = Some(seed);
            }
            Entry::Spec(id, spec) => {
                self.specs.insert(id, *spec);
            }
            Entry::Next(id, Some(spec)) => {
                self.next.insert(id, *spec);
            }
            Entry::Next(id, None) => {
                self.next.remove(&id);
            }
            Entry::Sources(sources) => self.sources = sources,
            Entry::StoredNames(id, names) => {
                if names.is_empty() {
                    self.stored.remove(&id);
                } else {
                    self.stored.insert(id, names);
                }
            }
            Entry::NextUnit(next) => self.next_unit = self.next_unit.max(next),
            Entry::Core(Change::Unit(record)) => {
                self.units.insert(record.id, *record);
            }
            Entry::Core(Change::Forgotten(id)) => {
                self.units.remove(&id);
                self.specs.remove(&id);
                self.next.remove(&id);
                self.stored.remove(&id);
            }
            Entry::Core(Change::Operation(operation)) => {
                self.operations.insert(operation.id, *operation);
            }
            Entry::Core(Change::OperationEnded(id)) => {
                self.operations.remove(&id);
            }
            Entry::Core(Change::Halted) => self.halted = true,
        }
    }

    /// The fewest lines that add up to this state.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let format = self.format.iter().map(|_| Entry::this_format());
        let boot = self
            .boot
            .iter()
            .zip(self.seed)
            .map(|(boot, seed)| Entry::Boot {
                boot: boot.clone(),
                seed,
            });
        format
            .chain(boot)
            .chain([
                Entry::NextUnit(self.next_unit),
                Entry::Sources(self.sources.clone()),
            ])
            .chain(
                self.specs
                    .iter()
                    .map(|(id, spec)| Entry::Spec(*id, Box::new(spec.clone()))),
            )
            .chain(
                self.next
                    .iter()
                    .map(|(id, spec)| Entry::Next(*id, Some(Box::new(spec.clone())))),
            )
            .chain(
                self.units
                    .values()
                    .map(|r| Entry::Core(Change::Unit(Box::new(r.clone())))),
            )
            .chain(
                self.operations
                    .values()
                    .map(|o| Entry::Core(Change::Operation(Box::new(o.clone())))),
            )
            .chain(
                self.stored
                    .iter()
                    .map(|(id, names)| Entry::StoredNames(*id, names.clone())),
            )
            .chain(self.halted.then_some(Entry::Core(Change::Halted)))
    }
}
