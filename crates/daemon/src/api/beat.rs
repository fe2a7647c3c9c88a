//! Beats: programs report in.
//!
//! A beat is judged by what is published, and noted for the driver: no beat waits for it, and no
//! number of beats holds it up.

use std::time::Duration;

use abide_model::api::{BeatAnswer, BeatRefusal, BeatRequest, BeatsAnswer};
use abide_model::{ActualState, EventKind, Refusal, RunId, Wall};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::document::{Guarded, NoSuchUnit, WithBody};
use super::error::{Answer, ApiError};
use super::extract::BeatBody;
use crate::board::UnitEntry;
use crate::handle::Noted;
use crate::monitor::{self, Key, MAX_REMOTES, NotTaken};

/// More than one POST of beats may hold.
const MAX_BEATS: usize = 1000;

/// A clock that is further off is told in the events.
const MAX_DRIFT: Duration = Duration::from_secs(10);

/// A program reports in, or somebody reports for several: an array is answered with how many were
/// taken and each that was not. Answered with 404 for a service that is not known, and with 409 for
/// one that owes no beats, does not run or is being stopped.
#[utoipa::path(
    post, path = "/v1/heartbeat", tag = "beats", security(()),
    request_body = BeatRequest,
    responses(
        (status = 200, body = BeatAnswer),
        (status = 409, body = abide_model::api::ErrorBody, description = "The service owes no beats, does not run or is being stopped."),
        Guarded, WithBody, NoSuchUnit
    )
)]
pub(super) async fn beat(State(context): State<Context>, body: BeatBody) -> Answer<Response> {
    take(&context, body)
}

/// The same as `/v1/heartbeat`, for programs that were written for it.
#[utoipa::path(
    post, path = "/heartbeat", tag = "beats", security(()),
    request_body = BeatRequest,
    responses(
        (status = 200, body = BeatAnswer),
        (status = 409, body = abide_model::api::ErrorBody, description = "The service owes no beats, does not run or is being stopped."),
        Guarded, WithBody, NoSuchUnit
    )
)]
pub(super) async fn beat_short(State(context): State<Context>, body: BeatBody) -> Answer<Response> {
    take(&context, body)
}

fn take(context: &Context, body: BeatBody) -> Answer<Response> {
    match body {
        BeatBody::One(beat) => take_one(context, &beat).map(|answer| Json(answer).into_response()),
        BeatBody::Several(beats) => take_several(context, beats),
    }
}

fn take_several(context: &Context, beats: Vec<Value>) -> Answer<Response> {
    /// Nothing was taken: an error like others, with the list besides.
    #[derive(Serialize)]
    struct NoneTaken {
        #[serde(flatten)]
        error: abide_model::api::ErrorBody,
        #[serde(flatten)]
        answer: BeatsAnswer,
    }

    if beats.len() > MAX_BEATS {
        return Err(ApiError::bad_request(format!(
            "an array of beats has at most {MAX_BEATS}, this one has {}",
            beats.len()
        )));
    }
    let mut answer = BeatsAnswer::default();
    let mut first = None;
    for (index, beat) in beats.into_iter().enumerate() {
        let service = beat.get("service").and_then(Value::as_str).map(Into::into);
        let beat = serde_json::from_value::<BeatRequest>(beat)
            .map_err(|error| ApiError::bad_request(format!("the beat is not understood: {error}")));
        match beat.and_then(|beat| take_one(context, &beat)) {
            Ok(_) => answer.taken += 1,
            Err(error) => {
                let status = error.status();
                let body = error.body();
                answer.refused.push(BeatRefusal {
                    index: index as u64,
                    service,
                    error: body.error.clone(),
                    message: body.message.clone(),
                    help: body.help.clone(),
                });
                first.get_or_insert((status, body));
            }
        }
    }
    match first {
        Some((status, error)) if answer.taken == 0 => {
            Ok((status, Json(NoneTaken { error, answer })).into_response())
        }
        _ => Ok(Json(answer).into_response()),
    }
}

fn take_one(context: &Context, beat: &BeatRequest) -> Answer<BeatAnswer> {
    let now = abide_platform::clock::now().wall;
    let drift_ms = drift(beat.ts, now);
    let desk = context.handle().beats();
    let key = monitor::key(&beat.service, beat.host.as_deref());
    let remote = key.filter(|key| context.remotes.accepts(key));
    // What says that it is of another machine is never one of ours, if we are its monitor.
    let elsewhere = beat
        .host
        .as_deref()
        .is_some_and(|host| !is_here(context, host));
    let mut named = match &remote {
        Some(_) if elsewhere => Vec::new(),
        _ => context.board().named(&beat.service),
    };
    let unit = match (named.pop(), named.is_empty(), remote) {
        (Some(unit), true, _) => unit,
        (Some(last), false, _) => {
            desk.refuse_foreign();
            let units = named.iter().take(3).map(|unit| unit.name.clone());
            let refusal = Refusal::Ambiguous {
                name: beat.service.clone(),
                units: units.chain([last.name.clone()]).collect(),
            };
            return Err(refusal.into());
        }
        (None, _, Some(key)) => return take_remote(context, &key, beat, drift_ms),
        (None, _, None) => {
            desk.refuse_foreign();
            return Err(unknown(context, &beat.service));
        }
    };
    let run = match current(&unit) {
        Ok(run) => run,
        Err(refusal) => {
            desk.refuse(unit.id);
            return Err(refusal.into());
        }
    };
    let wrong = drift_ms.is_some_and(|ms| u128::from(ms.unsigned_abs()) > MAX_DRIFT.as_millis());
    let noted = Noted {
        unit: unit.id,
        run,
        at: now,
        drift_ms,
    };
    if desk.note(noted, wrong) {
        tell_drift(context, &unit, run, now, drift_ms.unwrap_or_default());
    }
    Ok(BeatAnswer {
        service: unit.name.to_string(),
        drift_ms,
    })
}

/// A service of another machine reports.
fn take_remote(
    context: &Context,
    key: &Key,
    beat: &BeatRequest,
    drift_ms: Option<i64>,
) -> Answer<BeatAnswer> {
    match context.remotes.beat(key, beat, drift_ms) {
        Ok(()) => Ok(BeatAnswer {
            service: key.to_string(),
            drift_ms,
        }),
        Err(why) => {
            context.handle().beats().refuse_foreign();
            Err(match why {
                NotTaken::Unwanted => unknown(context, &beat.service),
                NotTaken::Full => ApiError::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too_many_services",
                    format!("{MAX_REMOTES} services report here already"),
                )
                .help("`abide remove HOST/NAME` forgets one that is gone"),
            })
        }
    }
}

/// Whether this is what this machine is called.
fn is_here(context: &Context, host: &str) -> bool {
    let daemon = || context.board().daemon().sources.into_iter();
    host == &*context.machine
        || daemon().any(|source| {
            let report = source.settings.report;
            report.is_some_and(|report| report.host.as_deref() == Some(host))
        })
}

/// The run that a beat in the name of this unit belongs to.
fn current(unit: &UnitEntry) -> Result<RunId, Refusal> {
    let name = || unit.name.clone();
    if unit.spec.policy.heartbeat.is_none() {
        return Err(Refusal::NoHeartbeat(name()));
    }
    let view = &unit.view;
    match (view.state, view.run) {
        (ActualState::Stopping, _) => Err(Refusal::Stopping(name())),
        // While it starts, its process may be there a moment before it is published.
        (ActualState::Starting, Some(run)) => Ok(run),
        (ActualState::Running, Some(run)) if view.pid.is_some() => Ok(run),
        _ => Err(Refusal::NotRunning(name())),
    }
}

fn unknown(context: &Context, service: &str) -> ApiError {
    let shown: String = service.chars().take(128).collect();
    let error = ApiError::from(Refusal::NoSuchUnit(shown));
    if !context.suggestions.allowed() {
        return error;
    }
    match &*context.board().near(service) {
        [] => {
            error.help("a beat names a unit of this daemon: `service` is what `abide status` shows")
        }
        near => error.help(format!("did you mean {}?", near.join(" or "))),
    }
}

/// The sender's clock minus ours, saturating.
fn drift(ts: Option<f64>, now: Wall) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "to the millisecond, and saturating, is what is wanted"
    )]
    ts.map(|ts| (ts * 1e3 - now.0 as f64 / 1e6) as i64)
}

fn tell_drift(context: &Context, unit: &UnitEntry, run: RunId, now: Wall, drift_ms: i64) {
    let side = if drift_ms < 0 { "behind" } else { "ahead of" };
    let seconds = drift_ms.unsigned_abs() / 1000;
    let text = format!(
        "the times in its beats are {seconds} s {side} this machine's clock; only their arrival counts"
    );
    let kind = EventKind::Warning { text };
    let events = context.handle().events();
    events.record(now, Some(unit.name.clone()), Some(run), kind);
}

/// How many answers a second may say what was meant: to find that out takes as long as there are
/// units, and a flood of wrong names must not hold up the others.
#[derive(Debug, Default)]
pub(super) struct Suggestions(std::sync::Mutex<Option<(std::time::Instant, u32)>>);

impl Suggestions {
    const A_SECOND: u32 = 20;

    fn allowed(&self) -> bool {
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = std::time::Instant::now();
        let (since, n) = state.get_or_insert((now, 0));
        if now.duration_since(*since) >= Duration::from_secs(1) {
            (*since, *n) = (now, 0);
        }
        *n += 1;
        *n <= Self::A_SECOND
    }
}
