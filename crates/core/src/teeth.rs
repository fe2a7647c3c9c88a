//! Single faults that can be planted in the core, to show that the simulator finds each of them.
//!
//! Without the feature `teeth`, which nothing but the simulator's own test enables, [`planted`] is
//! the constant `false` and none of this is in the program.

/// One thing that the core could get wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// Inputs of an old run are taken for the current one.
    DroppedRunIdCheck,
    /// The time-outs of a run are left standing when it ends.
    TimerNotCleared,
    /// At the end of a stop's time nothing is killed.
    StopForgetsKill,
    /// A kill that is not answered is not asked for again.
    KillNotRepeated,
    /// A stable run does not end the row of crashes.
    BackoffNeverResets,
    /// Each wait is as long as the first.
    BackoffNeverGrows,
    /// A new daemon does not go on with a kill that the old one had begun.
    EffectLostAtResume,
    /// A stop by hand is not written down.
    DesiredNotSaved,
    /// A unit that comes up does not wake those that wait for it.
    DependentsNotWoken,
    /// Units are stopped all at once.
    StopOrderIgnored,
    /// Units are started without what they require.
    StartOrderIgnored,
    /// A run that is not ready in time is left alone.
    ReadyTimeoutIgnored,
    /// Beats are counted while a run is being stopped.
    MissedBeatWhileStopping,
    /// The emptiness of a tree is believed before anything ended.
    StaleTreeEmptyAccepted,
    /// Restarts are not counted for giving up.
    GiveUpNever,
    /// A refused command gets no answer.
    ReplyDropped,
    /// A new daemon counts runs from the last one that was written down.
    RunIdReused,
    /// A stop during a backoff leaves the restart standing.
    StopLeavesRestart,
    /// Dependencies in a circle are taken.
    CycleAccepted,
    /// A step is not marked as failed when its unit fails.
    FailedStepForgotten,
    /// A run that is recorded and not found is taken for alive.
    LostRunTakenForAlive,
    /// A unit whose configuration changed goes on with the old one.
    ChangeForgotten,
    /// A unit that restarts is not held back by its backoff after a new daemon came.
    BackoffForgottenAtResume,
    /// Nobody watches what a stopped main process left behind.
    TreeNotWatched,
    /// What a stopped main process left behind has no end of its time.
    WatchWithoutDeadline,
    /// A program that says it is past help is left alone.
    BeatTriggerIgnored,
    /// A bad round counts while the unit is still in its grace.
    GraceIgnored,
    /// An answer that came too late counts for the next round.
    LateAnswerCounts,
    /// Health checks go on while a run is being stopped.
    ProbesWhileStopping,
    /// A round begins before the one before it has its answer.
    TwoProbesAtOnce,
    /// The first round begins at the instant when a run is ready.
    ChecksNotSpread,
    /// A good round leaves the count of bad ones as it is.
    FailuresNeverReset,
    /// A unit that is to be restarted when it is unhealthy is not.
    UnhealthyIgnored,
    /// A reload whose confirmation does not come goes on for ever.
    ReloadNeverEnds,
    /// A new daemon does not ask again for a reload that was under way.
    ReloadForgottenAtResume,
    /// A program that said it was about to end may live for ever.
    SelfStopWithoutDeadline,
    /// A program that asks for time gets exactly that, though it had more.
    ExtendMovesEarlier,
    /// A run is begun though its `before_start` failed.
    BeforeStartFailureIgnored,
    /// `after_stop` is not run after a crash.
    AfterStopSkipped,
    /// A stop waits for ever for a `before_stop` whose answer was lost.
    HookWithoutDeadline,
    /// What was to follow a hook that is cancelled follows while it still runs.
    CancelledHookNotAwaited,
    /// A new daemon does not go on with a hook that the old one had begun.
    HookLostAtResume,
    /// A connection starts a unit that a person stopped.
    ConnectionStartsHeld,
    /// A new daemon does not watch the sockets of a unit that waits for a connection.
    GateNotWatchedAtResume,
    /// The sockets of a unit that waits for no connection (any more) are watched on.
    UnwatchForgotten,
    /// The end of an idle stop is a failure.
    IdleStopIsFailure,
    /// A unit that is in use is stopped as idle.
    BusyStopped,
    /// The next ones are restarted before those before them are up.
    RollingReadyIgnored,
    /// A rolling operation goes on though a new run failed.
    RollingHaltIgnored,
    /// Canaries are not watched before the others follow.
    RollingHoldSkipped,
    /// Those that were up with the new version keep it when it is rolled back.
    RollingBackForgets,
    /// A new daemon restarts those again that had their turn.
    RollingDoneAgain,
    /// Every unit has its new version at once, and only its restart waits for its turn.
    RollingVersionSpreads,
}

#[cfg(feature = "teeth")]
impl Fault {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::DroppedRunIdCheck,
        Self::TimerNotCleared,
        Self::StopForgetsKill,
        Self::KillNotRepeated,
        Self::BackoffNeverResets,
        Self::BackoffNeverGrows,
        Self::EffectLostAtResume,
        Self::DesiredNotSaved,
        Self::DependentsNotWoken,
        Self::StopOrderIgnored,
        Self::StartOrderIgnored,
        Self::ReadyTimeoutIgnored,
        Self::MissedBeatWhileStopping,
        Self::StaleTreeEmptyAccepted,
        Self::GiveUpNever,
        Self::ReplyDropped,
        Self::RunIdReused,
        Self::StopLeavesRestart,
        Self::CycleAccepted,
        Self::FailedStepForgotten,
        Self::LostRunTakenForAlive,
        Self::ChangeForgotten,
        Self::BackoffForgottenAtResume,
        Self::TreeNotWatched,
        Self::WatchWithoutDeadline,
        Self::BeatTriggerIgnored,
        Self::GraceIgnored,
        Self::LateAnswerCounts,
        Self::ProbesWhileStopping,
        Self::TwoProbesAtOnce,
        Self::ChecksNotSpread,
        Self::FailuresNeverReset,
        Self::UnhealthyIgnored,
        Self::ReloadNeverEnds,
        Self::ReloadForgottenAtResume,
        Self::SelfStopWithoutDeadline,
        Self::ExtendMovesEarlier,
        Self::BeforeStartFailureIgnored,
        Self::AfterStopSkipped,
        Self::HookWithoutDeadline,
        Self::CancelledHookNotAwaited,
        Self::HookLostAtResume,
        Self::ConnectionStartsHeld,
        Self::GateNotWatchedAtResume,
        Self::UnwatchForgotten,
        Self::IdleStopIsFailure,
        Self::BusyStopped,
        Self::RollingReadyIgnored,
        Self::RollingHaltIgnored,
        Self::RollingHoldSkipped,
        Self::RollingBackForgets,
        Self::RollingDoneAgain,
        Self::RollingVersionSpreads,
    ];
}

#[cfg(feature = "teeth")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Plants one fault in this thread's supervisors, or none.
#[cfg(feature = "teeth")]
pub fn plant(fault: Option<Fault>) {
    PLANTED.set(fault);
}

/// Whether this fault is planted.
#[cfg(feature = "teeth")]
pub(crate) fn planted(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}

/// Whether this fault is planted: never.
#[cfg(not(feature = "teeth"))]
pub(crate) const fn planted(_: Fault) -> bool {
    false
}
