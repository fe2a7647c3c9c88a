//! Figures for Prometheus, in the OpenMetrics text format.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use abide_model::ActualState;
use abide_platform::usage::{Desk, Figures};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::Context;
use super::document::Open;
use super::error::{Answer, ApiError};
use super::status::{blocking, log_status};
use super::usage::Sampling;
use crate::handle::BeatCounts;

type Labels = [(&'static str, String); 1];
type Floats = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter<u64>>;
type Integers = Family<Labels, Gauge<i64, AtomicI64>>;

/// Figures for Prometheus (OpenMetrics 1.0).
#[utoipa::path(
    get, path = "/metrics", tag = "metrics", security(()),
    responses(
        (status = 200, body = String, content_type = "application/openmetrics-text"),
        (status = 500, body = abide_model::api::ErrorBody, description = "Something of the machine failed; the message says what."),
        Open
    )
)]
pub(super) async fn metrics(State(context): State<Context>) -> Answer<Response> {
    let text = blocking(move || figures(&context)).await??;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

fn figures(context: &Context) -> Answer<String> {
    let units = context.board().units();
    let sampler = Arc::clone(&context.sampler);
    let sampling = Sampling::begin(sampler, units.iter().map(|unit| &**unit), Figures::ALL);
    let mut desk = Desk::default();
    let daemon = context.board().daemon();
    let mut registry = Registry::with_prefix("abide");

    registry.register(
        "build",
        "abide's version.",
        Info::new([("version", daemon.version)]),
    );
    let started: Gauge<f64, AtomicU64> = Gauge::default();
    started.set(seconds(daemon.started_at.0));
    registry.register_with_unit(
        "daemon_started",
        "When this daemon process began, since 1970.",
        Unit::Seconds,
        started,
    );
    let events: Counter<u64> = Counter::default();
    events.inc_by(context.handle().events().last());
    registry.register("events", "Events of this home.", events);

    let in_state = Integers::default();
    for state in STATES {
        let n = units.iter().filter(|unit| unit.view.state == state).count();
        let gauge = in_state.get_or_create_owned(&[("state", state.to_string())]);
        gauge.set(i64::try_from(n).unwrap_or(i64::MAX));
    }
    registry.register("units", "Units in each state.", in_state);

    let up = Integers::default();
    let wanted = Integers::default();
    let looping = Integers::default();
    let restarts = Family::<Labels, Counter<u64>>::default();
    let lost = Family::<Labels, Counter<u64>>::default();
    let beats = Family::<Labels, Counter<u64>>::default();
    let beats_refused = Family::<Labels, Counter<u64>>::default();
    let since = Floats::default();
    let cpu = Family::<Labels, Counter<f64, AtomicU64>>::default();
    let memory = Integers::default();
    let processes = Integers::default();
    let (read, written) = (Counters::default(), Counters::default());
    let throttled = Family::<Labels, Counter<f64, AtomicU64>>::default();
    for unit in &units {
        let sample = sampling.of(unit, &mut desk);
        let label = [("unit", unit.name.to_string())];
        let view = &unit.view;
        up.get_or_create_owned(&label).set(i64::from(view.ready));
        let is_wanted = view.desired == abide_model::DesiredState::Up;
        wanted.get_or_create_owned(&label).set(i64::from(is_wanted));
        looping
            .get_or_create_owned(&label)
            .set(i64::from(view.crash_looping));
        restarts.get_or_create_owned(&label).inc_by(view.restarts);
        lost.get_or_create_owned(&label)
            .inc_by(log_status(context, unit).bytes_lost);
        let counts = context.handle().beats().counts(unit.id);
        if view.heartbeat.is_some() || counts != BeatCounts::default() {
            beats.get_or_create_owned(&label).inc_by(counts.taken);
            beats_refused
                .get_or_create_owned(&label)
                .inc_by(counts.refused);
        }
        if let (Some(started), Some(_)) = (view.started, view.pid) {
            since
                .get_or_create_owned(&label)
                .set(seconds(started.wall.0));
        }
        if let Some(sample) = sample {
            if let Some(time) = sample.usage.cpu {
                cpu.get_or_create_owned(&label).inc_by(time.as_secs_f64());
            }
            let bytes = i64::try_from(sample.usage.memory).unwrap_or(i64::MAX);
            memory.get_or_create_owned(&label).set(bytes);
            let n = i64::try_from(sample.usage.processes).unwrap_or(i64::MAX);
            processes.get_or_create_owned(&label).set(n);
            if let Some(io) = sample.usage.io {
                read.get_or_create_owned(&label).inc_by(io.read);
                written.get_or_create_owned(&label).inc_by(io.written);
            }
            if let Some(time) = sample.usage.throttled {
                throttled
                    .get_or_create_owned(&label)
                    .inc_by(time.as_secs_f64());
            }
        }
    }
    registry.register("unit_up", "1: up and ready.", up);
    registry.register("unit_wanted", "1: should be up.", wanted);
    registry.register("unit_crash_looping", "1: keeps crashing.", looping);
    registry.register(
        "unit_restarts",
        "Restarts by abide since a person started the unit.",
        restarts,
    );
    registry.register(
        "unit_beats",
        "Beats that were taken, since this daemon began.",
        beats,
    );
    registry.register(
        "unit_beats_refused",
        "Beats in the unit's name that were refused, since this daemon began.",
        beats_refused,
    );
    let foreign: Counter<u64> = Counter::default();
    foreign.inc_by(context.handle().beats().foreign());
    registry.register(
        "beats_foreign",
        "Beats for services that are not known here, since this daemon began.",
        foreign,
    );
    if let Some((remotes, silent)) = context.remotes.counts() {
        let counted = Integers::default();
        for (state, n) in [("reporting", remotes - silent), ("silent", silent)] {
            let gauge = counted.get_or_create_owned(&[("state", state.to_owned())]);
            gauge.set(i64::try_from(n).unwrap_or(i64::MAX));
        }
        registry.register("remotes", "Services of other machines.", counted);
    }
    if let Some(standing) = context.reports.standing() {
        let outcomes = Family::<Labels, Counter<u64>>::default();
        for (outcome, n) in [("arrived", standing.sent), ("failed", standing.failed)] {
            outcomes
                .get_or_create_owned(&[("outcome", outcome.to_owned())])
                .inc_by(n);
        }
        registry.register(
            "reports",
            "Messages to the monitor of `[report]`.",
            outcomes,
        );
    }
    register_system_logs(context, &mut registry);
    registry.register_with_unit(
        "unit_log_lost",
        "Output that could not be kept, since this daemon began.",
        Unit::Bytes,
        lost,
    );
    registry.register_with_unit(
        "unit_started",
        "When the current run began, since 1970.",
        Unit::Seconds,
        since,
    );
    registry.register_with_unit(
        "unit_cpu",
        "CPU time of the current run's whole tree.",
        Unit::Seconds,
        cpu,
    );
    registry.register_with_unit(
        "unit_memory",
        "Memory of the current run's whole tree.",
        Unit::Bytes,
        memory,
    );
    registry.register(
        "unit_processes",
        "Processes of the current run's whole tree.",
        processes,
    );
    registry.register_with_unit(
        "unit_io_read",
        "Read from block devices by the current run's whole tree.",
        Unit::Bytes,
        read,
    );
    registry.register_with_unit(
        "unit_io_written",
        "Written to block devices by the current run's whole tree.",
        Unit::Bytes,
        written,
    );
    registry.register_with_unit(
        "unit_cpu_throttled",
        "How long the current run was held back by its limit of CPU.",
        Unit::Seconds,
        throttled,
    );

    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|error| ApiError::internal(format!("the figures cannot be shown: {error}")))?;
    Ok(text)
}

fn register_system_logs(context: &Context, registry: &mut Registry) {
    let logs = context.board().system_logs().all();
    if logs.is_empty() {
        return;
    }
    let (sent, lost, lost_bytes) = (
        Counters::default(),
        Counters::default(),
        Counters::default(),
    );
    let up = Integers::default();
    for (to, standing) in logs {
        let label = [("to", to)];
        sent.get_or_create_owned(&label).inc_by(standing.sent);
        lost.get_or_create_owned(&label)
            .inc_by(standing.lost_messages);
        lost_bytes
            .get_or_create_owned(&label)
            .inc_by(standing.lost_bytes);
        up.get_or_create_owned(&label)
            .set(i64::from(standing.away.is_none()));
    }
    registry.register(
        "system_log_messages",
        "Messages that a system log took, since this daemon began.",
        sent,
    );
    registry.register(
        "system_log_lost_messages",
        "Messages for a system log that were lost, since this daemon began.",
        lost,
    );
    registry.register_with_unit(
        "system_log_lost",
        "Output that was deleted before it could be sent to a system log, since this daemon began.",
        Unit::Bytes,
        lost_bytes,
    );
    registry.register("system_log_up", "1: it takes messages.", up);
}

const STATES: [ActualState; 8] = [
    ActualState::Stopped,
    ActualState::Waiting,
    ActualState::Starting,
    ActualState::Running,
    ActualState::Stopping,
    ActualState::Backoff,
    ActualState::Failed,
    ActualState::Exited,
];

#[expect(clippy::cast_precision_loss, reason = "to the microsecond is enough")]
fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}
