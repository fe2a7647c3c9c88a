//! `[report]`: tells a monitor, again and again, what is true of every unit.
//!
//! ```text
//!  board ──changes──► Reporter ──what is due──► Courier ──POST, GET──► monitor
//!            every ──►   │ one at a time; the newest state wins
//!                        └──► Tally: status, metrics; one event when it begins to fail, one when it ends
//! ```
//!
//! It runs beside the control API and reads what is published: a monitor that hangs, fails or floods
//! costs a time-out here and nothing elsewhere.

mod courier;
mod tally;
mod what;

pub use tally::Tally;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use abide_model::{EventKind, ReportSpec, ReportStyle, UnitName};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::board::{Board, UnitEntry};
use crate::events::EventLog;
use crate::handle::Handle;
use courier::{Courier, Failure, Target};
use what::{Digest, Ping, beat, bodies, ping};

/// Changes are reported at once, but not more often than this.
const NOT_SOONER: Duration = Duration::from_secs(1);

/// After a failure changes wait so long, or for the next time that everything is reported.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// How long the last report may take when the daemon ends.
const LAST: Duration = Duration::from_millis(500);

/// Reports as the configuration says, and as it changes, until `ending`.
pub async fn follow(handle: Handle, tally: Arc<Tally>, mut ending: watch::Receiver<bool>) {
    let mut changes = handle.board().watch_daemon();
    let ended = async {
        // An error: the sender is gone, which is the end as well.
        let _ = ending.wait_for(|ending| *ending).await;
    };
    tokio::pin!(ended);
    loop {
        changes.borrow_and_update();
        let Some(spec) = wanted(handle.board()) else {
            tally.stop();
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = &mut ended => return,
            }
            continue;
        };
        let mut reporter = match Reporter::new(&handle, &tally, spec.clone()) {
            Ok(reporter) => reporter,
            Err(error) => {
                warn(handle.events(), format!("nothing is reported: {error}"));
                tokio::select! {
                    () = changed_from(&mut changes, handle.board(), &spec) => continue,
                    () = &mut ended => return,
                }
            }
        };
        tokio::select! {
            () = reporter.run() => {}
            () = changed_from(&mut changes, handle.board(), &spec) => {}
            () = &mut ended => {
                // So that the monitor hears that what goes down was taken down.
                let last = LAST.min(reporter.spec.timeout);
                // What does not arrive by then is not reported.
                let _ = tokio::time::timeout(last, reporter.round(false)).await;
                return;
            }
        }
    }
}

fn wanted(board: &Board) -> Option<ReportSpec> {
    let sources = board.daemon().sources;
    sources.into_iter().find_map(|it| it.settings.report)
}

/// Waits until something else than this is wanted.
async fn changed_from(changes: &mut watch::Receiver<u64>, board: &Board, spec: &ReportSpec) {
    while wanted(board).as_ref() == Some(spec) {
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn warn(events: &EventLog, text: String) {
    let at = abide_platform::clock::now().wall;
    events.record(at, None, None, EventKind::Warning { text });
}

/// One monitor, and what it was told last.
struct Reporter<'a> {
    handle: &'a Handle,
    tally: &'a Tally,
    spec: ReportSpec,
    host: String,
    courier: Courier,
    told: BTreeMap<UnitName, Digest>,
}

impl<'a> Reporter<'a> {
    fn new(handle: &'a Handle, tally: &'a Tally, spec: ReportSpec) -> Result<Self, String> {
        let target = Target::new(&spec.url)?;
        tally.start(target.origin());
        Ok(Self {
            handle,
            tally,
            host: spec.host.clone().unwrap_or_else(this_machine),
            courier: Courier::new(target, spec.timeout),
            spec,
            told: BTreeMap::new(),
        })
    }

    /// Everything every so often, and what changed in between; never returns.
    async fn run(&mut self) {
        let mut changes = self.handle.board().watch_units();
        let mut whole_at = Instant::now();
        loop {
            let begun = Instant::now();
            let whole = begun >= whole_at;
            if whole {
                whole_at = begun + self.spec.every;
            }
            changes.borrow_and_update();
            let well = self.round(whole).await;
            let pause = if well {
                NOT_SOONER
            } else {
                AFTER_FAILURE.min(self.spec.every)
            };
            sleep_until(begun + pause).await;
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = sleep_until(whole_at) => {}
            }
        }
    }

    /// Reports all units, or those that are not as they were told last. Returns whether it arrived.
    async fn round(&mut self, whole: bool) -> bool {
        let units = self.handle.board().units();
        let known = std::mem::take(&mut self.told);
        let mut due = Vec::new();
        for unit in &units {
            let digest = Digest::of(unit);
            let told = known.get(&unit.name);
            if whole || told != Some(&digest) {
                due.push(unit.name.clone());
            }
            if let Some(told) = told {
                self.told.insert(unit.name.clone(), told.clone());
            }
        }
        if due.is_empty() {
            return true;
        }
        let outcome = match self.spec.style {
            ReportStyle::Batch => self.send_together(&due).await,
            ReportStyle::Each | ReportStyle::Ping => self.send_each(&due).await,
        };
        let well = outcome.is_ok();
        self.tell(outcome);
        well
    }

    async fn send_together(&mut self, due: &[UnitName]) -> Result<(), String> {
        let board = self.handle.board();
        let units = due.iter().filter_map(|name| board.unit(name.as_str()));
        let units: Vec<_> = units.collect();
        let now = abide_platform::clock::now().wall;
        let beats = units.iter().map(|unit| beat(unit, &self.host, now));
        let mut units = units.iter();
        for (body, n) in bodies(beats) {
            let sent = self.courier.post(body).await;
            self.counted(sent).map_err(Failure::into_words)?;
            for unit in units.by_ref().take(n) {
                self.told.insert(unit.name.clone(), Digest::of(unit));
            }
        }
        Ok(())
    }

    /// One message for each unit: as it is by the time that it is sent.
    async fn send_each(&mut self, due: &[UnitName]) -> Result<(), String> {
        let mut refused = None;
        for name in due {
            let Some(unit) = self.handle.board().unit(name.as_str()) else {
                continue;
            };
            match self.send_one(&unit).await {
                Ok(()) => {
                    self.told.insert(name.clone(), Digest::of(&unit));
                }
                Err(Failure::Refusal(error)) => {
                    refused.get_or_insert(format!("{name}: {error}"));
                }
                Err(Failure::Silence(error)) => return Err(error),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    async fn send_one(&mut self, unit: &UnitEntry) -> Result<(), Failure> {
        let sent = if self.spec.style == ReportStyle::Ping {
            let again = self.told.get(&unit.name) == Some(&Digest::of(unit));
            let suffix = match ping(unit) {
                // It starts once, however long that takes.
                None => return Ok(()),
                Some(Ping::Start) if again => return Ok(()),
                Some(ping) => ping.suffix(),
            };
            self.courier.get(unit.name.as_str(), suffix).await
        } else {
            let now = abide_platform::clock::now().wall;
            // Texts, numbers and words: there is nothing that cannot be written.
            let body = serde_json::to_vec(&beat(unit, &self.host, now)).unwrap_or_default();
            self.courier.post(body).await
        };
        self.counted(sent)
    }

    fn counted(&self, sent: Result<(), Failure>) -> Result<(), Failure> {
        self.tally.count(sent.is_ok());
        sent
    }

    /// Tells a person when it begins to fail, and when that is over.
    fn tell(&self, outcome: Result<(), String>) {
        let to = self.courier.target().origin();
        match outcome {
            Ok(()) => {
                if self.tally.works() {
                    let text = format!("the reports to {to} arrive again");
                    warn(self.handle.events(), text);
                }
            }
            Err(error) => {
                if self.tally.fails(&error) {
                    let text = format!(
                        "the reports to {to} do not arrive: {error}; they are tried again as the configuration says"
                    );
                    warn(self.handle.events(), text);
                }
            }
        }
    }
}

/// What this machine calls itself.
#[must_use]
pub fn this_machine() -> String {
    abide_platform::machine::name()
}
