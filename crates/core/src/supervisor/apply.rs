//! `Apply`: making each source's units be exactly those of its file. What it would do and what it
//! does are decided by the same code.
//!
//! Whether a unit is started:
//! - what a person stopped by name stays stopped, unless that person `run`s it again by name;
//! - of the others, those that are enabled are started, and what those require and want with them;
//! - `enabled` of the file counts when it is new or differs from what the file said before; else an
//!   `enable` or `disable` since then counts.
//!
//! A unit that failed or is done is left alone, unless something about it changed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use abide_model::{
    ActualState, EventKind, OperationId, OperationKind, Policy, Refusal, StepState, UnitId,
    UnitName,
};

use crate::record::EndWhy;
use crate::supervisor::Supervisor;
use crate::supervisor::command::step;
use crate::supervisor::graph::find_cycle;
use crate::supervisor::policy::KeptPolicy;
use crate::supervisor::unit::{Goal, Phase, RunIds, Stage, Told, Unit, names_needed};
use crate::teeth::{Fault, planted};
use crate::{Effect, PlanChange, PlanStep, UnitDef};

/// What all sources of one `Apply` say of one unit.
pub(super) struct Decision<'a> {
    pub source: &'a str,
    pub def: &'a UnitDef,
    pub change: PlanChange,
}

pub(super) struct Decisions<'a> {
    pub units: BTreeMap<&'a UnitName, Decision<'a>>,
    pub removed: BTreeSet<UnitId>,
}

impl Decisions<'_> {
    pub(super) fn concerned(&self) -> BTreeSet<UnitId> {
        let named = self.units.values().map(|decision| decision.def.id);
        named.chain(self.removed.iter().copied()).collect()
    }
}

impl Supervisor {
    pub(super) fn planned(
        &self,
        sources: &[(String, Vec<UnitDef>)],
    ) -> Result<Vec<PlanStep>, Refusal> {
        let decisions = self.decide(sources)?;
        let mut steps: Vec<PlanStep> = decisions
            .units
            .iter()
            .map(|(name, d)| PlanStep {
                id: d.def.id,
                unit: (*name).clone(),
                change: d.change,
            })
            .collect();
        for id in decisions.removed {
            if let Some(unit) = self.units.get(&id) {
                steps.push(PlanStep {
                    id,
                    unit: unit.name.clone(),
                    change: PlanChange::Remove,
                });
            }
        }
        steps.sort_by(|a, b| a.unit.cmp(&b.unit));
        Ok(steps)
    }

    pub(super) fn decide<'a>(
        &self,
        sources: &'a [(String, Vec<UnitDef>)],
    ) -> Result<Decisions<'a>, Refusal> {
        let mut units: BTreeMap<&UnitName, Decision> = BTreeMap::new();
        for (source, defs) in sources {
            for def in defs {
                let decision = Decision {
                    source,
                    def,
                    change: self.change_of(def),
                };
                if let Some(other) = units.insert(&def.name, decision) {
                    let source = other.source.to_string();
                    return Err(Refusal::OwnedByOther {
                        unit: def.name.clone(),
                        source,
                    });
                }
                self.check_owner(sources, def)?;
            }
        }
        let removed: BTreeSet<UnitId> = sources
            .iter()
            .filter_map(|(source, _)| self.sources.get(source.as_str()))
            .flatten()
            .copied()
            .filter(|id| {
                self.units
                    .get(id)
                    .is_some_and(|unit| !unit.removing && !units.contains_key(&unit.name))
            })
            .collect();
        let decisions = Decisions { units, removed };
        self.check_requirements(&decisions)?;
        self.check_cycles(&decisions)?;
        Ok(decisions)
    }

    fn change_of(&self, def: &UnitDef) -> PlanChange {
        match self.units.get(&def.id) {
            None => PlanChange::Add {
                starts: def.policy.enabled,
            },
            Some(unit) if unit.removing => PlanChange::Add {
                starts: def.policy.enabled,
            },
            Some(unit) if unit.policy.is(&def.policy) => PlanChange::Unchanged,
            Some(unit) => PlanChange::Change {
                restarts: unit.is_live() && needs_new_run(&unit.policy, &def.policy),
            },
        }
    }

    fn check_owner(
        &self,
        sources: &[(String, Vec<UnitDef>)],
        def: &UnitDef,
    ) -> Result<(), Refusal> {
        let mixed = |what: String| Err(Refusal::BadRequest(what));
        match (self.graph.id(&def.name), self.units.get(&def.id)) {
            (None, None) => Ok(()),
            (Some(id), Some(unit)) if id == def.id => {
                let free =
                    unit.removing || sources.iter().any(|(source, _)| **source == *unit.source);
                if free {
                    return Ok(());
                }
                let source = unit.source.to_string();
                Err(Refusal::OwnedByOther {
                    unit: def.name.clone(),
                    source,
                })
            }
            (Some(id), _) => mixed(format!("{} is known as {id}, not as {}", def.name, def.id)),
            (None, Some(unit)) => mixed(format!(
                "{} is the unit {}, not {}",
                def.id, unit.name, def.name
            )),
        }
    }

    /// Whatever is required exists when all is done.
    fn check_requirements(&self, decisions: &Decisions) -> Result<(), Refusal> {
        let stays = |name: &UnitName| {
            let known = self.graph.id(name).and_then(|id| self.units.get(&id));
            known.is_some_and(|unit| !unit.removing && !decisions.removed.contains(&unit.id))
        };
        let goes = |name: &UnitName| {
            self.graph
                .id(name)
                .is_some_and(|id| decisions.removed.contains(&id))
        };
        for (name, decision) in &decisions.units {
            for need in &decision.def.policy.requires {
                if decisions.units.contains_key(need) || stays(need) {
                    continue;
                }
                return Err(if goes(need) {
                    Refusal::RequiredBy {
                        unit: need.clone(),
                        by: vec![(*name).clone()],
                    }
                } else {
                    Refusal::NoSuchDependency {
                        unit: (*name).clone(),
                        dependency: need.clone(),
                    }
                });
            }
        }
        for id in &decisions.removed {
            let Some(unit) = self.units.get(id) else {
                continue;
            };
            let by: Vec<UnitName> = self
                .graph
                .dependents(&unit.name)
                .filter_map(|dependent| self.units.get(&dependent))
                .filter(|other| {
                    !other.removing
                        && !decisions.removed.contains(&other.id)
                        && !decisions.units.contains_key(&other.name)
                        && other.policy.requires.contains(&unit.name)
                })
                .map(|other| other.name.clone())
                .collect();
            if !by.is_empty() {
                return Err(Refusal::RequiredBy {
                    unit: unit.name.clone(),
                    by,
                });
            }
        }
        Ok(())
    }

    /// A circle can only close through a unit that is new or whose dependencies changed.
    fn check_cycles(&self, decisions: &Decisions) -> Result<(), Refusal> {
        if planted(Fault::CycleAccepted) {
            return Ok(());
        }
        let policy_of = |name: &UnitName| -> Option<&Policy> {
            if let Some(decision) = decisions.units.get(name) {
                return Some(&decision.def.policy);
            }
            let unit = self.graph.id(name).and_then(|id| self.units.get(&id))?;
            (!decisions.removed.contains(&unit.id)).then_some(&unit.policy)
        };
        let starts = decisions
            .units
            .values()
            .filter(|decision| decision.change != PlanChange::Unchanged)
            .map(|decision| &decision.def.name);
        let needs = |name: &UnitName| -> Vec<&UnitName> {
            policy_of(name).into_iter().flat_map(names_needed).collect()
        };
        match find_cycle(starts, needs) {
            Some(circle) => Err(Refusal::Cycle(circle)),
            None => Ok(()),
        }
    }

    pub(super) fn apply(
        &mut self,
        kind: OperationKind,
        sources: Vec<(String, Vec<UnitDef>)>,
    ) -> Result<OperationId, Refusal> {
        let decisions = self.decide(&sources)?;
        self.abandon_rolling_for(&decisions.concerned());
        let mut to_start = BTreeSet::new();
        for decision in decisions.units.values() {
            let starts = self.apply_unit(decision);
            let by_name = kind == OperationKind::Run;
            if starts || by_name {
                to_start.insert(decision.def.id);
            }
            if by_name && let Some(unit) = self.units.get_mut(&decision.def.id) {
                unit.held = false;
                if !unit.is_live() && !unit.is_listening() {
                    unit.forget_crashes();
                    unit.start_anew();
                }
            }
        }
        self.want(to_start);
        let operation = self.begin_apply(kind, &decisions);
        for &id in &decisions.removed {
            self.begin_removal(id);
        }
        Ok(operation)
    }

    /// These are wanted up, and what they need with them, but for what a person stopped by name.
    pub(super) fn want(&mut self, ids: impl IntoIterator<Item = UnitId>) {
        for id in self.pulled_in(ids) {
            if let Some(unit) = self.units.get_mut(&id)
                && !unit.held
                && !unit.removing
                && !unit.wanted
            {
                unit.wanted = true;
                unit.awaits_connection = unit.starts_on_connection();
                self.save(id, true);
            }
        }
    }

    fn begin_apply(&mut self, kind: OperationKind, decisions: &Decisions) -> OperationId {
        let mut steps = Vec::new();
        let mut goals = Vec::new();
        for id in decisions
            .units
            .values()
            .map(|d| d.def.id)
            .chain(decisions.removed.clone())
        {
            let Some(unit) = self.units.get(&id) else {
                continue;
            };
            if decisions.removed.contains(&id) {
                goals.push((id, Goal::Gone));
            } else if unit.wanted {
                goals.push((id, Goal::Up));
            } else {
                let why = unit.why_it_rests().into();
                steps.push(step(&unit.name, StepState::Done, Some(why)));
                continue;
            }
            steps.push(step(&unit.name, StepState::Pending, None));
        }
        let operation = self.operations.begin(kind, self.now.wall, steps);
        for (id, goal) in goals {
            self.take_over(id, operation, goal);
        }
        operation
    }

    /// Makes one unit what its definition says. Tells whether it is to be started.
    pub(super) fn apply_unit(&mut self, decision: &Decision) -> bool {
        let def = decision.def;
        if self.units.contains_key(&def.id) {
            self.change_owner(def.id, decision.source);
            self.change_unit(def);
        } else {
            self.add_unit(decision.source, def);
        }
        self.units
            .get(&def.id)
            .is_some_and(|unit| unit.enabled && !unit.held)
    }

    fn add_unit(&mut self, source: &str, def: &UnitDef) {
        let source = self.known_source(source);
        self.sources
            .entry(Arc::clone(&source))
            .or_default()
            .insert(def.id);
        self.graph
            .insert(def.id, &def.name, names_needed(&def.policy));
        let unit = Unit {
            id: def.id,
            name: def.name.clone(),
            source,
            policy: self.policies.keep(&def.policy),
            enabled: def.policy.enabled,
            wanted: false,
            held: false,
            removing: false,
            phase: Phase::Stopped,
            shown: ActualState::Stopped,
            since: self.now,
            run_ids: RunIds::fresh(),
            last_run: None,
            started: None,
            restarts: 0,
            row: 0,
            recent: Vec::new(),
            last_exit: None,
            last_stop: None,
            operation: None,
            rolling: None,
            saving: None,
            policy_saved: false,
            awaits_connection: def.policy.socket.is_some_and(|gate| gate.on_connection),
            watched: false,
            calls: Vec::new(),
            beside: VecDeque::new(),
            told: Told::default(),
        };
        self.units.insert(def.id, unit);
        self.event(def.id, None, EventKind::Added);
        self.save(def.id, true);
        // Units that were applied earlier may have named it.
        self.wake_dependents(def.id);
    }

    /// A source's name; units of one source share it.
    pub(super) fn known_source(&self, name: &str) -> Arc<str> {
        match self.sources.get_key_value(name) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(name),
        }
    }

    pub(super) fn change_owner(&mut self, id: UnitId, source: &str) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        if *unit.source == *source {
            return;
        }
        let new = match self.sources.get_key_value(source) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(source),
        };
        let old = std::mem::replace(&mut unit.source, Arc::clone(&new));
        if let Some(units) = self.sources.get_mut(&old) {
            units.remove(&id);
            if units.is_empty() {
                self.sources.remove(&old);
            }
        }
        self.sources.entry(new).or_default().insert(id);
        self.save(id, true);
    }

    fn change_unit(&mut self, def: &UnitDef) {
        let Some(unit) = self.units.get_mut(&def.id) else {
            return;
        };
        let revived = std::mem::take(&mut unit.removing);
        if revived {
            unit.held = false;
            unit.enabled = def.policy.enabled;
            if let Some(run) = unit.run_mut() {
                // It is still there; what runs is what was to go, so it goes.
                run.end = Some(EndWhy::Changed);
            }
            self.save(def.id, true);
            self.wake_needed(def.id);
        }
        let Some(unit) = self.units.get_mut(&def.id) else {
            return;
        };
        if !unit.policy.is(&def.policy) {
            self.give_policy(def.id, &def.policy, &EndWhy::Changed);
        }
    }

    /// From now on the unit has this policy; a run that is not of it ends, for this reason.
    pub(super) fn give_policy(&mut self, id: UnitId, policy: &Policy, why: &EndWhy) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let name = unit.name.clone();
        let old = std::mem::replace(&mut unit.policy, self.policies.keep(policy));
        unit.policy_saved = false;
        if old.enabled != policy.enabled {
            unit.enabled = policy.enabled;
        }
        self.graph.remove(id, &name, names_needed(&old));
        self.graph.insert(id, &name, names_needed(policy));
        // What it named before may have waited for it.
        for name in names_needed(&old) {
            if let Some(needed) = self.graph.id(name) {
                self.wake(needed);
            }
        }
        self.event(id, None, EventKind::Changed);
        if old.health != policy.health {
            self.checks_changed(id);
        }
        let relaunch = needs_new_run(&old, policy);
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        match &mut unit.phase {
            Phase::Live(run) if relaunch && !planted(Fault::ChangeForgotten) => {
                run.old_stop.get_or_insert_with(|| old.stop.clone());
                if !run
                    .end
                    .as_ref()
                    .is_some_and(|why| matches!(why, EndWhy::ByHand))
                {
                    run.end = Some(why.clone());
                }
                unit.forget_crashes();
            }
            Phase::Live(run) => {
                let unwatched = run.pid.is_some() && !run.ready && !run.exited;
                let (run_id, alive) = (run.id, matches!(run.stage, Stage::Alive));
                let old_probe = old.ready.as_ref().map(|ready| &ready.probe);
                match &policy.ready {
                    None if unwatched => {
                        run.ready = true;
                        self.event(id, Some(run_id), EventKind::Ready);
                        self.became_ready(id);
                    }
                    Some(new) if unwatched && alive && old_probe != Some(&new.probe) => {
                        self.intents.push(Effect::WatchReady {
                            unit: id,
                            run: run_id,
                        });
                    }
                    _ => {}
                }
                self.arm(id);
            }
            // What it runs, or how, is new: it is tried at once.
            Phase::Backoff { .. } if relaunch => {
                unit.forget_crashes();
                unit.phase = Phase::Stopped;
            }
            Phase::Failed { .. } => {
                unit.forget_crashes();
                unit.start_anew();
            }
            Phase::Exited if relaunch => unit.start_anew(),
            Phase::Listening if relaunch || old.socket != policy.socket => {
                unit.start_anew();
                self.watch_anew(id);
            }
            Phase::Listening
            | Phase::Stopped
            | Phase::Waiting
            | Phase::Backoff { .. }
            | Phase::Exited => {}
        }
        self.save(id, true);
    }
}

/// What runs under the old policy is not what the new one means.
fn needs_new_run(old: &KeptPolicy, new: &Policy) -> bool {
    old.launch_digest() != new.launch_digest || old.unit_type != new.unit_type
}
