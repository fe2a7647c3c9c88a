//! Health checks: rounds of probes while a run is ready, and what follows when they are bad.
//!
//! ```text
//!   ready ──at random within `every`──► round ──Ok──► good ──► healthy
//!             ▲                           ├─Failed──► bad ──`misses` in a row──► unhealthy
//!             └─────── next on the grid ──┴─no answer in `timeout` and a slack ► bad
//! ```
//!
//! One timer serves a unit: while a round is under way it is the end of that round's time, else the
//! beginning of the next. The first round's instant is random and the others keep to its grid, so that a
//! thousand units do not probe at once, however they came up; and no round begins before the one
//! before it has its answer, so that rounds never pile up.

use std::time::Duration;

use abide_model::{EffectId, EventKind, Health, HookKind, Mono, OnUnhealthy, RunId, UnitId};

use crate::record::EndWhy;
use crate::supervisor::unit::{Run, Unit};
use crate::supervisor::{Awaited, Supervisor};
use crate::teeth::{Fault, planted};
use crate::{ANSWER_SLACK, Effect, Outcome, WakeReason, words};

/// Rounds are at least this far apart; a shorter interval would have the supervisor spin.
const SHORTEST: Duration = Duration::from_millis(1);

/// A run's health checks.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// What they say of its health.
    pub verdict: Health,
    /// Bad rounds in a row.
    pub failures: u32,
    /// Why the last bad round was bad.
    pub last_error: Option<String>,
    /// A round was good, so the grace is over.
    proven: bool,
    round: Option<Round>,
}

/// A round that is under way.
#[derive(Debug)]
struct Round {
    /// `None` until it was emitted.
    effect: Option<EffectId>,
    began: Mono,
    /// The checks were changed under it: its answer says nothing.
    void: bool,
}

impl Run {
    /// Unhealthy if its beats or its checks say so; healthy if one of them does and the other says
    /// nothing against it; unknown if neither has spoken.
    pub(super) fn health(&self) -> Health {
        match (self.beats.verdict, self.checks.verdict) {
            (Health::Unhealthy, _) | (_, Health::Unhealthy) => Health::Unhealthy,
            (Health::Healthy, _) | (_, Health::Healthy) => Health::Healthy,
            (Health::Unknown, Health::Unknown) => Health::Unknown,
        }
    }

    pub(super) fn forget_health(&mut self) {
        self.beats.verdict = Health::Unknown;
        self.checks.verdict = Health::Unknown;
    }
}

impl Unit {
    /// It is unhealthy, and abide does nothing about it.
    pub(super) fn is_marked(&self) -> bool {
        let run = self.run();
        run.is_some_and(|run| run.checks.verdict == Health::Unhealthy)
    }

    /// What is the matter with its checks: "unhealthy: http …: 503 (3 of 3)".
    pub(super) fn remark_on_checks(&self) -> Option<String> {
        let check = self.policy.health.as_ref()?;
        let checks = &self.run()?.checks;
        let error = checks.last_error.as_ref()?;
        let (failures, misses) = (checks.failures, check.misses.max(1));
        let so_many = if failures > misses {
            format!("{failures} in a row")
        } else {
            format!("{failures} of {misses}")
        };
        match checks.verdict {
            Health::Unhealthy => Some(format!("unhealthy: {error} ({so_many})")),
            _ if failures > 0 => Some(format!("a health check failed: {error} ({so_many})")),
            Health::Unknown if !checks.proven => Some(format!(
                "not healthy yet, which is forgiven so far: {error}"
            )),
            Health::Unknown | Health::Healthy => None,
        }
    }
}

impl Supervisor {
    /// When its next round is due, or that one is under way.
    pub(super) fn checks_ahead(&self, unit: &Unit, now: Mono) -> Option<String> {
        let due = self.timers.get(Some(unit.id), WakeReason::Health)?;
        Some(if unit.run()?.checks.round.is_some() {
            "a health check is under way".into()
        } else {
            let wait = words::duration(due.since(now));
            format!("the next health check is in {wait}")
        })
    }

    /// Sets when the first round begins, where there are to be any and none is due yet.
    pub(super) fn arm_checks(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let Some(run) = unit.run() else { return };
        if run.checks.round.is_some() {
            return;
        }
        let owner = Some(id);
        match &unit.policy.health {
            Some(check) if run.ready && !run.stopping_itself => {
                if self.timers.get(owner, WakeReason::Health).is_none() {
                    let share = if planted(Fault::ChecksNotSpread) {
                        0.0
                    } else {
                        self.rng.share()
                    };
                    let first = self
                        .now
                        .mono
                        .after(check.every.max(SHORTEST).mul_f64(share));
                    self.timers.set(owner, WakeReason::Health, first);
                }
            }
            _ => self.timers.clear(owner, WakeReason::Health),
        }
    }

    /// The policy's checks are others than before: what the old ones found is forgotten.
    pub(super) fn checks_changed(&mut self, id: UnitId) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        let old = std::mem::take(&mut run.checks);
        run.checks.proven = old.proven;
        run.checks.round = old.round.map(|round| Round {
            void: true,
            ..round
        });
        // A round that is under way keeps its deadline, so that there are never two.
        if run.checks.round.is_none() {
            self.timers.clear(Some(id), WakeReason::Health);
        }
    }

    /// No rounds any more; one that is under way counts for nothing.
    pub(super) fn end_checks(&mut self, id: UnitId) {
        if planted(Fault::ProbesWhileStopping) {
            return;
        }
        self.timers.clear(Some(id), WakeReason::Health);
        self.drop_round(id);
    }

    fn drop_round(&mut self, id: UnitId) -> Option<Round> {
        let run = self.units.get_mut(&id)?.run_mut()?;
        let round = run.checks.round.take()?;
        if let Some(effect) = round.effect
            && !planted(Fault::LateAnswerCounts)
        {
            self.awaited.remove(&effect);
        }
        Some(round)
    }

    /// A round, or the end of its time, is due.
    pub(super) fn check_due(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let (Some(check), Some(run)) = (&unit.policy.health, unit.run()) else {
            self.drop_round(id);
            return;
        };
        if run.checks.round.is_none() || planted(Fault::TwoProbesAtOnce) {
            self.begin_round(id);
            return;
        }
        let reason = format!("no answer within {}", words::duration(check.timeout));
        if let Some(round) = self.drop_round(id) {
            self.round_over(id, &round, Err(reason));
        }
    }

    fn begin_round(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let Some(check) = &unit.policy.health else {
            return;
        };
        let (every, timeout) = (check.every.max(SHORTEST), check.timeout);
        let Some(run) = unit.run_mut() else { return };
        let may = run.is_alive() && run.ready && !run.stopping_itself;
        if !may && !planted(Fault::ProbesWhileStopping) {
            return;
        }
        let mut due = now.after(timeout).after(ANSWER_SLACK);
        if run.end.is_some() && !planted(Fault::ProbesWhileStopping) {
            // It waits for its turn to end, and may yet be let live.
            due = now.after(every);
        } else {
            run.checks.round = Some(Round {
                effect: None,
                began: now,
                void: false,
            });
            let run = run.id;
            self.intents.push(Effect::Probe { unit: id, run });
            if planted(Fault::TwoProbesAtOnce) {
                due = now.after(every);
            }
        }
        self.timers.set(Some(id), WakeReason::Health, due);
    }

    /// The round is wanted still, when its turn to be emitted comes.
    pub(super) fn is_round_wanted(&self, id: UnitId, run: RunId) -> bool {
        let current = self.units.get(&id).and_then(Unit::run);
        current.is_some_and(|current| current.id == run && current.checks.round.is_some())
    }

    /// The round was emitted under this id.
    pub(super) fn round_emitted(&mut self, id: UnitId, effect: EffectId) {
        if let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut)
            && let Some(round) = &mut run.checks.round
        {
            round.effect = Some(effect);
            self.awaited.insert(effect, Awaited::Probe(id));
        }
    }

    pub(super) fn probe_answered(&mut self, id: UnitId, outcome: Outcome) {
        let Some(round) = self.drop_round(id) else {
            return;
        };
        let result = match outcome {
            Outcome::Ok => Ok(()),
            Outcome::Failed { reason } | Outcome::SpawnFailed { reason } => Err(reason),
            Outcome::Spawned { .. } | Outcome::Asked { .. } => {
                Err("the answer says nothing of the round".into())
            }
        };
        self.round_over(id, &round, result);
    }

    fn round_over(&mut self, id: UnitId, round: &Round, result: Result<(), String>) {
        let now = self.now.mono;
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let Some(check) = &unit.policy.health else {
            self.timers.clear(Some(id), WakeReason::Health);
            return;
        };
        let next = next_on_grid(round.began, check.every.max(SHORTEST), now);
        self.timers.set(Some(id), WakeReason::Health, next);
        if round.void || unit.is_leaving() {
            return;
        }
        match result {
            Ok(()) => self.good_round(id),
            Err(reason) => self.bad_round(id, reason),
        }
    }

    fn good_round(&mut self, id: UnitId) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        run.checks.proven = true;
        if run.checks.failures == 0 && run.checks.verdict == Health::Healthy {
            return;
        }
        let was = std::mem::replace(&mut run.checks.verdict, Health::Healthy);
        if !planted(Fault::FailuresNeverReset) {
            run.checks.failures = 0;
        }
        let run_id = run.id;
        if was != Health::Healthy {
            self.event(id, Some(run_id), EventKind::Healthy);
        }
        self.touched.insert(id);
    }

    fn bad_round(&mut self, id: UnitId, reason: String) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let Some(check) = unit.policy.health.as_ref() else {
            return;
        };
        let (grace, misses, follows) = (check.grace, check.misses.max(1), check.on_unhealthy);
        let Some(run) = unit.run_mut() else { return };
        let checks = &mut run.checks;
        let forgiven = !checks.proven && run.ready_at.is_none_or(|at| now < at.after(grace));
        if forgiven && !planted(Fault::GraceIgnored) {
            if checks.last_error.as_ref() != Some(&reason) {
                checks.last_error = Some(reason);
                self.touched.insert(id);
            }
            return;
        }
        checks.failures = checks.failures.saturating_add(1);
        checks.last_error = Some(reason.clone());
        let (run_id, failures) = (run.id, checks.failures);
        let turned = failures >= misses && checks.verdict != Health::Unhealthy;
        if turned {
            checks.verdict = Health::Unhealthy;
        }
        self.touched.insert(id);
        if !turned {
            return;
        }
        let said = EventKind::Unhealthy {
            reason: reason.clone(),
        };
        self.event(id, Some(run_id), said);
        match follows {
            OnUnhealthy::Restart if planted(Fault::UnhealthyIgnored) => {}
            OnUnhealthy::Restart => {
                let why = format!("{reason} ({failures} of {misses})");
                self.end_as_failed(id, EndWhy::Unhealthy(why));
            }
            OnUnhealthy::Mark => {}
            OnUnhealthy::Command => self.run_hook_beside(id, run_id, HookKind::OnUnhealthy),
        }
    }
}

/// The first point after `now` that is a whole number of intervals from `began`.
fn next_on_grid(began: Mono, every: Duration, now: Mono) -> Mono {
    let every = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1);
    let passed = now.since(began).as_nanos() / u128::from(every);
    let ahead = (passed + 1).saturating_mul(u128::from(every));
    Mono(
        began
            .0
            .saturating_add(u64::try_from(ahead).unwrap_or(u64::MAX)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_that_took_long_leaves_the_grid_as_it_is() {
        let every = Duration::from_nanos(10);
        for (now, next) in [(3, 13), (5, 13), (12, 13), (13, 23), (47, 53)] {
            assert_eq!(next_on_grid(Mono(3), every, Mono(now)), Mono(next));
        }
        assert_eq!(
            next_on_grid(Mono(3), Duration::MAX, Mono(5)),
            Mono(u64::MAX)
        );
    }
}
