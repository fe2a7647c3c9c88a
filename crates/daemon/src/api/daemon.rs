//! The daemon itself.

use std::collections::BTreeMap;

use abide_model::api::{DaemonStatus, ReportStatus, SystemLogStatus};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Context;
use super::document::{Guarded, Open};
use super::error::Answer;
use super::extract::Params;
use super::status::blocking;
use super::times::rfc3339;

/// About the daemon.
#[utoipa::path(
    get, path = "/v1/daemon", tag = "daemon",
    responses((status = 200, body = DaemonStatus), Guarded)
)]
pub(super) async fn show(
    State(context): State<Context>,
    params: Params,
) -> Answer<Json<DaemonStatus>> {
    params.finish()?;
    let daemon = context.board().daemon();
    let units = context.board().units();
    let mut states = BTreeMap::new();
    for unit in &units {
        *states
            .entry(unit.view.state.as_str().to_owned())
            .or_insert(0) += 1;
    }
    // Files of /proc, and one look at a name: quick, unless that lies on a disk that hangs.
    let own = blocking(|| abide_platform::executable::own().ok()).await?;
    Ok(Json(DaemonStatus {
        version: daemon.version,
        build: daemon.build,
        executable: own.as_ref().map(|(path, _)| path.clone()),
        executable_replaced: own.is_some_and(|(_, same)| !same),
        pid: daemon.pid,
        keeper_pid: daemon.keeper_pid,
        home: daemon.home,
        started_at: rfc3339(daemon.started_at),
        stopping: daemon.stopping,
        recoveries: daemon.recoveries,
        recovered: daemon.recovered,
        listen: context
            .listeners
            .bound()
            .iter()
            .map(ToString::to_string)
            .collect(),
        units: units.len() as u64,
        states,
        sources: daemon
            .sources
            .into_iter()
            .map(|source| source.file)
            .collect(),
        last_event: context.handle().events().last(),
        beats_foreign: context.handle().beats().foreign(),
        report: context.reports.standing().map(|standing| ReportStatus {
            to: standing.to,
            sent: standing.sent,
            failed: standing.failed,
            last_at: standing.last.map(rfc3339),
            last_error: standing.error,
        }),
        system_logs: system_logs(&context),
    }))
}

fn system_logs(context: &Context) -> Vec<SystemLogStatus> {
    let all = context.board().system_logs().all();
    all.into_iter()
        .map(|(to, standing)| SystemLogStatus {
            to,
            sent: standing.sent,
            lost_bytes: standing.lost_bytes,
            lost_messages: standing.lost_messages,
            last_at: standing.last.map(rfc3339),
            away: standing.away,
        })
        .collect()
}

/// Whether the API answers.
#[utoipa::path(
    get, path = "/healthz", tag = "daemon", security(()),
    responses((status = 200, body = String, content_type = "text/plain"), Open)
)]
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "daemon",
    responses((status = 200, body = Object, content_type = "application/json"), Guarded)
)]
pub(super) async fn openapi() -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    match super::document().to_json() {
        Ok(text) => (json, text).into_response(),
        Err(error) => {
            super::error::ApiError::internal(format!("the document cannot be made: {error}"))
                .into_response()
        }
    }
}
