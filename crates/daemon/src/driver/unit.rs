//! What the driver knows of a unit beside the core: how to run it, and what it holds for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use abide_core::Effect;
use abide_model::{EffectId, LimitUnsupported, ListenAddress, Mono, RunId, UnitId, UnitName, Wall};
use abide_platform::clock;
use abide_platform::identity::Handle;
use abide_platform::notify::NotifySocket;
use abide_platform::tree::{RunTree, Sweep};

use super::keep::Stored;
use super::streams::Streams;
use super::versions::Versions;
use crate::board::{KeptSpec, UnitFacts};
use crate::capture::LogMark;

/// One unit.
pub struct Unit {
    /// Full name.
    pub name: UnitName,
    /// As last applied; a run that began before a change was started by an older one.
    pub spec: Arc<KeptSpec>,
    /// While a rolling `Apply` is under way: what it had, and what it gets; `spec` is one of the two.
    pub versions: Option<Versions>,
    /// Its FIFOs, once a run needed them.
    pub streams: Option<Streams>,
    /// Where it says things of itself.
    pub notify: Option<NotifySocket>,
    /// Its listening sockets that are there.
    pub sockets: Vec<ListenAddress>,
    /// What it left here over its restarts.
    pub stored: Vec<Stored>,
    /// Kinds of messages that were refused, and told of.
    pub told: BTreeSet<&'static str>,
    /// What it needs to run is being made; these effects wait for it.
    pub preparing: Option<Vec<(EffectId, Effect)>>,
    /// The current run, or the last one.
    pub run: Option<Run>,
    /// Limits of the current run that cannot be had here.
    pub limits_unsupported: Vec<LimitUnsupported>,
    /// The last beat: when it came, and the sender's clock minus ours in milliseconds.
    pub beat: Option<(Wall, Option<i64>)>,
    /// Exits that the keeper still remembers, because they are not written down yet.
    pub untaken: Vec<RunId>,
    /// What is published of it beside the core's view.
    pub facts: Arc<UnitFacts>,
}

/// One run.
pub struct Run {
    /// Which.
    pub run: RunId,
    /// Its processes.
    pub tree: RunTree,
    /// Its main process, from the spawn's answer on.
    pub handle: Option<Handle>,
    /// How far its main process is.
    pub main: Main,
    /// Its tree is to be ended, or watched, as soon as its spawn is answered.
    pub sweep: Option<Sweep>,
    /// The main process whose end was heard by its pidfd.
    pub heard: Option<u32>,
    /// Its tree is empty, and the exit of its main process has not been told yet.
    pub empty: bool,
    /// It is no child of the keeper's: an earlier keeper began it.
    pub stranger: bool,
    /// Where it says that it is ready, until it has.
    pub ready_pipe: Option<abide_platform::Handle>,
    /// What has its standard input go on, where that is a pipe and has not ended.
    pub input: Option<abide_platform::Handle>,
    /// Where its output begins.
    pub mark: Option<LogMark>,
    /// Why it is not ready so far, as its check says.
    pub not_ready: Option<String>,
    /// When it began, as far as this daemon knows.
    pub began: Mono,
    /// When it began, for probes that look at files.
    pub since: std::time::SystemTime,
}

/// How far the main process of a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Main {
    /// A worker makes it.
    Spawning,
    /// Its exit will be told.
    Alive,
    /// Its exit was told, or it never was.
    Ended,
}

impl Run {
    /// A run whose main process is this far.
    pub fn new(run: RunId, tree: RunTree, main: Main) -> Self {
        Self {
            run,
            tree,
            handle: None,
            main,
            sweep: None,
            empty: false,
            heard: None,
            stranger: false,
            ready_pipe: None,
            input: None,
            mark: None,
            not_ready: None,
            began: clock::now().mono,
            since: std::time::SystemTime::now(),
        }
    }
}

impl Unit {
    /// A unit that was just added.
    pub fn new(spec: Arc<KeptSpec>) -> Self {
        Self {
            name: spec.name.clone(),
            spec,
            versions: None,
            streams: None,
            notify: None,
            sockets: Vec::new(),
            stored: Vec::new(),
            told: BTreeSet::new(),
            preparing: None,
            run: None,
            limits_unsupported: Vec::new(),
            beat: None,
            untaken: Vec::new(),
            facts: UnitFacts::none(),
        }
    }

    /// The main process of the current run, as far as there is one.
    pub fn program(&self) -> Option<u32> {
        let handle = self.run.as_ref()?.handle.as_ref()?;
        Some(handle.identity().pid)
    }

    /// The run of this id, if it is the current one.
    pub fn run(&self, run: RunId) -> Option<&Run> {
        self.run.as_ref().filter(|r| r.run == run)
    }

    /// The run of this id, if it is the current one.
    pub fn run_mut(&mut self, run: RunId) -> Option<&mut Run> {
        self.run.as_mut().filter(|r| r.run == run)
    }
}

/// All units, by id and by name.
#[derive(Default)]
pub struct Units {
    /// Boxed, since a table is up to half empty.
    by_id: HashMap<UnitId, Box<Unit>>,
    by_name: HashMap<UnitName, UnitId>,
    next: u32,
}

impl Units {
    /// No units; ids below `next` are spent.
    pub fn new(next: u32) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    /// The lowest id that was never given.
    pub fn next_id(&self) -> u32 {
        self.next
    }

    /// The id of a known name, or a new one that is spent from now on.
    pub fn id_for(&mut self, name: &UnitName) -> UnitId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = UnitId(self.next);
        self.next += 1;
        id
    }

    /// The id of a known name.
    pub fn id_of(&self, name: &UnitName) -> Option<UnitId> {
        self.by_name.get(name).copied()
    }

    /// Adds a unit, or gives a known one another spec; returns the spec it had.
    pub fn put(&mut self, id: UnitId, spec: Arc<KeptSpec>) -> Option<Arc<KeptSpec>> {
        self.next = self.next.max(id.0 + 1);
        self.by_name.insert(spec.name.clone(), id);
        match self.by_id.get_mut(&id) {
            Some(unit) => Some(std::mem::replace(&mut unit.spec, spec)),
            None => {
                self.by_id.insert(id, Box::new(Unit::new(spec)));
                None
            }
        }
    }

    /// A unit.
    pub fn get(&self, id: UnitId) -> Option<&Unit> {
        self.by_id.get(&id).map(|unit| &**unit)
    }

    /// A unit.
    pub fn get_mut(&mut self, id: UnitId) -> Option<&mut Unit> {
        self.by_id.get_mut(&id).map(|unit| &mut **unit)
    }

    /// Forgets a unit.
    pub fn remove(&mut self, id: UnitId) -> Option<Unit> {
        let unit = *self.by_id.remove(&id)?;
        // A new unit may have taken the name already.
        if self.by_name.get(&unit.name) == Some(&id) {
            self.by_name.remove(&unit.name);
        }
        Some(unit)
    }

    /// Every unit.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (UnitId, &mut Unit)> {
        self.by_id.iter_mut().map(|(id, unit)| (*id, &mut **unit))
    }

    /// Every unit.
    pub fn iter(&self) -> impl Iterator<Item = (UnitId, &Unit)> {
        self.by_id.iter().map(|(id, unit)| (*id, &**unit))
    }
}
