//! Beats: programs report in.

use abide_model::Refusal;
use abide_model::api::{BeatAnswer, BeatRequest};
use axum::Json;
use axum::extract::State;

use super::Context;
use super::document::{Guarded, NoSuchUnit, WithBody};
use super::error::{Answer, ApiError};
use super::extract::SmallBody;

/// A program reports in. Answered with 404 for a service that is not known, and with 409 for one
/// that owes no beats or does not run.
#[utoipa::path(
    post, path = "/v1/heartbeat", tag = "beats", security(()),
    request_body = BeatRequest,
    responses(
        (status = 200, body = BeatAnswer),
        (status = 409, body = abide_model::api::ErrorBody, description = "The service owes no beats, or does not run."),
        Guarded, WithBody, NoSuchUnit
    )
)]
pub(super) async fn beat(
    State(context): State<Context>,
    SmallBody(request): SmallBody<BeatRequest>,
) -> Answer<Json<BeatAnswer>> {
    take(&context, request).await.map(Json)
}

/// The same as `/v1/heartbeat`, for programs that were written for it.
#[utoipa::path(
    post, path = "/heartbeat", tag = "beats", security(()),
    request_body = BeatRequest,
    responses(
        (status = 200, body = BeatAnswer),
        (status = 409, body = abide_model::api::ErrorBody, description = "The service owes no beats, or does not run."),
        Guarded, WithBody, NoSuchUnit
    )
)]
pub(super) async fn beat_short(
    State(context): State<Context>,
    SmallBody(request): SmallBody<BeatRequest>,
) -> Answer<Json<BeatAnswer>> {
    take(&context, request).await.map(Json)
}

async fn take(context: &Context, request: BeatRequest) -> Answer<BeatAnswer> {
    let Some(unit) = context.board().unit(&request.service) else {
        return Err(match context.board().resolve(&request.service) {
            Err(error) => error.into(),
            Ok(_) => ApiError::from(Refusal::NoSuchUnit(request.service))
                .help("a beat names one unit in full, with its group and its instance"),
        });
    };
    if unit.spec.policy.heartbeat.is_none() {
        return Err(Refusal::NoHeartbeat(unit.name.clone()).into());
    }
    let now = abide_platform::clock::now().wall;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "to the millisecond, and saturating, is what is wanted"
    )]
    let drift_ms = request.ts.map(|ts| (ts * 1e3 - now.0 as f64 / 1e6) as i64);
    context.handle().beat(unit.id, drift_ms).await?;
    Ok(BeatAnswer {
        service: unit.name.to_string(),
        drift_ms,
    })
}
