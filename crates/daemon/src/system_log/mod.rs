//! `system_log`: what abide says, and what units write, sent to the system's logs.
//!
//! ```text
//!  capture ──"it wrote"──► ┐                                  ┌─► segments, events (on the disk: the queue)
//!  events ───"there are"─► ├─ Outlet: one thread for each ◄───┤
//!  driver ──units, runs──► ┘  system log that is sent to      └─► place: how far it is, after each message
//!                                   │ Entry
//!                                   ▼
//!                          abide_host::log::Client ──► journald, syslog
//! ```
//!
//! Nothing waits for a system log but its own thread: segments and events lie on the disk anyhow, and are read from
//! there at the pace at which they are taken. What retention deletes before it is sent is lost, counted and told.
//!
//! Architecture invariant: who sends nothing has no thread, no file and no wake-up for it; a unit that is not sent
//! costs nothing here.

mod away;
mod event;
mod feed;
mod lane;
mod line;
mod outlet;
mod place;
mod tally;
mod target;
mod worker;

pub use tally::{Standing, Tally};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_model::{LogSpec, LogTarget, RunId, Streams, SystemLogSpec, UnitId, UnitName, Wall};
use abide_platform::clock;

use crate::board::Board;
use crate::capture::{Capture, LogMark, Watcher};
use crate::events::EventLog;
use crate::home::Home;
use outlet::{Outlet, Wanted};

/// All that is sent. The driver's; nothing here blocks it.
pub struct SystemLogs {
    context: Context,
    default: Vec<SystemLogSpec>,
    outlets: BTreeMap<LogTarget, Outlet>,
    /// Units of which something is sent, and who tells their outlets of their output.
    units: HashMap<UnitId, Vec<Teller>>,
}

/// Where a unit's output goes, and who tells of it.
type Teller = (LogTarget, Arc<dyn Watcher>);

/// What every outlet is given.
#[derive(Clone)]
struct Context {
    home: Home,
    events: Arc<EventLog>,
    board: Arc<Board>,
}

impl SystemLogs {
    /// Nothing is sent yet.
    pub fn new(home: Home, events: Arc<EventLog>, board: Arc<Board>) -> Self {
        Self {
            context: Context {
                home,
                events,
                board,
            },
            default: Vec::new(),
            outlets: BTreeMap::new(),
            units: HashMap::new(),
        }
    }

    /// What `[daemon]` says. If it is something new, every unit has to be told of again ([`SystemLogs::unit`]).
    pub fn set_default(&mut self, default: Vec<SystemLogSpec>) -> bool {
        if self.default == default {
            return false;
        }
        for old in std::mem::replace(&mut self.default, default.clone()) {
            if let Some(outlet) = self.outlets.get(&old.to) {
                outlet.set_home_events(false);
            }
        }
        for spec in default.iter().filter(|spec| spec.events) {
            self.with(&spec.to, |outlet| outlet.set_home_events(true));
        }
        self.close_unused();
        true
    }

    /// Is told of each unit, when it is new and when its spec has changed.
    pub fn unit(&mut self, id: UnitId, name: &UnitName, log: &LogSpec, capture: &Capture) {
        let own = log.system.as_ref();
        if self.outlets.is_empty() && own.unwrap_or(&self.default).is_empty() {
            return;
        }
        let wanted = own.unwrap_or(&self.default).clone();
        let known = self.units.remove(&id).unwrap_or_default();
        if own.is_some() {
            for spec in self.default.iter().filter(|spec| spec.events) {
                let heard = wanted.iter().any(|it| it.to == spec.to && it.events);
                if let Some(outlet) = self.outlets.get(&spec.to) {
                    outlet.except(name, !heard);
                }
            }
        }
        for (target, outlet) in &self.outlets {
            if !wanted.iter().any(|spec| spec.to == *target) {
                outlet.drop_unit(id);
            }
        }
        let since = clock::now().wall;
        let mut watchers = Vec::with_capacity(wanted.len());
        for spec in wanted {
            let told = Wanted {
                name: name.clone(),
                events: spec.events,
                output: spec.output,
                split: log.streams == Streams::Split,
                encoding: log.encoding,
                since,
            };
            self.with(&spec.to, |outlet| outlet.put_unit(id, told.clone()));
            let former = known.iter().find(|(target, _)| *target == spec.to);
            let watcher = match (former, self.outlets.get(&spec.to)) {
                (Some((_, watcher)), _) => Arc::clone(watcher),
                (None, Some(outlet)) => outlet.watcher(id),
                (None, None) => continue,
            };
            if spec.output {
                watchers.push((spec.to, watcher));
            }
        }
        if !watchers.is_empty() {
            self.units.insert(id, watchers);
            self.captured(id, capture);
        }
        self.close_unused();
    }

    /// The unit's output is captured now.
    pub fn captured(&self, id: UnitId, capture: &Capture) {
        for (_, watcher) in self.units.get(&id).into_iter().flatten() {
            capture.watch(id, watcher);
            watcher.wrote();
        }
    }

    /// The unit is gone; what it wrote last is still sent.
    pub fn forget(&mut self, id: UnitId) {
        self.units.remove(&id);
        for outlet in self.outlets.values() {
            outlet.leave(id);
        }
    }

    /// A run is about to begin. What comes behind the mark is its output.
    pub fn begins(&self, id: UnitId, run: RunId, mark: impl FnOnce() -> LogMark) {
        let Some(outlets) = self.units.get(&id) else {
            return;
        };
        let (mark, since) = (mark(), clock::now().wall);
        for (target, _) in outlets {
            if let Some(outlet) = self.outlets.get(target) {
                outlet.begins(id, run, &mark, since);
            }
        }
    }

    /// A run that this daemon did not begin is there since then, or one that it began has this process.
    pub fn runs(&self, id: UnitId, run: RunId, process: Option<u32>, since: Wall) {
        for (target, _) in self.units.get(&id).into_iter().flatten() {
            if let Some(outlet) = self.outlets.get(target) {
                outlet.runs(id, run, process, since);
            }
        }
    }

    /// The unit's main process has ended: what it wrote last is sent, even without a newline.
    pub fn ended(&self, id: UnitId, capture: &Capture) {
        let Some(outlets) = self.units.get(&id) else {
            return;
        };
        let enders: Vec<_> = outlets
            .iter()
            .filter_map(|(target, _)| Some(self.outlets.get(target)?.ender(id)))
            .collect();
        capture.flush(id, move || enders.iter().for_each(|end| end()));
    }

    /// Sends what is there, as far as it is taken at once, and lets go. Waits so long at most.
    pub fn finish(&mut self, within: Duration) {
        let until = Instant::now() + within;
        for outlet in self.outlets.values() {
            outlet.finish();
        }
        for outlet in self.outlets.values() {
            outlet.await_end(until);
        }
    }

    /// Forgets how far others were that nothing is sent to any more. May block: to be run as a job.
    pub fn tidy(&self, units: BTreeSet<UnitName>) -> impl FnOnce() + Send + use<> {
        let root = self.context.home.system_log();
        let wanted: BTreeSet<String> = self.outlets.keys().map(target::folder).collect();
        move || {
            if let Err(error) = place::tidy(&root, &wanted, &units) {
                tracing::warn!(path = %root.display(), %error, "cannot remove what is not needed any more");
            }
        }
    }

    /// Has an outlet, a new one if there is none or it has ended, do something; it says whether it could.
    fn with(&mut self, target: &LogTarget, mut what: impl FnMut(&Outlet) -> bool) {
        if let Some(outlet) = self.outlets.get(target)
            && what(outlet)
        {
            return;
        }
        match Outlet::open(target.clone(), self.context.clone()) {
            Ok(outlet) => {
                what(&outlet);
                self.outlets.insert(target.clone(), outlet);
            }
            Err(error) => {
                tracing::error!(to = %target.way, %error, "cannot start the thread that sends to a system log");
            }
        }
    }

    fn close_unused(&mut self) {
        self.outlets.retain(|_, outlet| !outlet.close_if_unused());
    }
}
