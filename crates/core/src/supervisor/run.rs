//! The life of a run: spawned, ready, beating, exited, its tree empty, and what follows.

use std::time::Duration;

use abide_model::{
    EventKind, ExitClass, ExitStatus, HookKind, LastExit, RunId, Signal, UnitId, UnitType,
};

use crate::record::EndWhy;
use crate::supervisor::unit::{Holding, Phase, Run, Stage, Unit};
use crate::supervisor::{Halt, Supervisor};
use crate::teeth::{Fault, planted};
use crate::{Effect, Sweep, WakeReason, restart};

/// A main process that is killed so soon after the kernel had no memory for its run is killed by that.
const MEMORY_DEATH: Duration = Duration::from_secs(5);

/// A run that is overdue and waits for its turn to end is looked at again at most this often: what it
/// was overdue with may have no time at all.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Whether anybody held a run's output when its main process ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Keeper or daemon did: all of it is in its log, or will be.
    Held,
    /// Neither was there: what it wrote last may be lost.
    Unheld,
}

/// What follows for the tree when its main process has exited.
enum Follow {
    Nothing,
    CancelHook,
    Watch,
    Kill(Sweep),
}

impl Supervisor {
    /// The program was executed.
    pub(super) fn spawned(&mut self, id: UnitId, pid: u32) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let has_probe = unit.policy.ready.is_some();
        let Phase::Live(run) = &mut unit.phase else {
            return;
        };
        run.spawn = None;
        let run_id = run.id;
        unit.started = Some(now);
        if !run.exited {
            run.pid.get_or_insert(pid);
            run.ready = !has_probe || run.said_ready;
        }
        let watch = !run.exited && !run.ready && matches!(run.stage, Stage::Alive);
        let (ready, said_ready) = (run.ready, run.ready && run.said_ready);
        self.event(id, Some(run_id), EventKind::Started { pid });
        if said_ready {
            self.event(id, Some(run_id), EventKind::Ready);
        }
        if ready {
            self.became_ready(id);
        }
        if watch {
            self.intents.push(Effect::WatchReady {
                unit: id,
                run: run_id,
            });
        }
        self.arm(id);
        self.save(id, false);
    }

    /// It was not executed, and nothing is left of the try.
    pub(super) fn spawn_failed(&mut self, id: UnitId, reason: String) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        run.spawn = None;
        if !run.exited {
            self.note_exit(id, ExitStatus::SpawnFailed(reason));
        }
        self.run_over(id);
    }

    /// The run is ready, for the first time. Its deadlines are armed by the caller.
    pub(super) fn became_ready(&mut self, id: UnitId) {
        let Some(run) = self.units.get(&id).and_then(Unit::run) else {
            return;
        };
        self.run_hook_beside(id, run.id, HookKind::AfterStart);
    }

    pub(super) fn not_ready_in_time(&mut self, id: UnitId) {
        if planted(Fault::ReadyTimeoutIgnored) {
            return;
        }
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let Some(ready) = &unit.policy.ready else {
            return;
        };
        let within = ready.within;
        let Some(run) = unit.run_mut() else { return };
        if !run.is_heard() || run.ready {
            return;
        }
        if run.end.is_some() {
            // It waits for its turn to end, and may yet be let live.
            let by = self.now.mono.after(within.max(LOOK_AGAIN));
            self.timers.set(Some(id), WakeReason::Ready, by);
        } else {
            self.end_as_failed(id, EndWhy::NotReady(within));
        }
    }

    /// The run has lasted long enough to end a row of crashes.
    pub(super) fn became_stable(&mut self, id: UnitId) {
        if planted(Fault::BackoffNeverResets) {
            return;
        }
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let looped = unit.is_crash_looping();
        unit.row = 0;
        let run = unit.last_run;
        if looped {
            self.event(id, run, EventKind::Stable);
        }
        self.save(id, false);
    }

    /// Sets the deadlines that a living run has under its unit's policy, and no others.
    pub(super) fn arm(&mut self, id: UnitId) {
        let now = self.now.mono;
        if let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut)
            && run.ready
        {
            run.ready_at.get_or_insert(now);
        }
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let (Some(run), Some(started)) = (unit.run(), unit.started) else {
            return;
        };
        if !run.is_alive() {
            return;
        }
        let owner = Some(id);
        let ready_by = match &unit.policy.ready {
            Some(ready) if !run.ready && !run.stopping_itself => {
                Some(started.mono.after(ready.within).max(run.not_before))
            }
            _ => None,
        };
        let beat_by = unit.beats_owed().map(|owed| now.after(owed.every));
        let stable_at = (unit.row > 0).then(|| {
            started
                .mono
                .after(restart::reset_after(&unit.policy.backoff))
        });
        for (reason, at) in [
            (WakeReason::Ready, ready_by),
            (WakeReason::Heartbeat, beat_by),
            (WakeReason::Stable, stable_at),
        ] {
            match at {
                Some(at) => self.timers.set(owner, reason, at),
                None => self.timers.clear(owner, reason),
            }
        }
        self.arm_checks(id);
        self.arm_idle(id);
    }

    /// The deadlines of a living run, and what it is in the middle of, which end with it.
    pub(super) fn disarm(&mut self, id: UnitId) {
        if planted(Fault::TimerNotCleared) {
            return;
        }
        for reason in [
            WakeReason::Ready,
            WakeReason::Heartbeat,
            WakeReason::Stable,
            WakeReason::SelfStop,
        ] {
            if reason == WakeReason::Heartbeat && planted(Fault::MissedBeatWhileStopping) {
                continue;
            }
            self.timers.clear(Some(id), reason);
        }
        self.end_checks(id);
        self.end_idle(id);
        self.cut_reload_short(id);
    }

    pub(super) fn clear_timers(&mut self, id: UnitId) {
        for reason in WakeReason::ALL {
            self.timers.clear(Some(id), reason);
        }
    }

    /// The main process ended.
    pub(super) fn exited(&mut self, id: UnitId, status: ExitStatus) {
        let Some(run) = self.units.get(&id).and_then(Unit::run) else {
            return;
        };
        if run.exited {
            return;
        }
        let (run_id, asked) = (run.id, run.end.is_some());
        let follow = match &run.stage {
            // Nothing of the run is there: it is an answer to something else.
            Stage::Hook(held) if held.by == Holding::BeforeStart => return,
            Stage::Hook(held) if held.by == Holding::BeforeStop => Follow::CancelHook,
            Stage::Hook(_) | Stage::Killing { .. } => Follow::Nothing,
            Stage::Asked { .. } => Follow::Watch,
            Stage::Alive if asked => Follow::Kill(Sweep::Thorough),
            Stage::Alive => Follow::Kill(Sweep::Prompt),
        };
        self.note_exit(id, status);
        match follow {
            Follow::Nothing => {}
            Follow::CancelHook => self.cancel_hook(id),
            Follow::Watch if planted(Fault::TreeNotWatched) => {}
            Follow::Watch => {
                if planted(Fault::WatchWithoutDeadline) {
                    self.timers.clear(Some(id), WakeReason::Stop);
                }
                self.intents.push(Effect::WatchTree {
                    unit: id,
                    run: run_id,
                });
            }
            Follow::Kill(sweep) => self.kill(id, sweep),
        }
    }

    /// The kernel ended processes of the run for want of memory.
    pub(super) fn out_of_memory(&mut self, id: UnitId, killed: u64, limit: Option<u64>) {
        let now = self.now.mono;
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        run.out_of_memory = Some((now, limit));
        let run_id = run.id;
        self.event(id, Some(run_id), EventKind::OutOfMemory { killed, limit });
    }

    /// Writes down how the run's main process ended.
    pub(super) fn note_exit(&mut self, id: UnitId, status: ExitStatus) {
        self.note_exit_held(id, status, Output::Held);
    }

    /// The same, and what became of its output.
    pub(super) fn note_exit_held(&mut self, id: UnitId, status: ExitStatus, output: Output) {
        let now = self.now;
        let output_may_be_lost = output == Output::Unheld;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let Phase::Live(run) = &mut unit.phase else {
            return;
        };
        run.exited = true;
        run.pid = None;
        run.forget_health();
        let run_id = run.id;
        // Before its spawn was answered it is not known how long it ran: not long enough to be stable.
        let ran_for = match (&status, unit.started) {
            (ExitStatus::SpawnFailed(_), _) | (_, None) => Duration::ZERO,
            (_, Some(started)) => now.mono.since(started.mono),
        };
        let asked = if matches!(run.stage, Stage::Alive) {
            None
        } else {
            run.end.as_ref()
        };
        let memory = run.out_of_memory.filter(|(at, _)| {
            let killed =
                matches!(&status, ExitStatus::Signal { signal, .. } if *signal == Signal::KILL);
            killed && now.mono.since(*at) < MEMORY_DEATH
        });
        let reason = match output {
            Output::Held => describe_exit(asked, &status, ran_for, memory.map(|(_, limit)| limit)),
            Output::Unheld => describe_unheld(asked, &status),
        };
        unit.last_exit = Some(Box::new(LastExit {
            status: status.clone(),
            at: now.wall,
            run: run_id,
            ran_for,
            reason: reason.clone(),
            output_may_be_lost,
        }));
        unit.report_exit(now.mono);
        self.disarm(id);
        self.event(
            id,
            Some(run_id),
            EventKind::Exited {
                status,
                reason,
                trace_ids: Vec::new(),
                output_may_be_lost,
            },
        );
        self.save(id, false);
    }

    /// No process of the run is left.
    pub(super) fn tree_empty(&mut self, id: UnitId) {
        let Some(run) = self.units.get(&id).and_then(Unit::run) else {
            return;
        };
        let believed = run.exited && !matches!(run.stage, Stage::Hook(_))
            || matches!(run.stage, Stage::Killing { .. })
            || planted(Fault::StaleTreeEmptyAccepted);
        // Before anything ended, it is an answer to something else, or a tree that is about to fill.
        if !believed {
            return;
        }
        if !run.exited && !matches!(run.end, Some(EndWhy::NeverBegan)) {
            self.note_exit(id, ExitStatus::Unknown);
        }
        self.run_over(id);
    }

    /// No process of the run is left, or there never was one.
    pub(super) fn run_over(&mut self, id: UnitId) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        let asked = match run.stage {
            Stage::Asked { effect, .. } => effect,
            _ => None,
        };
        let crashed = run.end.is_none();
        for awaited in [run.spawn.take(), asked].into_iter().flatten() {
            self.awaited.remove(&awaited);
        }
        self.close_report(id);
        self.disarm(id);
        self.timers.clear(Some(id), WakeReason::Stop);
        self.timers.clear(Some(id), WakeReason::Kill);
        let skipped = crashed && planted(Fault::AfterStopSkipped);
        if skipped || !self.hold(id, Holding::AfterStop) {
            self.run_ended(id);
        }
    }

    /// The run is over, and so are its hooks: what follows?
    pub(super) fn run_ended(&mut self, id: UnitId) {
        let halting = self.halt != Halt::No;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let phase = std::mem::replace(&mut unit.phase, Phase::Stopped);
        let Phase::Live(run) = phase else {
            unit.phase = phase;
            return;
        };
        let stays_down = !unit.wanted || unit.removing || halting;
        self.live -= 1;
        unit.close_gate_after(&run);
        self.save(id, false);
        match &run.end {
            Some(why) if !why.is_failure() || stays_down => {
                self.event(id, Some(run.id), EventKind::Stopped);
            }
            _ if stays_down => self.event(id, Some(run.id), EventKind::Stopped),
            _ => {
                self.follow_up(id, &run);
                self.halt_if_failed(id);
            }
        }
    }

    /// Nobody asked for the end of this run: the restart table says what follows.
    fn follow_up(&mut self, id: UnitId, run: &Run) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let Some(exit) = unit.last_exit.clone().filter(|exit| exit.run == run.id) else {
            return;
        };
        let class = if run.end.is_some() {
            ExitClass::Unresponsive
        } else {
            exit.status.class(&unit.policy.success_exit)
        };
        if class != ExitClass::Success {
            self.run_hook_beside(id, run.id, HookKind::OnFailure);
        }
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let finished = class == ExitClass::Success && unit.policy.unit_type == UnitType::Oneshot;
        if finished || !unit.policy.restart.restarts(class) {
            if class == ExitClass::Success {
                if !self.listen_again(id)
                    && let Some(unit) = self.units.get_mut(&id)
                {
                    unit.phase = Phase::Exited;
                }
            } else {
                self.give_up(
                    id,
                    run.id,
                    format!("{}; it is not restarted by policy", exit.reason),
                );
            }
            return;
        }
        let stable = exit.ran_for >= restart::reset_after(&unit.policy.backoff);
        if stable && !planted(Fault::BackoffNeverResets) {
            unit.row = 0;
        }
        if restart::gives_up(&mut unit.recent, unit.policy.give_up, now) {
            let limit = unit.policy.give_up.map_or(String::new(), |give_up| {
                format!(
                    "more than {} restarts within {:?}",
                    give_up.restarts, give_up.within
                )
            });
            self.give_up(
                id,
                run.id,
                format!("{limit}; the last run: {}", exit.reason),
            );
            return;
        }
        let delay = restart::delay(&unit.policy.backoff, unit.row, &mut self.rng);
        let was_looping = unit.is_crash_looping();
        unit.row = unit.row.saturating_add(1);
        unit.restarts = unit.restarts.saturating_add(1);
        let (row, loops) = (unit.row, unit.is_crash_looping() && !was_looping);
        if !delay.is_zero() {
            let due = now.after(delay);
            unit.phase = Phase::Backoff { due };
            self.timers.set(Some(id), WakeReason::Restart, due);
        }
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.event(
            id,
            Some(run.id),
            EventKind::RestartScheduled {
                delay_ms,
                attempt: row,
            },
        );
        if loops {
            self.event(id, Some(run.id), EventKind::CrashLooping);
        }
    }

    fn give_up(&mut self, id: UnitId, run: RunId, reason: String) {
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        unit.phase = Phase::Failed {
            reason: reason.clone(),
        };
        self.event(id, Some(run), EventKind::Failed { reason });
        self.run_hook_beside(id, run, HookKind::OnGiveUp);
    }
}

/// "stopped by hand: killed by SIGTERM", "exit 1 after 0.2 s", "exit 127 at once".
fn describe_exit(
    asked: Option<&EndWhy>,
    status: &ExitStatus,
    ran_for: Duration,
    out_of_memory: Option<Option<u64>>,
) -> String {
    let memory = match out_of_memory {
        None => String::new(),
        Some(None) => " (out of memory: the machine has no more)".into(),
        Some(Some(limit)) => format!(" (out of memory: limit {})", crate::words::size(limit)),
    };
    match (asked, status) {
        (Some(why), status) => format!("{why}: {status}{memory}"),
        (None, ExitStatus::SpawnFailed(_)) => status.to_string(),
        (None, status) => format!("{status}{memory} {}", crate::words::after(ran_for)),
    }
}

/// "exit 3 while abide was gone (what it wrote last may be lost)". Nobody saw when, so it is not said how long
/// it had run.
pub(super) fn describe_unheld(asked: Option<&EndWhy>, status: &ExitStatus) -> String {
    let asked = asked.map(|why| format!("{why}: ")).unwrap_or_default();
    let ended = match status {
        ExitStatus::Unknown => "ended while abide was gone, exit status unknown".to_owned(),
        status => format!("{status} while abide was gone"),
    };
    format!("{asked}{ended} (what it wrote last may be lost)")
}
