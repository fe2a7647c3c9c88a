//! Commands about units.

use std::sync::Arc;

use abide_core::Command;
use abide_model::Signal;
use abide_model::api::{CommandRequest, OperationView, RollingRequest, SignalRequest, Verb};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::document::{Guarded, NoSuchUnit, Refused, WithBody};
use super::error::{Answer, ApiError};
use super::extract::{Body, Params, Segment};
use super::operations::view;
use super::status::blocking;
use super::{Context, remote};
use crate::board::UnitEntry;

/// More patterns than anybody types.
const MAX_PATTERNS: usize = 1000;

/// A verb that needs nothing but the units.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlainVerb {
    Start,
    Stop,
    Restart,
    Reload,
    Reset,
    Enable,
    Disable,
    Remove,
}

impl From<PlainVerb> for Verb {
    fn from(verb: PlainVerb) -> Self {
        match verb {
            PlainVerb::Start => Self::Start,
            PlainVerb::Stop => Self::Stop,
            PlainVerb::Restart => Self::Restart,
            PlainVerb::Reload => Self::Reload,
            PlainVerb::Reset => Self::Reset,
            PlainVerb::Enable => Self::Enable,
            PlainVerb::Disable => Self::Disable,
            PlainVerb::Remove => Self::Remove,
        }
    }
}

type Accepted = (StatusCode, Json<OperationView>);

/// One verb for several patterns at once.
#[utoipa::path(
    post, path = "/v1/command", tag = "commands",
    request_body = CommandRequest,
    responses((status = 202, body = OperationView), Guarded, WithBody, NoSuchUnit, Refused)
)]
pub(super) async fn several(
    State(context): State<Context>,
    params: Params,
    Body(request): Body<CommandRequest>,
) -> Answer<Accepted> {
    params.finish()?;
    if !(1..=MAX_PATTERNS).contains(&request.patterns.len()) {
        return Err(ApiError::bad_request(format!(
            "a command takes 1 to {MAX_PATTERNS} patterns; `all` means every unit"
        )));
    }
    if request.signal.is_some() && request.command != Verb::Signal {
        return Err(ApiError::bad_request(format!(
            "{} takes no signal",
            request.command.as_str()
        )));
    }
    if request.rolling.is_some() && request.command != Verb::Restart {
        return Err(ApiError::bad_request(format!(
            "{} cannot be rolling; only restart can",
            request.command.as_str()
        )));
    }
    if let Some(rolling) = request.rolling {
        return restart_rolling(&context, &request.patterns, rolling).await;
    }
    carry_out(&context, request.command, &request.patterns, request.signal).await
}

/// Starts, stops, restarts, … the units that the pattern means.
#[utoipa::path(
    post, path = "/v1/units/{name}/{command}", tag = "commands",
    params(
        ("name" = String, Path, description = "A name or a pattern."),
        ("command" = PlainVerb, Path, description = "What to do."),
        ("rolling" = Option<bool>, Query, description = "`restart`: a few at a time, and only while that goes well."),
        ("first" = Option<u8>, Query, description = "With `rolling`: percent of the units that come first."),
        ("hold_ms" = Option<u64>, Query, description = "With `rolling`: how long those must stay up before the others follow."),
    ),
    responses((status = 202, body = OperationView), Guarded, NoSuchUnit, Refused)
)]
pub(super) async fn one(
    State(context): State<Context>,
    Segment((name, verb)): Segment<(String, String)>,
    mut params: Params,
) -> Answer<Accepted> {
    let rolling = match verb.as_str() {
        "restart" => rolling_of(&mut params)?,
        _ => None,
    };
    params.finish()?;
    if let Some(rolling) = rolling {
        return restart_rolling(&context, &[name], rolling).await;
    }
    let verb = serde_json::from_value::<PlainVerb>(verb.clone().into()).map_err(|_| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "no_such_path",
            format!("there is no command {verb:?} for units"),
        )
    })?;
    carry_out(&context, verb.into(), &[name], None).await
}

/// Sends a signal to the main process of each unit that the pattern means.
#[utoipa::path(
    post, path = "/v1/units/{name}/signal", tag = "commands",
    params(("name" = String, Path, description = "A name or a pattern.")),
    request_body = SignalRequest,
    responses((status = 202, body = OperationView), Guarded, WithBody, NoSuchUnit, Refused)
)]
pub(super) async fn signal(
    State(context): State<Context>,
    Segment(name): Segment<String>,
    params: Params,
    Body(request): Body<SignalRequest>,
) -> Answer<Accepted> {
    params.finish()?;
    carry_out(&context, Verb::Signal, &[name], Some(request.signal)).await
}

/// What the query says of a rolling restart.
fn rolling_of(params: &mut Params) -> Answer<Option<RollingRequest>> {
    let rolling = params.take::<bool>("rolling")?.unwrap_or(false);
    let (first, hold_ms) = (params.take("first")?, params.count("hold_ms")?);
    if !rolling && (first.is_some() || hold_ms.is_some()) {
        return Err(ApiError::bad_request(
            "first and hold_ms are of a rolling restart; add rolling=true",
        ));
    }
    Ok(rolling.then(|| RollingRequest {
        first: first.unwrap_or_else(RollingRequest::first),
        hold_ms: hold_ms.unwrap_or_else(RollingRequest::hold_ms),
    }))
}

async fn restart_rolling(
    context: &Context,
    patterns: &[String],
    rolling: RollingRequest,
) -> Answer<Accepted> {
    let plan = rolling.plan().map_err(ApiError::bad_request)?;
    let units = context.board().resolve_all(patterns)?;
    let units = units.iter().map(|unit| unit.id).collect();
    let command = Command::RestartRolling { units, plan };
    let operation = context.handle().command(command).await?;
    Ok((StatusCode::ACCEPTED, Json(view(&operation))))
}

async fn carry_out(
    context: &Context,
    verb: Verb,
    patterns: &[String],
    signal: Option<Signal>,
) -> Answer<Accepted> {
    if let Some(operation) = remote::command(context, verb, patterns)? {
        return Ok((StatusCode::ACCEPTED, Json(view(&operation))));
    }
    let units = context.board().resolve_all(patterns)?;
    let ids = units.iter().map(|unit| unit.id).collect();
    let command = match verb {
        Verb::Start => Command::Start(ids),
        Verb::Stop => Command::Stop(ids),
        Verb::Restart => Command::Restart(ids),
        Verb::Reload => Command::Reload(ids),
        Verb::Reset => Command::Reset(ids),
        Verb::Enable => Command::Enable(ids),
        Verb::Disable => Command::Disable(ids),
        Verb::Remove => Command::Remove(ids),
        Verb::Signal => {
            let signal = signal
                .ok_or_else(|| ApiError::bad_request("which signal? add \"signal\": \"SIGHUP\""))?;
            Command::Signal(ids, signal)
        }
    };
    let operation = context.handle().command(command).await?;
    if verb == Verb::Remove {
        forget_files(context, units).await?;
    }
    Ok((StatusCode::ACCEPTED, Json(view(&operation))))
}

/// A unit that `abide run` made has a file of its own in the home; it goes with the unit.
async fn forget_files(context: &Context, units: Vec<Arc<UnitEntry>>) -> Answer<()> {
    let own = context.config.home.units();
    blocking(move || {
        for unit in units {
            let file = &*unit.spec.file;
            if file.parent() != Some(&own) {
                continue;
            }
            if let Err(error) = std::fs::remove_file(file)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(file = %file.display(), %error, "the file of a removed unit stays");
            }
        }
    })
    .await
}
