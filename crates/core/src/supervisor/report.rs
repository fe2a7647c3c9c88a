//! What is noted of a stop, step by step: which one ended the run, and how long it took.
//!
//! A report is begun with the first thing that is done to end a run which is to end, and closed when nothing of
//! the run is left. What a crash leaves behind is cleared away without one.

use std::time::Duration;

use abide_model::{EventKind, Mono, StopReport, StopStepReport, UnitId};

use crate::supervisor::Supervisor;
use crate::supervisor::unit::{Phase, Unit};

impl Unit {
    /// The report of the stop that is under way, and when that began.
    fn open_report(&mut self) -> Option<(&mut StopReport, Mono)> {
        let Phase::Live(run) = &self.phase else {
            return None;
        };
        let begun = run.stop_begun?;
        let report = self.last_stop.as_deref_mut()?;
        (report.run_id == run.id.0 && !report.is_over()).then_some((report, begun))
    }

    /// Its main process ended.
    pub(super) fn report_exit(&mut self, now: Mono) {
        if let Some((report, begun)) = self.open_report() {
            report.exited_after_ms = Some(millis(now.since(begun)));
        }
    }
}

impl Supervisor {
    /// From now on something is done to end the run, if it is to end.
    pub(super) fn open_report(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let within = unit.policy.stop.within;
        let Phase::Live(run) = &mut unit.phase else {
            return;
        };
        let Some(why) = run.end.as_ref().filter(|_| run.stop_begun.is_none()) else {
            return;
        };
        let within = run.old_stop.as_ref().map_or(within, |stop| stop.within);
        unit.last_stop = Some(Box::new(StopReport {
            run_id: run.id.0,
            why: why.to_string(),
            within_ms: millis(within),
            exited_after_ms: run.exited.then_some(0),
            ..StopReport::default()
        }));
        run.stop_begun = Some(now);
    }

    /// A step is taken. One that is repeated by a new daemon is the same one.
    pub(super) fn report_step(&mut self, id: UnitId, step: String) {
        self.open_report(id);
        let now = self.now.mono;
        let open = self.units.get_mut(&id).and_then(Unit::open_report);
        let Some((report, begun)) = open else { return };
        let again = report.steps.last().is_some_and(|last| last.step == step);
        if !again
            || report
                .steps
                .last()
                .is_some_and(|last| last.failed.is_some())
        {
            report.steps.push(StopStepReport {
                step,
                after_ms: millis(now.since(begun)),
                ..StopStepReport::default()
            });
        }
    }

    /// What came of the step that was taken last.
    pub(super) fn report_answer(&mut self, id: UnitId, answer: Result<Option<String>, String>) {
        let open = self.units.get_mut(&id).and_then(Unit::open_report);
        if let Some(last) = open.and_then(|(report, _)| report.steps.last_mut()) {
            match answer {
                Ok(how) => last.how = how,
                Err(why) => last.failed = Some(why),
            }
        }
    }

    /// Nothing of the run is left.
    pub(super) fn close_report(&mut self, id: UnitId) {
        let now = self.now.mono;
        let Some(unit) = self.units.get_mut(&id) else {
            return;
        };
        let run = unit.run().map(|run| run.id);
        let Some((report, begun)) = unit.open_report() else {
            return;
        };
        report.took_ms = Some(millis(now.since(begun)));
        report.ended_by = report.in_force().map(|step| step.step.clone());
        let told = EventKind::StopReport {
            report: report.clone(),
        };
        self.event(id, run, told);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
