//! Rolling operations: units are restarted a few at a time, and the next ones only while it goes well.
//!
//! ```text
//!   canaries ──all up──► hold ──its time over──► the next one ──up──► the next one … ──► finished
//!      │                  │                        │                                    (additions,
//!      └──────────────────┴── a new run failed ────┘                                     removals)
//!                                 ▼
//!                              halted: a plain restart leaves the rest alone;
//!                              an `Apply` brings everything back to what it was
//! ```
//!
//! The first `first` percent (at least one) are the canaries: all of them are restarted at once, unless
//! they are all there are; then one after the other. When they are up they must stay so for `hold`; if
//! one ends for a reason that is nobody's fault (the machine restarts), the hold begins anew. The others
//! follow one at a time, in the order of their names, instances by number. No turn begins while another
//! unit of the operation is on its way up: so at most one wave is away at a time.
//!
//! *Failed* is a new run that ended or had to be ended without anybody asking, that became unhealthy, or
//! that cannot come up; the first such halts the operation, while the canaries are held and
//! afterwards: what has crashed once is no version for the rest.
//!
//! What a person does with a unit of the operation wins: its step is superseded. After a plain
//! restart it is out of the operation; in an `Apply` it still gets its new version in its turn (a
//! unit that is stopped just takes it over). A canary that is taken while it is on trial tells
//! nothing any more: that halts the operation. A later `Apply` or rolling restart of its units, and
//! `down`, end it where it is.
//!
//! Who runs what is in each unit's own record ([`Turn`]): it is written before anything is done, and
//! the operation's progress only counts what the units say. Until its turn a unit has its old policy
//! and launch, also when it crashes. A new daemon goes on from there.

mod apply;
mod halt;
mod resume;

pub(super) use resume::is_leaving;

use abide_model::{
    ActualState, Health, OperationId, OperationKind, Refusal, Rolling, RollingProgress, RunId,
    StepState, UnitId, UnitName, UnitType,
};

use crate::WakeReason;
use crate::record::{EndWhy, RollingPart, Turn};
use crate::supervisor::Supervisor;
use crate::supervisor::command::step;
use crate::supervisor::unit::{Goal, Phase, Unit};
use crate::teeth::{Fault, planted};

impl Supervisor {
    /// Restarts what is up of these, a few at a time.
    pub(super) fn restart_rolling(
        &mut self,
        ids: &[UnitId],
        plan: Rolling,
    ) -> Result<OperationId, Refusal> {
        let named = self.known(ids)?;
        for &id in &named {
            self.check_not_rolled_out(id)?;
        }
        self.abandon_rolling_of(named.iter().copied());
        let (mut steps, mut rolled) = (Vec::new(), Vec::new());
        for &id in &named {
            let Some(unit) = self.units.get(&id) else {
                continue;
            };
            if unit.wanted && unit.is_live() {
                steps.push(step(&unit.name, StepState::Pending, None));
                rolled.push(id);
            } else {
                let note = format!("skipped: it is {}", unit.state());
                steps.push(step(&unit.name, StepState::Done, Some(note)));
            }
        }
        self.in_order(&mut rolled);
        let progress = self.progress_of(plan, &rolled);
        let operation =
            self.operations
                .begin_rolling(OperationKind::Restart, self.now.wall, steps, progress);
        for id in rolled {
            self.take_over(id, operation, Goal::Up);
            self.take_part(id, operation, Turn::Waiting { next: None });
        }
        self.rolling_due.insert(operation);
        Ok(operation)
    }

    /// Whether another operation brings the unit a new version just now.
    fn check_not_rolled_out(&self, id: UnitId) -> Result<(), Refusal> {
        let Some(unit) = self.units.get(&id) else {
            return Ok(());
        };
        match &unit.rolling {
            Some(part) if !is_plain(&part.turn) => Err(Refusal::BadRequest(format!(
                "{} is getting a new configuration, a few units at a time, by operation {}; \
                 wait for that, or `abide up` again to take its place",
                unit.name, part.operation
            ))),
            _ => Ok(()),
        }
    }

    /// By name, and instances by number.
    fn in_order(&self, ids: &mut [UnitId]) {
        ids.sort_by_cached_key(|id| self.units.get(id).map(|unit| order(&unit.name)));
    }

    fn progress_of(&self, plan: Rolling, units: &[UnitId]) -> RollingProgress {
        let names: Vec<UnitName> = units
            .iter()
            .filter_map(|id| self.units.get(id))
            .map(|unit| unit.name.clone())
            .collect();
        RollingProgress {
            plan,
            canaries: canaries(names.len(), plan.first),
            units: names,
            done: 0,
            hold_until: None,
            halted: None,
        }
    }

    /// The unit has to do with this operation.
    pub(super) fn take_part(&mut self, id: UnitId, operation: OperationId, turn: Turn) {
        if let Some(unit) = self.units.get_mut(&id) {
            unit.rolling = Some(Box::new(RollingPart { operation, turn }));
            self.save(id, true);
        }
    }

    /// The unit has nothing to do with a rolling operation any more.
    pub(super) fn leave_rolling(&mut self, id: UnitId) -> Option<Turn> {
        let part = self.units.get_mut(&id)?.rolling.take()?;
        self.save(id, true);
        Some(part.turn)
    }

    /// The unit, if it still has to do with this operation.
    fn rolled(&self, name: &UnitName, operation: OperationId) -> Option<&Unit> {
        let unit = self.units.get(&self.graph.id(name)?)?;
        let part = unit.rolling.as_ref()?;
        (part.operation == operation && !unit.removing).then_some(unit)
    }

    /// All units that have to do with it, whatever it wants of them.
    fn parts_of(&self, operation: OperationId) -> Vec<UnitId> {
        self.units
            .values()
            .filter(|unit| {
                unit.rolling
                    .as_ref()
                    .is_some_and(|part| part.operation == operation)
            })
            .map(|unit| unit.id)
            .collect()
    }

    /// Takes the next step of the operation, if it is time for that.
    pub(super) fn roll(&mut self, operation: OperationId) {
        let Some(progress) = self.operations.rolling(operation).cloned() else {
            return;
        };
        self.steps += progress.units.len() as u64;
        if progress.halted.is_some() {
            self.roll_back(operation, &progress);
            return;
        }
        if self.halt_if_any_failed(operation, &progress) {
            return;
        }
        let total = progress.units.len();
        if usize_of(progress.done) >= total {
            self.finish_rolling(operation);
            return;
        }
        let begun = self.begun(operation, &progress);
        let on_trial = &progress.units[..begun];
        let all_up = on_trial.iter().all(|name| {
            self.rolled(name, operation)
                .is_none_or(|unit| !unit.wanted || is_renewed(unit))
        });
        if !all_up && !planted(Fault::RollingReadyIgnored) {
            if progress.hold_until.is_some() {
                self.hold_until(operation, None);
            }
            return;
        }
        let mut first = usize_of(progress.canaries).clamp(1, total);
        let any_on_trial = on_trial
            .iter()
            .any(|name| self.rolled(name, operation).is_some_and(|unit| unit.wanted));
        if begun >= first && begun < total && !any_on_trial && usize_of(progress.done) < first {
            // Every canary was passed over: the next one has to show it.
            first = begun + 1;
            let canaries = u32::try_from(first).unwrap_or(u32::MAX);
            self.operations
                .change_rolling(operation, |progress| progress.canaries = canaries);
        }
        if begun < first {
            // When all are canaries, one after the other: never all away at once.
            let wave = if first == total { begun + 1 } else { first };
            self.begin_turns(operation, &progress, begun, wave);
            return;
        }
        let held = usize_of(progress.done) >= first || self.held_long_enough(operation, &progress);
        if held {
            self.found_good(operation, &progress, begun);
            if begun < total {
                self.begin_turns(operation, &progress, begun, begun + 1);
            } else {
                self.finish_rolling(operation);
            }
        }
    }

    /// How many of the operation's units had their turn, or are out of it.
    fn begun(&self, operation: OperationId, progress: &RollingProgress) -> usize {
        let waits = |name: &UnitName| {
            self.rolled(name, operation)
                .and_then(|unit| unit.rolling.as_ref())
                .is_some_and(|part| matches!(part.turn, Turn::Waiting { .. }))
        };
        let first = progress.units.iter().position(waits);
        first.unwrap_or(progress.units.len())
    }

    /// The canaries were up for the whole hold. If not: they are watched from now on.
    fn held_long_enough(&mut self, operation: OperationId, progress: &RollingProgress) -> bool {
        let now = self.now.mono;
        if progress.plan.hold.is_zero() || planted(Fault::RollingHoldSkipped) {
            return true;
        }
        match progress.hold_until {
            Some(until) => until <= now,
            None => {
                self.hold_until(operation, Some(now.after(progress.plan.hold)));
                false
            }
        }
    }

    fn hold_until(&mut self, operation: OperationId, until: Option<abide_model::Mono>) {
        self.operations
            .change_rolling(operation, |progress| progress.hold_until = until);
        match until {
            Some(until) => self.timers.set(operation, WakeReason::Hold, until),
            None => self.timers.clear(operation, WakeReason::Hold),
        }
    }

    /// Those that had their turn are up, and have been for long enough.
    fn found_good(&mut self, operation: OperationId, progress: &RollingProgress, begun: usize) {
        for name in &progress.units[..begun] {
            let Some(id) = self.rolled(name, operation).map(|unit| unit.id) else {
                continue;
            };
            let Some(unit) = self.units.get_mut(&id) else {
                continue;
            };
            if let Some(part) = &mut unit.rolling
                && let Turn::Begun { good, .. } = &mut part.turn
                && !*good
            {
                *good = true;
                self.save(id, false);
                self.rolling_step(id, operation, StepState::Done, None);
            }
        }
        let done = u32::try_from(begun).unwrap_or(u32::MAX);
        if done != progress.done || progress.hold_until.is_some() {
            self.operations
                .change_rolling(operation, |progress| progress.done = done);
            self.hold_until(operation, None);
        }
    }

    /// Has these units begin their turn, unless another one is on its way up: that one is waited for.
    fn begin_turns(
        &mut self,
        operation: OperationId,
        progress: &RollingProgress,
        from: usize,
        to: usize,
    ) {
        let coming = progress.units.iter().enumerate().any(|(at, name)| {
            let unit = self.rolled(name, operation);
            !(from..to).contains(&at) && unit.is_some_and(is_coming)
        });
        if coming && !planted(Fault::RollingReadyIgnored) {
            return;
        }
        for name in &progress.units[from..to] {
            if let Some(id) = self.rolled(name, operation).map(|unit| unit.id) {
                self.begin_turn(id, operation);
            }
        }
        // If all of them are passed over, nothing would wake it.
        self.rolling_due.insert(operation);
    }

    fn begin_turn(&mut self, id: UnitId, operation: OperationId) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let Some(Turn::Waiting { next }) = unit.rolling.as_ref().map(|part| part.turn.clone())
        else {
            return;
        };
        let (from, is_up, name) = (unit.last_run, unit.wanted && unit.is_live(), unit.state());
        match next {
            None if is_up => {
                self.begin_part(id, operation, from, None);
                if let Some(unit) = self.units.get_mut(&id) {
                    unit.forget_crashes();
                }
                self.end_and_start(id, EndWhy::Restart);
            }
            None => {
                let note = format!("skipped: it is {name}");
                self.rolling_step(id, operation, StepState::Done, Some(note));
                self.leave_rolling(id);
            }
            Some(next) => self.bring_next(id, operation, *next),
        }
    }

    fn begin_part(
        &mut self,
        id: UnitId,
        operation: OperationId,
        from: Option<RunId>,
        previous: Option<Box<abide_model::Policy>>,
    ) {
        let turn = Turn::Begun {
            from,
            good: false,
            previous,
        };
        self.take_part(id, operation, turn);
    }

    /// Moves the unit's step on, if a later command did not take it.
    fn rolling_step(
        &mut self,
        id: UnitId,
        operation: OperationId,
        state: StepState,
        note: Option<String>,
    ) {
        if let Some(unit) = self.units.get(&id) {
            self.operations.step(operation, &unit.name, state, note);
        }
    }

    /// What is said of a unit's step while its operation is at it.
    pub(super) fn rolling_note(&self, unit: &Unit, part: &RollingPart) -> Option<String> {
        let hold = self
            .operations
            .rolling(part.operation)
            .and_then(|progress| progress.hold_until);
        match &part.turn {
            Turn::Waiting { .. } => Some("waits for its turn".into()),
            Turn::Added | Turn::Leaving => Some("waits for the units that are restarted".into()),
            Turn::Begun { .. } if !is_renewed(unit) => self.reason(unit),
            Turn::Begun { .. } if hold.is_some() => Some("up, and watched for a while".into()),
            Turn::Begun { .. } => None,
        }
    }
}

/// It is only restarted, and gets nothing new.
fn is_plain(turn: &Turn) -> bool {
    matches!(
        turn,
        Turn::Waiting { next: None } | Turn::Begun { previous: None, .. }
    )
}

/// Its turn came, and a run that began since is up.
fn is_renewed(unit: &Unit) -> bool {
    let Some(Turn::Begun { from, .. }) = unit.rolling.as_ref().map(|part| &part.turn) else {
        return false;
    };
    // What only listens will run the new version when somebody connects.
    unit.is_up() && (unit.last_run > *from || unit.is_listening())
}

/// Why the new version of a unit whose turn came is no good.
fn failure(unit: &Unit) -> Option<String> {
    let Some(Turn::Begun { from, .. }) = unit.rolling.as_ref().map(|part| &part.turn) else {
        return None;
    };
    if !unit.wanted {
        return None;
    }
    let last_exit = || {
        let exit = unit.last_exit.as_ref();
        exit.map_or_else(|| "it ended".to_string(), |exit| exit.reason.clone())
    };
    let done = unit.policy.unit_type == UnitType::Oneshot;
    match &unit.phase {
        Phase::Failed { reason } => Some(reason.clone()),
        // What abide had to restart since its turn came.
        _ if unit.restarts > 0 => Some(last_exit()),
        Phase::Exited if !done => Some(last_exit()),
        Phase::Live(run) if Some(run.id) > *from => match &run.end {
            Some(why) if why.is_failure() => Some(why.to_string()),
            None if run.health() == Health::Unhealthy => {
                let why = run.checks.last_error.as_deref();
                Some(why.map_or("it is unhealthy".into(), |why| format!("unhealthy: {why}")))
            }
            _ => None,
        },
        _ => None,
    }
}

/// It is not up, and will be or will be given up.
fn is_coming(unit: &Unit) -> bool {
    let on_its_way = matches!(
        unit.state(),
        ActualState::Stopped
            | ActualState::Waiting
            | ActualState::Starting
            | ActualState::Stopping
            | ActualState::Backoff
            | ActualState::Running
    );
    unit.wanted
        && !unit.removing
        && !unit.is_up()
        && !unit.told.hopeless
        && !unit.is_crash_looping()
        && on_its_way
}

/// So many of `total` units are the canaries: `percent` of them, at least one.
fn canaries(total: usize, percent: u8) -> u32 {
    let share = (total as u64 * u64::from(percent.min(100))).div_ceil(100);
    u32::try_from(share.max(1)).unwrap_or(u32::MAX)
}

fn usize_of(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Names in the order of their text, instances in that of their numbers.
fn order(name: &UnitName) -> (String, Option<u64>, UnitName) {
    let without = name
        .instance()
        .and_then(|instance| name.as_str().strip_suffix(instance));
    let number = name.instance().and_then(|instance| instance.parse().ok());
    match (without, number) {
        (Some(without), Some(number)) => (without.to_string(), Some(number), name.clone()),
        _ => (name.to_string(), None, name.clone()),
    }
}
