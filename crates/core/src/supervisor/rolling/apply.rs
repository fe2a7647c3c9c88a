//! An `Apply` in the rolling way: what changes is held back, unit by unit, until its turn.
//!
//! What runs and was changed gets its new version in its turn. All else that is changed, what is new and
//! what goes waits until all those were found good, but for new units that a new version needs.

use std::collections::{BTreeMap, BTreeSet};

use abide_model::{
    OperationId, OperationKind, Policy, Refusal, Rolling, StepState, UnitId, UnitName,
};

use crate::record::{EndWhy, Turn};
use crate::supervisor::Supervisor;
use crate::supervisor::apply::Decisions;
use crate::supervisor::command::step;
use crate::supervisor::graph::find_cycle;
use crate::supervisor::unit::{Goal, Phase, names_needed};
use crate::teeth::{Fault, planted};
use crate::{Effect, PlanChange, UnitDef, WakeReason};

impl Supervisor {
    pub(in crate::supervisor) fn planned_rolling(
        &self,
        sources: &[(String, Vec<UnitDef>)],
    ) -> Result<(), Refusal> {
        self.check_mixed_cycles(&self.decide(sources)?)
    }

    pub(in crate::supervisor) fn apply_rolling(
        &mut self,
        kind: OperationKind,
        sources: &[(String, Vec<UnitDef>)],
        plan: Rolling,
    ) -> Result<OperationId, Refusal> {
        let decisions = self.decide(sources)?;
        self.check_mixed_cycles(&decisions)?;
        self.abandon_rolling_for(&decisions.concerned());

        let (mut rolled, mut to_start) = (Vec::new(), BTreeSet::new());
        let mut turns: BTreeMap<UnitId, Turn> = BTreeMap::new();
        for decision in decisions.units.values() {
            let def = decision.def;
            let held_back = match decision.change {
                // One that is just being removed has nothing to go back to.
                PlanChange::Add { .. } if !self.units.contains_key(&def.id) => {
                    self.apply_unit(decision);
                    turns.insert(def.id, Turn::Added);
                    continue;
                }
                PlanChange::Change { restarts } => {
                    self.change_owner(def.id, decision.source);
                    if restarts {
                        rolled.push(def.id);
                        if planted(Fault::RollingVersionSpreads) {
                            self.intents.push(Effect::Advance(def.id));
                        }
                    }
                    let next = Some(Box::new(def.policy.clone()));
                    turns.insert(def.id, Turn::Waiting { next });
                    true
                }
                PlanChange::Add { .. } | PlanChange::Unchanged | PlanChange::Remove => false,
            };
            if !held_back {
                self.intents.push(Effect::Advance(def.id));
                self.intents.push(Effect::Settled(def.id));
                if self.apply_unit(decision) {
                    to_start.insert(def.id);
                }
            }
        }
        for &id in &decisions.removed {
            turns.insert(id, Turn::Leaving);
        }
        self.want(to_start);
        self.in_order(&mut rolled);
        let progress = self.progress_of(plan, &rolled);
        let (steps, goals) = self.steps_of(&decisions, &turns);
        let operation = self
            .operations
            .begin_rolling(kind, self.now.wall, steps, progress);
        for (id, goal) in goals {
            self.take_over(id, operation, goal);
        }
        for (id, turn) in turns {
            self.take_part(id, operation, turn);
        }
        self.rolling_due.insert(operation);
        Ok(operation)
    }

    fn steps_of(
        &self,
        decisions: &Decisions,
        turns: &BTreeMap<UnitId, Turn>,
    ) -> (Vec<abide_model::OperationStep>, Vec<(UnitId, Goal)>) {
        let (mut steps, mut goals) = (Vec::new(), Vec::new());
        let all = decisions.units.values().map(|d| d.def.id);
        for id in all.chain(decisions.removed.iter().copied()) {
            let Some(unit) = self.units.get(&id) else {
                continue;
            };
            let will_start = match turns.get(&id) {
                Some(Turn::Waiting { next: Some(next) }) if next.enabled != unit.policy.enabled => {
                    next.enabled && !unit.held
                }
                Some(Turn::Waiting { .. } | Turn::Added) => unit.enabled && !unit.held,
                _ => false,
            };
            if decisions.removed.contains(&id) {
                goals.push((id, Goal::Gone));
            } else if unit.wanted || will_start {
                goals.push((id, Goal::Up));
            } else {
                let why = unit.why_it_rests().into();
                steps.push(step(&unit.name, StepState::Done, Some(why)));
                continue;
            }
            steps.push(step(&unit.name, StepState::Pending, None));
        }
        (steps, goals)
    }

    /// While some units have their new version and some the old, dependencies must not go in a circle
    /// either.
    pub(in crate::supervisor) fn check_mixed_cycles(
        &self,
        decisions: &Decisions,
    ) -> Result<(), Refusal> {
        let needs = |name: &UnitName| -> Vec<&UnitName> {
            let known = self.graph.id(name).and_then(|id| self.units.get(&id));
            let now = known.map(|unit| &*unit.policy);
            let then = decisions.units.get(name).map(|d| &d.def.policy);
            now.into_iter().chain(then).flat_map(names_needed).collect()
        };
        match find_cycle(decisions.units.keys().copied(), needs) {
            None => Ok(()),
            Some(circle) => {
                let circle: Vec<&str> = circle.iter().map(UnitName::as_str).collect();
                Err(Refusal::BadRequest(format!(
                    "these units cannot change one after the other, since their old and new \
                     dependencies together go in a circle: {}; apply them without --rolling",
                    circle.join(" → ")
                )))
            }
        }
    }

    /// The unit's turn has come: it gets its new version.
    pub(super) fn bring_next(&mut self, id: UnitId, operation: OperationId, next: Policy) {
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let (from, previous) = (unit.last_run, Box::new(unit.policy.whole()));
        self.begin_part(id, operation, from, Some(previous));
        self.intents.push(Effect::Advance(id));
        self.give_policy(id, &next, &EndWhy::Changed);
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let (wanted, live) = (unit.wanted, unit.is_live() || unit.is_listening());
        unit.forget_crashes();
        if wanted && !live {
            unit.phase = Phase::Stopped;
            self.timers.clear(Some(id), WakeReason::Restart);
        }
        if wanted {
            // What it needs may be new, too.
            self.want([id]);
        } else {
            let note = Some("changed; it is not wanted up".into());
            self.rolling_step(id, operation, StepState::Done, note);
        }
    }

    /// All that were restarted are good: the rest of what was asked follows.
    pub(super) fn finish_rolling(&mut self, operation: OperationId) {
        let mut to_start = BTreeSet::new();
        for id in self.parts_of(operation) {
            let Some(turn) = self.leave_rolling(id) else {
                continue;
            };
            match turn {
                Turn::Waiting { next: Some(next) } => {
                    self.intents.push(Effect::Advance(id));
                    self.give_policy(id, &next, &EndWhy::Changed);
                    self.intents.push(Effect::Settled(id));
                }
                Turn::Begun {
                    previous: Some(_), ..
                } => self.intents.push(Effect::Settled(id)),
                Turn::Leaving => {
                    self.begin_removal(id);
                    continue;
                }
                Turn::Waiting { next: None } | Turn::Begun { previous: None, .. } => continue,
                Turn::Added => {}
            }
            if self
                .units
                .get(&id)
                .is_some_and(|unit| unit.enabled && !unit.held)
            {
                to_start.insert(id);
            }
        }
        self.want(to_start);
        self.timers.clear(operation, WakeReason::Hold);
        self.operations.release(operation);
    }
}
