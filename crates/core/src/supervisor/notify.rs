//! What a program says of itself: that it is ready, reloads, stops, needs more time, or has another main
//! process. The words are those of sd_notify(3), whoever carried them.

use std::time::Duration;

use abide_model::{EventKind, UnitId};

use crate::WakeReason;
use crate::record::EndWhy;
use crate::supervisor::Supervisor;
use crate::supervisor::run::LOOK_AGAIN;
use crate::supervisor::unit::{Holding, Stage, Unit};
use crate::teeth::{Fault, planted};

impl Supervisor {
    /// The readiness check succeeded, or the program said so.
    pub(super) fn told_ready(&mut self, id: UnitId) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        if run.spawn.is_some() && !run.exited {
            // A quick program is faster than the news that it was executed.
            run.said_ready = true;
            return;
        }
        if !run.is_alive() {
            return;
        }
        if run.ready {
            self.reload_said_ready(id);
            return;
        }
        run.ready = true;
        let run_id = run.id;
        self.event(id, Some(run_id), EventKind::Ready);
        self.became_ready(id);
        self.arm(id);
        self.save(id, false);
    }

    /// The program is about to end by itself. It owes nothing any more but that, and has as long for it
    /// as a stop may take; what its exit means is then said by its status, as for any other.
    pub(super) fn self_stopping(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let within = unit.policy.stop.within;
        let Some(run) = unit.run_mut() else { return };
        if !run.is_heard() || run.stopping_itself {
            return;
        }
        run.stopping_itself = true;
        let run_id = run.id;
        self.event(id, Some(run_id), EventKind::SelfStopping);
        self.end_checks(id);
        self.arm(id);
        if !planted(Fault::SelfStopWithoutDeadline) {
            let by = now.after(within);
            self.timers.set(Some(id), WakeReason::SelfStop, by);
        }
        self.save(id, false);
    }

    /// It said that it was about to end, and lives.
    pub(super) fn self_stop_overdue(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let within = unit.policy.stop.within;
        let Some(run) = unit.run_mut() else { return };
        if !run.is_heard() {
            return;
        }
        if run.end.is_some() {
            // It waits for its turn to be stopped, and may yet be let live.
            let by = now.after(within.max(LOOK_AGAIN));
            self.timers.set(Some(id), WakeReason::SelfStop, by);
        } else {
            self.end_as_failed(id, EndWhy::SelfStopOverdue(within));
        }
    }

    /// Another process is the main one now.
    pub(super) fn main_changed(&mut self, id: UnitId, pid: u32) {
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        // Before its program is there, only a hook can have said so.
        if run.exited || run.pid == Some(pid) || run.is_held_by(Holding::BeforeStart) {
            return;
        }
        run.pid = Some(pid);
        run.main = Some(pid);
        let run_id = run.id;
        self.event(id, Some(run_id), EventKind::MainChanged { pid });
        self.save(id, false);
    }

    /// The program asks for time (`EXTEND_TIMEOUT_USEC`): what it is at is not overdue before `by` has
    /// passed. A deadline that is later anyway stays, and one that it never had is not made. As with
    /// systemd, a beat that is owed has as long.
    pub(super) fn extend_timeout(&mut self, id: UnitId, by: Duration) {
        let until = self.now.mono.after(by);
        let Some(run) = self.units.get_mut(&id).and_then(Unit::run_mut) else {
            return;
        };
        let later = |deadline| {
            if planted(Fault::ExtendMovesEarlier) {
                until
            } else {
                until.max(deadline)
            }
        };
        let reasons: &[WakeReason] = match &mut run.stage {
            Stage::Asked {
                until, deadline, ..
            } => {
                (*until, *deadline) = (later(*until), later(*deadline));
                &[WakeReason::Stop]
            }
            Stage::Alive if !run.exited => {
                run.not_before = later(run.not_before);
                &[
                    WakeReason::Ready,
                    WakeReason::Heartbeat,
                    WakeReason::SelfStop,
                ]
            }
            // A hook has its own time.
            Stage::Alive | Stage::Killing { .. } | Stage::Hook(_) => return,
        };
        for &reason in reasons {
            if let Some(deadline) = self.timers.get(Some(id), reason) {
                self.timers.set(Some(id), reason, later(deadline));
            }
        }
        self.extend_reload(id, until);
        self.save(id, false);
    }
}
