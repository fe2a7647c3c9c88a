//! What a program owes: a beat in each interval, from when its run is ready until it says that it
//! stops or is asked to.

use std::time::Duration;

use abide_model::{EventKind, Health, UnitId};

use crate::WakeReason;
use crate::record::EndWhy;
use crate::supervisor::Supervisor;
use crate::supervisor::unit::Unit;
use crate::teeth::{Fault, planted};

/// A beat is owed at most this often; a shorter interval would have the supervisor spin.
const SHORTEST: Duration = Duration::from_millis(1);

/// A run's beats.
#[derive(Debug, Default)]
pub(super) struct Beats {
    /// How often it owes one by its own word, which outdoes the policy's; zero: never.
    pub every: Option<Duration>,
    /// Missed in a row.
    pub missed: u32,
    /// What they say of its health.
    pub verdict: Health,
}

/// What a run owes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    pub every: Duration,
    /// With so many missed in a row it is past help.
    pub misses: u32,
}

impl Unit {
    /// What its run owes by now; `None`: nothing.
    pub(super) fn beats_owed(&self) -> Option<Owed> {
        let run = self.run().filter(|run| run.ready && !run.stopping_itself)?;
        let policy = self.policy.heartbeat.as_ref();
        let every = match run.beats.every {
            Some(every) if every.is_zero() => return None,
            Some(every) => every,
            None => policy?.every,
        };
        Some(Owed {
            every: every.max(SHORTEST),
            // A program that asks for it without a policy means one interval, as with systemd.
            misses: policy.map_or(1, |policy| policy.misses).max(1),
        })
    }

    /// "missed 2 of 3 heartbeats".
    pub(super) fn remark_on_beats(&self) -> Option<String> {
        let missed = self.run()?.beats.missed;
        let owed = self.beats_owed().filter(|_| missed > 0)?;
        Some(format!("missed {missed} of {} heartbeats", owed.misses))
    }
}

impl Supervisor {
    /// The program reported in.
    pub(super) fn beat(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let owed = unit.beats_owed();
        let known = unit.policy.heartbeat.is_some() || owed.is_some();
        let Some(run) = unit.run_mut() else { return };
        if !known || !run.is_heard() {
            return;
        }
        if run.beats.missed > 0 || run.beats.verdict != Health::Healthy {
            run.beats.missed = 0;
            run.beats.verdict = Health::Healthy;
            self.touched.insert(id);
        }
        if let Some(owed) = owed
            && self.timers.get(Some(id), WakeReason::Heartbeat).is_some()
        {
            let due = now.after(owed.every);
            self.timers.set(Some(id), WakeReason::Heartbeat, due);
        }
    }

    /// An interval passed without a beat.
    ///
    /// The first one in a row is counted and told to nobody, unless it is the last: a sender is easily
    /// late by the whim of a scheduler.
    pub(super) fn beat_missed(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let Some(owed) = unit.beats_owed() else {
            return;
        };
        let Some(run) = unit.run_mut() else { return };
        let counts = run.is_alive();
        if !counts && !planted(Fault::MissedBeatWhileStopping) {
            return;
        }
        if counts && run.end.is_some() {
            // It waits for its turn to end, and may yet be let live.
            let due = now.after(owed.every);
            self.timers.set(Some(id), WakeReason::Heartbeat, due);
            return;
        }
        run.beats.missed = run.beats.missed.saturating_add(1);
        let (run_id, missed) = (run.id, run.beats.missed);
        let too_many = missed >= owed.misses;
        if too_many {
            run.beats.verdict = Health::Unhealthy;
        }
        if missed > 1 || too_many {
            self.event(id, Some(run_id), EventKind::HeartbeatMissed { missed });
        }
        self.touch(id);
        if !too_many {
            let due = now.after(owed.every);
            self.timers.set(Some(id), WakeReason::Heartbeat, due);
        } else if counts {
            self.end_as_failed(id, EndWhy::MissedBeats(missed));
        }
    }

    /// The program says how often it owes a beat from now on.
    pub(super) fn beat_interval(&mut self, id: UnitId, every: Duration) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        if !run.is_heard() {
            return;
        }
        run.beats.every = Some(every);
        run.beats.missed = 0;
        if every.is_zero() {
            run.beats.verdict = Health::Unknown;
        }
        self.arm(id);
        self.save(id, false);
    }

    /// The program says that it is past help (`WATCHDOG=trigger` of sd_notify(3), which needs no
    /// watchdog to be set).
    pub(super) fn beat_trigger(&mut self, id: UnitId) {
        if planted(Fault::BeatTriggerIgnored) {
            return;
        }
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        if run.is_heard() && run.end.is_none() {
            run.beats.verdict = Health::Unhealthy;
            self.end_as_failed(id, EndWhy::BeatTrigger);
        }
    }

    /// The run has failed although it lives: it is ended now, and waits for nobody.
    pub(super) fn end_as_failed(&mut self, id: UnitId, why: EndWhy) {
        if let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) {
            run.end = Some(why);
            self.begin_end(id);
        }
    }
}
