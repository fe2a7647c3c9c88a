//! Operations: how far a command is.

use std::time::Duration;

use abide_model::api::OperationView;
use abide_model::{Operation, OperationId, OperationState};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Context;
use super::document::{Guarded, NoSuchUnit};
use super::error::{Answer, ApiError};
use super::extract::{Params, Segment};
use super::times::rfc3339;

/// The longest wait of one request, in seconds; ask again for more.
const LONGEST_WAIT: u64 = 60;

/// One operation. With `wait` it is answered when the operation ends, or so many seconds later.
#[utoipa::path(
    get, path = "/v1/operations/{id}", tag = "operations",
    params(
        ("id" = u64, Path, description = "As a command was answered with."),
        ("wait" = Option<u64>, Query, description = "Seconds, 60 at most."),
    ),
    responses((status = 200, body = OperationView), Guarded, NoSuchUnit)
)]
pub(super) async fn show(
    State(context): State<Context>,
    Segment(id): Segment<u64>,
    mut params: Params,
) -> Answer<Json<OperationView>> {
    let wait = params.count("wait")?.unwrap_or(0).min(LONGEST_WAIT);
    params.finish()?;
    let until = tokio::time::sleep(Duration::from_secs(wait));
    tokio::pin!(until);
    let mut changes = context.board().watch_operations();
    loop {
        changes.borrow_and_update();
        let operation = context.board().operation(OperationId(id)).ok_or_else(|| {
            ApiError::new(
                StatusCode::NOT_FOUND,
                "no_such_operation",
                format!("there is no operation {id}, or it ended long ago"),
            )
        })?;
        if operation.state != OperationState::Running || wait == 0 {
            return Ok(Json(view(&operation)));
        }
        tokio::select! {
            Ok(()) = changes.changed() => {}
            () = &mut until => return Ok(Json(view(&operation))),
            () = context.ended() => return Ok(Json(view(&operation))),
        }
    }
}

pub(super) fn view(operation: &Operation) -> OperationView {
    OperationView::new(
        operation,
        rfc3339(operation.since),
        abide_platform::clock::now().mono,
    )
}
