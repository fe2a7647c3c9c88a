//! `abide why`: the state of a unit, what brought it there, and what would change it.

use abide_model::{DesiredState, Mono, Now, Restart};

use crate::supervisor::unit::{Phase, Stage, Unit};
use crate::supervisor::{Halt, Supervisor};
use crate::{Explanation, WakeReason, words};

impl Supervisor {
    pub(super) fn explanation(&self, unit: &Unit, now: Now) -> Explanation {
        let state = unit.state();
        let cause = self.cause(unit, now);
        let waits_for: Vec<_> = match unit.phase {
            Phase::Waiting => self
                .blockers(unit)
                .map(|blocker| (blocker.name.clone(), self.matter(&blocker)))
                .collect(),
            _ => Vec::new(),
        };
        let changes = self.changes_of(unit, now);
        let desired = if unit.wanted {
            DesiredState::Up
        } else {
            DesiredState::Down
        };
        let wanted = if unit.wanted { "up" } else { "down" };
        let since = words::duration(now.mono.since(unit.since.mono));
        let mut lines = vec![
            format!("{} is {state} (wanted {wanted}) for {since}", unit.name),
            cause.clone(),
        ];
        lines.extend(
            waits_for
                .iter()
                .map(|(name, matter)| format!("it waits for {name}, which {matter}")),
        );
        if let Some(exit) = &unit.last_exit {
            lines.push(format!("last run ({}): {}", exit.run, exit.reason));
        }
        if let Some(stop) = &unit.last_stop {
            lines.push(format!("last stop (run-{}): {stop}", stop.run_id));
        }
        if unit.is_crash_looping() {
            lines.push(format!(
                "it is crash-looping: {} restarts in a row without a stable run",
                unit.row
            ));
        }
        lines.extend(changes.iter().cloned());
        Explanation {
            state,
            desired,
            cause,
            waits_for,
            changes,
            lines,
        }
    }

    fn cause(&self, unit: &Unit, now: Now) -> String {
        let ago = |since: Mono| words::duration(now.mono.since(since));
        match &unit.phase {
            Phase::Stopped if unit.held => {
                "a person stopped it by name; it stays so, over restarts and reboots".into()
            }
            Phase::Stopped if unit.wanted && self.halt != Halt::No => "everything goes down".into(),
            Phase::Stopped if !unit.enabled => {
                "it is not enabled, and nothing that was started needs it".into()
            }
            Phase::Stopped => "it was not started".into(),
            Phase::Waiting => "something that it needs first is not there".into(),
            Phase::Listening => {
                "nobody has connected to it yet; its sockets take connections, and the first starts it"
                    .into()
            }
            Phase::Backoff { .. } if unit.awaits_connection => {
                self.reason(unit).unwrap_or_default()
            }
            Phase::Backoff { .. } => {
                let exit = unit
                    .last_exit
                    .as_ref()
                    .map_or("it ended", |exit| exit.reason.as_str());
                format!(
                    "its last run ended: {exit}; restart {} in a row waits its backoff",
                    unit.row
                )
            }
            Phase::Failed { reason } => format!("given up: {reason}"),
            Phase::Exited => "it ended as it should".into(),
            Phase::Live(run) => match (&run.stage, unit.started) {
                (Stage::Alive, Some(_)) if run.stopping_itself && run.end.is_none() => {
                    "it said that it is stopping by itself".into()
                }
                (Stage::Alive, Some(started)) if run.ready && run.end.is_none() => {
                    let mut cause = format!("it was started {} ago and is up", ago(started.mono));
                    if let Some(reload) = &run.reload {
                        cause += &format!(", reloading for {}", ago(reload.since));
                    }
                    for remark in [unit.remark_on_checks(), unit.remark_on_beats()] {
                        cause += &remark.map_or(String::new(), |remark| format!("; {remark}"));
                    }
                    cause
                }
                (Stage::Alive, Some(started)) if run.end.is_none() => {
                    format!(
                        "it was started {} ago and is not ready yet",
                        ago(started.mono)
                    )
                }
                (Stage::Alive, None) if run.end.is_none() => {
                    format!("its program is being started for {}", ago(run.ordered))
                }
                (Stage::Hook(held), _) => format!(
                    "{}, for {}",
                    self.reason(unit).unwrap_or_default(),
                    ago(held.since)
                ),
                _ => self
                    .reason(unit)
                    .unwrap_or_else(|| "its run is being ended".into()),
            },
        }
    }

    /// What will change the state by itself, then what a person can do.
    fn changes_of(&self, unit: &Unit, now: Now) -> Vec<String> {
        let name = &unit.name;
        let due = |reason| {
            let at: Option<Mono> = self.timers.get(Some(unit.id), reason);
            at.map(|at| words::duration(at.since(now.mono)))
        };
        let mut changes = Vec::new();
        match &unit.phase {
            Phase::Stopped if unit.wanted => {}
            Phase::Stopped => changes.push(format!("`abide start {name}` starts it")),
            Phase::Waiting => {
                for blocker in self.blockers(unit) {
                    let what = if blocker.required {
                        "is up"
                    } else {
                        "is up or has had its chance"
                    };
                    changes.push(format!("it starts by itself when {} {what}", blocker.name));
                }
                if unit.told.hopeless {
                    changes.push(format!("`abide start {name}` starts what it needs, too"));
                }
            }
            Phase::Listening => changes.push("a connection starts it".into()),
            Phase::Backoff { due } => {
                let wait = words::duration(due.since(now.mono));
                changes.push(if unit.awaits_connection {
                    format!("it listens again in {wait}")
                } else {
                    format!("it is restarted in {wait}")
                });
                changes.push(format!("`abide start {name}` starts it now"));
            }
            Phase::Failed { .. } => {
                let never = unit.policy.restart == Restart::Never;
                let by = if never {
                    " (its policy is restart = \"never\")"
                } else {
                    ""
                };
                changes.push(format!("`abide start {name}` tries again{by}"));
            }
            Phase::Exited => changes.push(format!("`abide start {name}` runs it again")),
            Phase::Live(run) => {
                match run.stage {
                    Stage::Alive if run.spawn.is_some() => {
                        changes.push("it goes on when the system has executed its program".into());
                    }
                    Stage::Alive => {
                        if let Some(wait) = due(WakeReason::Ready) {
                            changes.push(format!("if it is not ready in {wait}, it is ended and restarted by its policy"));
                        }
                        if let Some(wait) = due(WakeReason::Heartbeat) {
                            changes.push(format!("a heartbeat is due in {wait}"));
                        }
                        changes.extend(self.checks_ahead(unit, now.mono));
                        changes.extend(self.idle_ahead(unit, now.mono));
                        if let Some(wait) = due(WakeReason::Reload) {
                            changes.push(format!("if it has not reloaded in {wait}, the reload has failed, and it runs on"));
                        }
                        if let Some(wait) = due(WakeReason::SelfStop) {
                            changes.push(format!("if it has not ended in {wait}, it is ended and restarted by its policy"));
                        }
                        if unit.is_marked() {
                            changes.push(format!("`abide restart {name}` restarts it"));
                        }
                        if let Some(wait) = due(WakeReason::Stable) {
                            changes.push(format!(
                                "in {wait} it counts as stable, and its row of crashes is forgotten"
                            ));
                        }
                    }
                    Stage::Hook(ref held) => {
                        let hook = held.by.kind();
                        let late = due(WakeReason::Hook)
                            .map_or_else(String::new, |late| format!(", at the latest in {late}"));
                        changes.push(format!("it goes on when {hook} is over{late}"));
                    }
                    Stage::Asked { deadline, .. } => {
                        let wait = words::duration(deadline.since(now.mono));
                        changes.push(format!("what is left of it in {wait} is killed"));
                    }
                    Stage::Killing { .. } => {
                        if let Some(wait) = due(WakeReason::Kill) {
                            changes.push(format!(
                                "if something is left in {wait}, it is killed again"
                            ));
                        }
                    }
                }
            }
        }
        changes
    }
}
