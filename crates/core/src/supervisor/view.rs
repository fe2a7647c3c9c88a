//! What a unit looks like from outside.

use abide_model::{DesiredState, Health, UnitName};

use crate::supervisor::Supervisor;
use crate::supervisor::settle::Blocker;
use crate::supervisor::unit::{Phase, Run, Stage, Unit};
use crate::{UnitView, words};

impl Supervisor {
    pub(super) fn view<'a>(&'a self, unit: &'a Unit) -> UnitView<'a> {
        let run = unit.run();
        UnitView {
            id: unit.id,
            name: &unit.name,
            source: &unit.source,
            policy: &unit.policy,
            launch_digest: unit.policy.launch_digest(),
            enabled: unit.enabled,
            desired: if unit.wanted {
                DesiredState::Up
            } else {
                DesiredState::Down
            },
            state: unit.state(),
            since: unit.since,
            run: unit.last_run,
            pid: run.and_then(|run| run.pid),
            started: run.and(unit.started),
            ready: run.is_some_and(|run| {
                run.ready
                    && !run.stopping_itself
                    && !run.exited
                    && matches!(run.stage, Stage::Alive)
            }) || unit.is_up(),
            health: run.map_or(Health::Unknown, Run::health),
            restarts: unit.restarts,
            row: unit.row,
            crash_looping: unit.is_crash_looping(),
            last_exit: unit.last_exit.as_deref(),
            last_stop: unit.last_stop.as_deref(),
            next_start: match unit.phase {
                Phase::Backoff { due } => Some(due),
                _ => None,
            },
            missed: run.map_or(0, |run| run.beats.missed),
            failures: run.map_or(0, |run| run.checks.failures),
            last_error: run.and_then(|run| run.checks.last_error.as_deref()),
            reason: self.reason(unit),
        }
    }

    /// Why the unit is in its state, in words; `None` where the state says it all.
    pub(super) fn reason(&self, unit: &Unit) -> Option<String> {
        match &unit.phase {
            Phase::Stopped if unit.removing => Some("removed".into()),
            Phase::Stopped if unit.held => Some("stopped by hand".into()),
            Phase::Stopped if !unit.enabled => Some("not enabled".into()),
            Phase::Stopped => None,
            Phase::Waiting => {
                let waits: Vec<String> = self
                    .blockers(unit)
                    .map(|blocker| self.describe(&blocker))
                    .collect();
                Some(format!("waits for {}", waits.join(" and ")))
            }
            Phase::Listening => Some("waits for a connection".into()),
            Phase::Backoff { .. } if unit.awaits_connection => Some(
                "its runs end by themselves as fast as connections start them; it listens again later"
                    .into(),
            ),
            Phase::Backoff { .. } => {
                let exit = unit
                    .last_exit
                    .as_ref()
                    .map_or("", |exit| exit.reason.as_str());
                Some(format!("{exit}; restart {}", unit.row))
            }
            Phase::Failed { reason } => Some(reason.clone()),
            Phase::Exited => unit.last_exit.as_ref().map(|exit| exit.reason.clone()),
            Phase::Live(run) => self.reason_of_run(unit, run),
        }
    }

    fn reason_of_run(&self, unit: &Unit, run: &Run) -> Option<String> {
        match (&run.stage, &run.end) {
            (Stage::Alive, Some(why)) => {
                let first: Vec<&UnitName> = self
                    .graph
                    .dependents(&unit.name)
                    .filter_map(|id| self.units.get(&id))
                    .filter(|dependent| dependent.is_leaving())
                    .map(|dependent| &dependent.name)
                    .collect();
                let first: Vec<&str> = first.iter().map(|name| name.as_str()).collect();
                Some(format!("{why}; stops after {}", first.join(", ")))
            }
            (Stage::Alive, None) if run.spawn.is_some() => {
                Some("its program is being started".into())
            }
            (Stage::Alive, None) if run.stopping_itself => {
                Some("it said that it is stopping by itself".into())
            }
            (Stage::Alive, None) if !run.ready => {
                let within = unit.policy.ready.as_ref().map(|ready| ready.within);
                within.map(|within| format!("not ready yet, has {}", words::duration(within)))
            }
            (Stage::Alive, None) => {
                let remarks = [
                    unit.remark_on_checks(),
                    unit.remark_on_beats(),
                    run.reload.as_ref().map(|_| "reloading".into()),
                    remark_on_crashes(unit),
                ];
                let remarks: Vec<String> = remarks.into_iter().flatten().collect();
                (!remarks.is_empty()).then(|| remarks.join("; "))
            }
            (Stage::Hook(held), why) => {
                let exit = unit.last_exit.as_ref().filter(|exit| exit.run == run.id);
                let why = match (why, exit) {
                    (Some(why), _) => Some(why.to_string()),
                    (None, exit) => exit.map(|exit| exit.reason.clone()),
                };
                let hook = held.by.kind();
                Some(match why {
                    Some(why) => format!("{why}; runs {hook}"),
                    None => format!("runs {hook}"),
                })
            }
            (Stage::Asked { .. }, why) => why.as_ref().map(ToString::to_string),
            (Stage::Killing { tries, .. }, why) => {
                let why = match why {
                    Some(why) => why.to_string(),
                    None => unit.last_exit.as_ref().map_or_else(String::new, |exit| {
                        format!("{}; what it left behind is cleared away", exit.reason)
                    }),
                };
                Some(if *tries > 1 {
                    format!(
                        "{why}; killed {tries} times and still there: a process hangs in the kernel"
                    )
                } else {
                    why
                })
            }
        }
    }

    /// "db, which was stopped by hand".
    pub(super) fn describe(&self, blocker: &Blocker) -> String {
        format!("{}, which {}", blocker.name, self.matter(blocker))
    }

    /// What is the matter with a unit that another one waits for.
    pub(super) fn matter(&self, blocker: &Blocker) -> String {
        let Some(unit) = blocker.unit else {
            return "does not exist".into();
        };
        match &unit.phase {
            Phase::Stopped if unit.held => "was stopped by hand".into(),
            Phase::Stopped if !unit.wanted => "is not wanted up".into(),
            Phase::Stopped => "is stopped".into(),
            Phase::Waiting => "waits itself".into(),
            Phase::Listening => "waits for a connection".into(),
            Phase::Backoff { .. } => "crashed and will be restarted".into(),
            Phase::Failed { .. } => "failed".into(),
            Phase::Exited => "ended and is not up".into(),
            Phase::Live(run) if run.end.is_some() => "is being stopped".into(),
            Phase::Live(run) if run.exited => "ended just now".into(),
            Phase::Live(_) => "is not ready yet".into(),
        }
    }
}

fn remark_on_crashes(unit: &Unit) -> Option<String> {
    let exit = unit.last_exit.as_ref().filter(|_| unit.row > 0);
    let exit = exit.map_or("", |exit| exit.reason.as_str());
    if unit.is_crash_looping() {
        Some(format!(
            "keeps crashing: {exit}; restart {} in a row",
            unit.row
        ))
    } else if unit.row > 0 && !exit.is_empty() {
        Some(format!("{exit}; restart {} in a row", unit.row))
    } else {
        None
    }
}
