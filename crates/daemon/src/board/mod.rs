//! What the daemon knows, published: the driver writes it, everybody else reads it.
//!
//! Architecture invariant: a reader never waits for the driver, and the driver waits for a reader
//! only as long as it takes to clone some `Arc`s. The driver publishes what changed and nothing
//! else, so that an event costs the same with ten units and with ten thousand.

mod kept;
mod operations;
mod pattern;
mod unit;

pub use kept::{Keep, KeptSpec};
pub use pattern::{Pattern, PatternError};
pub use unit::{BeatView, UnitEntry, UnitFacts, UnitView};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use abide_config::DaemonSettings;
use abide_model::{Operation, OperationId, UnitId, UnitName, Wall};
use tokio::sync::watch;

use operations::Operations;

/// The published state of one daemon.
#[derive(Debug)]
pub struct Board {
    units: Mutex<Units>,
    operations: Mutex<Operations>,
    daemon: Mutex<DaemonInfo>,
    listeners: Mutex<Vec<TcpListener>>,
    unit_changes: watch::Sender<u64>,
    operation_changes: watch::Sender<u64>,
    daemon_changes: watch::Sender<u64>,
    system_logs: crate::system_log::Tally,
}

#[derive(Debug, Default)]
struct Units {
    by_name: BTreeMap<UnitName, Arc<UnitEntry>>,
    names: HashMap<UnitId, UnitName>,
    /// By the name without the group, of units that have one.
    by_short: HashMap<Box<str>, BTreeSet<UnitName>>,
}

impl Units {
    fn insert(&mut self, entry: Arc<UnitEntry>) -> Option<Arc<UnitEntry>> {
        let (id, name) = (entry.id, entry.name.clone());
        self.names.entry(id).or_insert_with(|| name.clone());
        let old = self.by_name.insert(name.clone(), entry);
        if old.is_none()
            && let Some(short) = short(&name)
        {
            self.by_short.entry(short.into()).or_default().insert(name);
        }
        old
    }

    fn remove(&mut self, id: UnitId) -> Option<Arc<UnitEntry>> {
        let name = self.names.remove(&id)?;
        // A new unit may have taken the name in the meantime.
        if self.by_name.get(&name)?.id != id {
            return None;
        }
        if let Some(short) = short(&name)
            && let Some(named) = self.by_short.get_mut(short)
        {
            named.remove(&name);
            if named.is_empty() {
                self.by_short.remove(short);
            }
        }
        self.by_name.remove(&name)
    }
}

/// The name without the group, of one that has a group.
fn short(name: &UnitName) -> Option<&str> {
    name.as_str().split_once(':').map(|(_, short)| short)
}

/// What is true of the daemon as a whole.
#[derive(Clone, PartialEq, Debug)]
pub struct DaemonInfo {
    /// abide's version.
    pub version: String,
    /// Its build, where that was known when it was built.
    pub build: Option<String>,
    /// The daemon's process.
    pub pid: u32,
    /// The keeper's process.
    pub keeper_pid: Option<u32>,
    /// The home that it serves, absolute.
    pub home: PathBuf,
    /// When this daemon process began.
    pub started_at: Wall,
    /// It goes down.
    pub stopping: bool,
    /// How many times the keeper brought the daemon back.
    pub recoveries: u32,
    /// How this one came back after the one before had died, in words.
    pub recovered: Option<String>,
    /// TCP addresses that it should listen on; the API follows changes.
    pub listen: Vec<SocketAddr>,
    /// What it was given to keep, in the order it was given.
    pub sources: Vec<SourceInfo>,
    /// The only unit of those that this home is there for; `None`: it is there for all.
    pub hosted: Option<UnitName>,
}

/// One remembered configuration file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceInfo {
    /// The file, absolute.
    pub file: PathBuf,
    /// The variables that its `inherit` took from whoever gave it.
    pub environment: BTreeMap<String, String>,
    /// Its `[daemon]`, `[report]` and `[monitor]`.
    pub settings: DaemonSettings,
    /// The argument that it was found by: itself, or its directory.
    pub argument: PathBuf,
    /// Numbers of instances set by hand, by full name without instance.
    pub scale: BTreeMap<String, u32>,
}

impl Board {
    /// An empty board of a daemon.
    #[must_use]
    pub fn new(daemon: DaemonInfo) -> Self {
        Self {
            units: Mutex::default(),
            operations: Mutex::default(),
            daemon: Mutex::new(daemon),
            listeners: Mutex::default(),
            unit_changes: watch::Sender::new(0),
            operation_changes: watch::Sender::new(0),
            daemon_changes: watch::Sender::new(0),
            system_logs: crate::system_log::Tally::default(),
        }
    }

    // What the driver calls.

    /// What is known of a unit is this, whole.
    pub fn publish(&self, entry: UnitEntry) {
        let entry = Arc::new(entry);
        let mut units = lock(&self.units);
        let old = units.insert(entry);
        drop(units);
        drop(old); // outside of the lock: it may be the last owner of a spec
        self.unit_changes.send_modify(|n| *n += 1);
    }

    /// The unit is forgotten.
    pub fn forget(&self, id: UnitId) {
        let mut units = lock(&self.units);
        let old = units.remove(id);
        drop(units);
        drop(old);
        self.unit_changes.send_modify(|n| *n += 1);
    }

    /// What is known of an operation is this.
    pub fn publish_operation(&self, operation: impl Into<Arc<Operation>>) {
        lock(&self.operations).publish(operation.into());
        self.operation_changes.send_modify(|n| *n += 1);
    }

    /// Changes what is known of the daemon.
    pub fn update_daemon(&self, change: impl FnOnce(&mut DaemonInfo)) {
        change(&mut lock(&self.daemon));
        self.daemon_changes.send_modify(|n| *n += 1);
    }

    /// Gives the API a socket to accept connections from, under the same rules as on the addresses
    /// of `listen`: the port for heartbeats, which the keeper holds. Non-blocking.
    pub fn offer_listener(&self, listener: TcpListener) {
        lock(&self.listeners).push(listener);
        self.daemon_changes.send_modify(|n| *n += 1);
    }

    // What everybody else calls.

    /// The sockets that were offered after the first `known`; [`Board::watch_daemon`] tells of new
    /// ones. Duplicates: an API that is started again gets them again.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn listeners(&self, known: usize) -> std::io::Result<Vec<TcpListener>> {
        let listeners = lock(&self.listeners);
        listeners
            .iter()
            .skip(known)
            .map(TcpListener::try_clone)
            .collect()
    }

    /// All units, ordered by name.
    #[must_use]
    pub fn units(&self) -> Vec<Arc<UnitEntry>> {
        lock(&self.units).by_name.values().cloned().collect()
    }

    /// The unit of this full name.
    #[must_use]
    pub fn unit(&self, name: &str) -> Option<Arc<UnitEntry>> {
        let name = UnitName::new(name).ok()?;
        lock(&self.units).by_name.get(&name).cloned()
    }

    /// The units whose full name this is, or whose name without the group; in the latter case there
    /// may be several.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<Arc<UnitEntry>> {
        if let Some(unit) = self.unit(name) {
            return vec![unit];
        }
        let units = lock(&self.units);
        let named = units.by_short.get(name).into_iter().flatten();
        named
            .filter_map(|name| units.by_name.get(name).cloned())
            .collect()
    }

    /// The names that are nearest to one that no unit has; none if nothing is near.
    #[must_use]
    pub fn near(&self, name: &str) -> Vec<String> {
        pattern::near(&self.units(), name)
    }

    /// The unit of this id.
    #[must_use]
    pub fn unit_by_id(&self, id: UnitId) -> Option<Arc<UnitEntry>> {
        let units = lock(&self.units);
        units.by_name.get(units.names.get(&id)?).cloned()
    }

    /// How many units there are.
    #[must_use]
    pub fn unit_count(&self) -> usize {
        lock(&self.units).by_name.len()
    }

    /// The units that a pattern means, ordered by name: a full name, a glob, `GROUP:*`, `all`, or
    /// the bare name of units that have instances.
    ///
    /// # Errors
    /// Nothing matches, or the text is no pattern. `all` is never an error.
    pub fn resolve(&self, text: &str) -> Result<Vec<Arc<UnitEntry>>, PatternError> {
        pattern::resolve(self, text)
    }

    /// The units that any of the patterns means, each once, ordered by name.
    ///
    /// # Errors
    /// The first pattern that means nothing.
    pub fn resolve_all<S: AsRef<str>>(
        &self,
        patterns: &[S],
    ) -> Result<Vec<Arc<UnitEntry>>, PatternError> {
        let mut found = BTreeMap::new();
        for text in patterns {
            for entry in self.resolve(text.as_ref())? {
                found.insert(entry.name.clone(), entry);
            }
        }
        Ok(found.into_values().collect())
    }

    /// An operation that runs, or that ended not long ago.
    #[must_use]
    pub fn operation(&self, id: OperationId) -> Option<Arc<Operation>> {
        lock(&self.operations).get(id)
    }

    /// Operations that have ended not long ago, oldest first.
    #[must_use]
    pub fn ended_operations(&self) -> Vec<Operation> {
        lock(&self.operations).ended()
    }

    /// What is known of the daemon.
    #[must_use]
    pub fn daemon(&self) -> DaemonInfo {
        lock(&self.daemon).clone()
    }

    /// How it stands with the system logs.
    #[must_use]
    pub fn system_logs(&self) -> &crate::system_log::Tally {
        &self.system_logs
    }

    /// A number that grows whenever a unit changes.
    #[must_use]
    pub fn watch_units(&self) -> watch::Receiver<u64> {
        self.unit_changes.subscribe()
    }

    /// A number that grows whenever an operation changes.
    #[must_use]
    pub fn watch_operations(&self) -> watch::Receiver<u64> {
        self.operation_changes.subscribe()
    }

    /// A number that grows whenever the daemon's own facts change.
    #[must_use]
    pub fn watch_daemon(&self) -> watch::Receiver<u64> {
        self.daemon_changes.subscribe()
    }
}

/// Nothing between lock and unlock can panic half-way through a change, so a poisoned lock still
/// guards whole values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
