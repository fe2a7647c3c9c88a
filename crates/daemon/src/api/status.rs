//! `UnitStatus` from what is published, what is counted and what is sampled.

use abide_model::{
    ExitStatus, HeartbeatStatus, LastExit, LastExitStatus, LogStatus, RefusedStatus, SourceStatus,
    UnitStatus, UnitType,
};

use super::Context;
use super::error::{Answer, ApiError};
use super::times::rfc3339;
use super::usage::Sample;
use crate::board::UnitEntry;

/// Runs something that blocks on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Answer<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ApiError::internal(format!("the work for this answer broke off: {error}")))
}

pub(super) fn log_status(context: &Context, unit: &UnitEntry) -> LogStatus {
    let capture = context.config.capture.as_ref();
    capture.map_or_else(LogStatus::default, |capture| {
        let counters = capture.counters(unit.id);
        LogStatus {
            bytes_lost: counters.bytes_lost,
            trouble: counters.trouble,
        }
    })
}

/// The status of one unit, with what its run was found to use.
pub(super) fn status(context: &Context, unit: &UnitEntry, sample: Option<Sample>) -> UnitStatus {
    let view = &unit.view;
    UnitStatus {
        name: unit.name.to_string(),
        group: unit.name.group().map(Into::into),
        instance: unit.name.instance().map(Into::into),
        kind: match unit.spec.policy.unit_type {
            UnitType::Service => "service",
            UnitType::Oneshot => "oneshot",
        }
        .into(),
        enabled: view.enabled,
        desired: view.desired,
        state: view.state,
        state_since: view.state_since.map(rfc3339),
        health: view.health,
        ready: view.ready,
        pid: view.pid,
        run_id: view.run.map(|run| run.0),
        started_at: view.started.map(|started| rfc3339(started.wall)),
        restarts: view.restarts,
        crash_looping: view.crash_looping,
        last_exit: view.last_exit.as_deref().map(last_exit),
        last_stop: view.last_stop.as_deref().cloned(),
        next_start: view.next_start.map(rfc3339),
        reason: view.reason.clone(),
        cpu_percent: sample.and_then(|sample| sample.cpu_percent),
        memory_bytes: sample.map(|sample| sample.usage.memory),
        processes: sample.map(|sample| sample.usage.processes),
        os_state: sample.and_then(|sample| Some(sample.usage.state?.as_str().to_owned())),
        io_read_bytes: sample.and_then(|sample| Some(sample.usage.io?.read)),
        io_write_bytes: sample.and_then(|sample| Some(sample.usage.io?.written)),
        status_text: unit.facts.status_text.clone(),
        heartbeat: view.heartbeat.map(|beat| HeartbeatStatus {
            last_at: beat.last.map(rfc3339),
            missed: beat.missed,
            drift_ms: beat.drift_ms,
        }),
        health_check: view.health_check.as_deref().cloned(),
        sockets: unit.facts.sockets.clone(),
        fds_stored: unit.facts.fds_stored,
        refused: RefusedStatus {
            beats: unit.facts.refused.beats + context.handle().beats().counts(unit.id).refused,
            ..unit.facts.refused
        },
        log: log_status(context, unit),
        limits_unsupported: unit.limits_unsupported.clone(),
        source: Some(SourceStatus {
            file: unit.spec.file.to_path_buf(),
            line: unit.spec.line,
        }),
        mode: "guard".into(),
        host: None,
    }
}

fn last_exit(exit: &LastExit) -> LastExitStatus {
    let (code, signal) = match &exit.status {
        ExitStatus::Code(code) => (Some(*code), None),
        ExitStatus::Signal { signal, .. } => (None, Some(signal.to_string())),
        ExitStatus::SpawnFailed(_) | ExitStatus::Unknown => (None, None),
    };
    LastExitStatus {
        code,
        signal,
        at: rfc3339(exit.at),
        reason: exit.reason.clone(),
        run_id: exit.run.0,
        output_may_be_lost: exit.output_may_be_lost,
    }
}
