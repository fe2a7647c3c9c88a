//! One unit as it is published.

use std::sync::{Arc, LazyLock};

use abide_model::{
    ActualState, DesiredState, Health, HealthStatus, LastExit, LimitUnsupported, Now,
    RefusedStatus, RunId, StopReport, UnitId, UnitName, Wall,
};
use abide_platform::tree::RunTree;

use super::KeptSpec;

/// One unit: what is wanted of it and what is true of it.
#[derive(Clone, Debug)]
pub struct UnitEntry {
    /// Its id.
    pub id: UnitId,
    /// Its full name.
    pub name: UnitName,
    /// What is wanted.
    pub spec: Arc<KeptSpec>,
    /// What is true.
    pub view: UnitView,
    /// Limits of the current run that were asked for and cannot be had.
    pub limits_unsupported: Vec<LimitUnsupported>,
    /// The processes of the current run, for figures of their use.
    pub tree: Option<RunTree>,
    /// What the driver knows beside the core.
    pub facts: Arc<UnitFacts>,
}

/// What is true of a unit, with raw times: the texts of `status` are made for whoever asks.
#[derive(Clone, PartialEq, Debug)]
pub struct UnitView {
    /// Comes up with the daemon.
    pub enabled: bool,
    /// What is wanted.
    pub desired: DesiredState,
    /// What is.
    pub state: ActualState,
    /// Since when.
    pub state_since: Option<Wall>,
    /// What checks and beats say.
    pub health: Health,
    /// Up and ready.
    pub ready: bool,
    /// Main process of the current run.
    pub pid: Option<u32>,
    /// The current run, or the last one.
    pub run: Option<RunId>,
    /// When the current run began.
    pub started: Option<Now>,
    /// Restarts by abide since a person started it.
    pub restarts: u64,
    /// It keeps crashing.
    pub crash_looping: bool,
    /// How the last run ended.
    pub last_exit: Option<Box<LastExit>>,
    /// How abide ended a run of it, the last time that it did; or how far it is.
    pub last_stop: Option<Box<StopReport>>,
    /// When it will be started (backoff).
    pub next_start: Option<Wall>,
    /// Why it is in this state, in words.
    pub reason: Option<String>,
    /// Beats, where the unit owes some.
    pub heartbeat: Option<BeatView>,
    /// Its health checks, where it has some.
    pub health_check: Option<Box<HealthStatus>>,
}

/// What the driver knows of a unit and the core does not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UnitFacts {
    /// What the program last said of itself.
    pub status_text: Option<String>,
    /// Addresses that are listened on for it.
    pub sockets: Vec<String>,
    /// Descriptors that it left here.
    pub fds_stored: u32,
    /// What was sent in its name and refused.
    pub refused: RefusedStatus,
}

impl UnitFacts {
    /// Nothing: one for all units that have nothing to say, which are most.
    #[must_use]
    pub fn none() -> Arc<Self> {
        static NONE: LazyLock<Arc<UnitFacts>> = LazyLock::new(Arc::default);
        Arc::clone(&NONE)
    }
}

/// The beats of a unit that owes some.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BeatView {
    /// When the last one arrived.
    pub last: Option<Wall>,
    /// Intervals missed in a row.
    pub missed: u32,
    /// The sender's clock minus ours at the last beat.
    pub drift_ms: Option<i64>,
}

impl UnitView {
    /// What the core says, with its deadlines as times of the calendar. `now` is read together with
    /// the core's own; `beat` is what the driver knows of the last beat.
    #[must_use]
    pub fn of(
        core: &abide_core::UnitView<'_>,
        now: Now,
        beat: Option<(Wall, Option<i64>)>,
    ) -> Self {
        Self {
            enabled: core.enabled,
            desired: core.desired,
            state: core.state,
            state_since: Some(core.since.wall),
            health: core.health,
            ready: core.ready,
            pid: core.pid,
            run: core.run,
            started: core.started,
            restarts: core.restarts,
            crash_looping: core.crash_looping,
            last_exit: core.last_exit.cloned().map(Box::new),
            last_stop: core.last_stop.cloned().map(Box::new),
            next_start: core.next_start.map(|at| now.wall_at(at)),
            reason: core.reason.clone(),
            heartbeat: core.policy.heartbeat.as_ref().map(|_| BeatView {
                last: beat.map(|(last, _)| last),
                missed: core.missed,
                drift_ms: beat.and_then(|(_, drift_ms)| drift_ms),
            }),
            health_check: core.policy.health.as_ref().map(|_| {
                Box::new(HealthStatus {
                    failures: core.failures,
                    last_error: core.last_error.map(ToOwned::to_owned),
                })
            }),
        }
    }

    /// A unit that was just added and does not run.
    #[must_use]
    pub fn stopped(enabled: bool) -> Self {
        Self {
            enabled,
            desired: DesiredState::Down,
            state: ActualState::Stopped,
            state_since: None,
            health: Health::Unknown,
            ready: false,
            pid: None,
            run: None,
            started: None,
            restarts: 0,
            crash_looping: false,
            last_exit: None,
            last_stop: None,
            next_start: None,
            reason: None,
            heartbeat: None,
            health_check: None,
        }
    }
}
