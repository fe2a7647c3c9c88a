//! Asking whether programs are ready, whether they are well, and whether they touched their heartbeat
//! file. The asking is done on the thread of [`crate::assist`]; the driver is told through its reports.
//!
//! - *Readiness* is asked again and again until the answer is yes, with growing pauses.
//! - *Health* is asked once for each [`Prober::probe_once`]: the core says when. All probes of a round are
//!   asked at once, under one time-out, which is the bound of whatever a target does: accept and
//!   never answer, send for ever, send slowly.
//! - A *heartbeat file* is looked at twice an interval.
//!
//! All of it ends with [`Prober::stop`]. A probe that hangs holds up no other, and a connection costs no
//! thread; with nothing to ask nothing wakes up.

mod address;
mod ask;
mod file;
mod http;
mod log;
mod memory;
mod tcp;
#[cfg(all(test, unix))]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use abide_model::{
    EffectId, HealthCheck, Launch, LogEncoding, Mono, ProbeKind, RunId, UnitId, UnitName,
};
use abide_platform::tree::RunTree;
use tokio::task::AbortHandle;

use ask::Asker;

use crate::assist::{Assistants, Report};
use crate::capture::{Capture, LogMark};
use crate::home::Home;

/// Whom a probe is about, and the surroundings of one that is a command.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The unit.
    pub unit: UnitId,
    /// Its name.
    pub name: UnitName,
    /// The run.
    pub run: RunId,
    /// How it is run.
    pub launch: Arc<Launch>,
    /// Variables of abide's own for a command, from [`crate::assist::variables`]. May be empty where no
    /// probe is a command.
    pub variables: Vec<(String, String)>,
}

/// Asks until a run is ready.
#[derive(Clone, Debug)]
pub struct ReadyWatch {
    /// Whom.
    pub subject: Subject,
    /// How to find out. `Notify` and `Fd` are the driver's own business, and never ready here.
    pub probe: ProbeKind,
    /// When the run began: an older file is a leftover of an earlier run.
    pub since: SystemTime,
    /// Where the run's output begins: from [`Capture::mark`], taken right before its spawn. `None`: not
    /// known (an earlier daemon spawned it); then `since` says it.
    pub mark: Option<LogMark>,
    /// What its output is written in.
    pub encoding: LogEncoding,
}

/// One round of health checks.
#[derive(Clone, Debug)]
pub struct Round {
    /// Named in [`Report::Done`]. It comes within the round's time-out, give or take; never after
    /// [`Prober::stop`] has taken effect.
    pub effect: EffectId,
    /// Whom.
    pub subject: Subject,
    /// What to ask.
    pub check: HealthCheck,
    /// The processes of the run, for memory.
    pub tree: RunTree,
    /// When the run began, for silence.
    pub began: Mono,
}

/// Looks at a file that a program touches instead of reporting in.
#[derive(Clone, Debug)]
pub struct BeatFile {
    /// The unit.
    pub unit: UnitId,
    /// The run.
    pub run: RunId,
    /// The file, absolute.
    pub path: PathBuf,
    /// The interval of the beats: it is looked at twice in each.
    pub every: Duration,
    /// When the run began: what was touched before is no beat of this run.
    pub since: SystemTime,
}

/// The driver's handle.
pub struct Prober {
    asker: Arc<Asker>,
    asked: HashMap<UnitId, Asked>,
}

/// What is being asked of one unit.
#[derive(Default)]
struct Asked {
    ready: Option<AbortHandle>,
    round: Option<AbortHandle>,
    beats: Option<AbortHandle>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let all = [&self.ready, &self.round, &self.beats];
        all.into_iter().flatten().for_each(AbortHandle::abort);
    }
}

impl Prober {
    /// Nothing is started yet.
    #[must_use]
    pub fn new(assistants: Assistants, capture: Capture, home: Home) -> Self {
        Self {
            asker: Arc::new(Asker::new(assistants, capture, home)),
            asked: HashMap::new(),
        }
    }

    /// Asks until the run is ready ([`Report::Ready`]), or until [`Prober::stop`]. Replaces an earlier
    /// watch of the unit. Never blocks.
    pub fn watch_ready(&mut self, watch: ReadyWatch) {
        let unit = watch.subject.unit;
        let asker = Arc::clone(&self.asker);
        let task = self.begin(unit, async move { asker.until_ready(watch).await });
        replace(&mut self.asked.entry(unit).or_default().ready, task);
    }

    /// Carries out one round: [`Report::Done`], in the manner of `Err("tcp 127.0.0.1:80: connection
    /// refused")` with what was found out first. An earlier round of the unit that is still under
    /// way is given up, without an answer. Never blocks.
    pub fn probe_once(&mut self, round: Round) {
        let unit = round.subject.unit;
        let effect = round.effect;
        let asker = Arc::clone(&self.asker);
        let task = self.begin(unit, async move {
            let result = asker.round(round).await;
            asker.assistants.report(Report::Done { effect, result });
        });
        if task.is_none() {
            let result = Err("no thread could be started for it".into());
            let report = Report::Done { effect, result };
            self.asker.assistants.report(report);
        }
        replace(&mut self.asked.entry(unit).or_default().round, task);
    }

    /// Reports a [`Report::Beat`] for each time that the file was seen touched. Replaces an earlier
    /// watch of the unit. Never blocks.
    pub fn watch_beats(&mut self, file: BeatFile) {
        let unit = file.unit;
        let assistants = self.asker.assistants.clone();
        let task = self.begin(unit, file::watch_beats(assistants, file));
        replace(&mut self.asked.entry(unit).or_default().beats, task);
    }

    /// Asks no more of this unit; commands that were asked are ended. To be called when its run has
    /// ended, or is being ended. Never blocks.
    pub fn stop(&mut self, unit: UnitId) {
        self.asked.remove(&unit);
    }

    fn begin(
        &self,
        unit: UnitId,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Option<AbortHandle> {
        match self.asker.assistants.floor().spawn(task) {
            Ok(task) => Some(task),
            Err(error) => {
                let text = format!("it cannot be probed: no thread could be started: {error}");
                self.asker.assistants.report(Report::Warning { unit, text });
                None
            }
        }
    }
}

fn replace(place: &mut Option<AbortHandle>, task: Option<AbortHandle>) {
    if let Some(before) = std::mem::replace(place, task) {
        before.abort();
    }
}
