//! Units: what is true of them, and why.

use std::sync::Arc;

use abide_model::api::Why;
use abide_model::{ActualState, Refusal, UnitName, UnitStatus};
use abide_platform::usage::{self, Desk, Figures, Halt};
use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::document::{Guarded, NoSuchUnit};
use super::error::{Answer, ApiError};
use super::extract::{Params, Segment};
use super::listing::{self, Length, Listed};
use super::status::{blocking, status};
use super::usage::Sampling;
use super::{Context, remote};
use crate::board::UnitEntry;

/// The statuses of all units, or of those that the patterns mean, ordered by name.
#[utoipa::path(
    get, path = "/v1/units", tag = "units",
    params(
        ("pattern" = Option<Vec<String>>, Query, description = "A name, a glob, `GROUP:*`, `all`, or the bare name of units with instances; may be given several times."),
    ),
    responses((status = 200, body = Vec<UnitStatus>), Guarded, NoSuchUnit)
)]
pub(super) async fn list(State(context): State<Context>, params: Params) -> Answer<Response> {
    listed(context, params, Length::Whole).await
}

/// The statuses as a table shows them: without `source`, `io_read_bytes` and `io_write_bytes`, and without what is null
/// or empty or counts nothing. Quicker for thousands of units.
#[utoipa::path(
    get, path = "/v1/brief", tag = "units",
    params(
        ("pattern" = Option<Vec<String>>, Query, description = "A name, a glob, `GROUP:*`, `all`, or the bare name of units with instances; may be given several times."),
    ),
    responses((status = 200, body = Vec<Object>), Guarded, NoSuchUnit)
)]
pub(super) async fn brief(State(context): State<Context>, params: Params) -> Answer<Response> {
    listed(context, params, Length::Brief).await
}

async fn listed(context: Context, mut params: Params, length: Length) -> Answer<Response> {
    let patterns = params.all("pattern");
    params.finish()?;
    let (units, remotes) = if patterns.is_empty() {
        (context.board().units(), context.remotes.views())
    } else {
        remote::resolve(&context, &patterns)?
    };
    let mut all: Vec<Listed> = units.into_iter().map(Listed::Unit).collect();
    if !remotes.is_empty() {
        let source = context.remotes.source();
        let remotes = remotes.iter();
        all.extend(
            remotes.map(|view| Listed::Remote(Box::new(remote::status(view, source.clone())))),
        );
        all.sort_by(|a, b| a.key().cmp(&b.key()));
    }
    listing::answer(context, all, length).await
}

/// One unit's status.
#[utoipa::path(
    get, path = "/v1/units/{name}", tag = "units",
    params(("name" = String, Path, description = "Full name.")),
    responses((status = 200, body = UnitStatus), Guarded, NoSuchUnit)
)]
pub(super) async fn show(
    State(context): State<Context>,
    Segment(name): Segment<String>,
    params: Params,
) -> Answer<Json<UnitStatus>> {
    params.finish()?;
    if let Some(view) = remote::one(&context, &name) {
        return Ok(Json(remote::status(&view, context.remotes.source())));
    }
    let unit = one(&context, &name)?;
    let status = blocking(move || {
        let sampler = Arc::clone(&context.sampler);
        let figures = Figures {
            cpu: false,
            io: true,
        };
        let sampling = Sampling::begin(sampler, std::iter::once(&*unit), figures);
        let sample = sampling.of(&unit, &mut Desk::default());
        status(&context, &unit, sample)
    });
    status.await.map(Json)
}

/// Why the unit is in its state, and what would change it.
#[utoipa::path(
    get, path = "/v1/units/{name}/why", tag = "units",
    params(("name" = String, Path, description = "Full name.")),
    responses((status = 200, body = Why), Guarded, NoSuchUnit)
)]
pub(super) async fn why(
    State(context): State<Context>,
    Segment(name): Segment<String>,
    params: Params,
) -> Answer<Json<Why>> {
    params.finish()?;
    if let Some(view) = remote::one(&context, &name) {
        return Ok(Json(remote::why(&view)));
    }
    let unit = one(&context, &name)?;
    let explained = context.handle().explain(unit.id).await?;
    let waits = explained
        .waits_for
        .iter()
        .map(|(unit, what)| format!("{unit}: {what}"));
    let mut because: Vec<String> = std::iter::once(explained.cause).chain(waits).collect();
    if let Some(stop) = &unit.view.last_stop
        && matches!(
            explained.state,
            ActualState::Stopped | ActualState::Stopping
        )
    {
        because.push(format!("its stop: {stop}"));
    }
    let mut would_change = explained.changes;
    if let Some(pid) = unit.view.pid
        && let Some(halt) = blocking(move || usage::halt(pid)).await?
    {
        let (cause, change) = halted(&unit.name, &halt);
        because.push(cause);
        would_change.push(change);
    }
    Ok(Json(Why {
        unit: unit.name.to_string(),
        state: explained.state,
        because,
        would_change,
    }))
}

/// What keeps a main process from going on, and the way out.
fn halted(unit: &UnitName, halt: &Halt) -> (String, String) {
    match halt {
        Halt::Stopped => (
            "its process is stopped by a signal (SIGSTOP or the like), and does nothing".into(),
            format!("`abide signal CONT {unit}` lets it go on"),
        ),
        Halt::Traced { by } => (
            format!("its process is held by a debugger, process {by}"),
            format!("process {by} can let it go on, or be ended"),
        ),
        Halt::Blocked { function } => (
            match function {
                Some(function) => format!("its process is blocked in the kernel, in {function}"),
                None => "its process is blocked in the kernel".into(),
            },
            "it goes on when the kernel has what it waits for, usually a disk or a network file system; \
             until then no signal reaches it, SIGKILL included"
                .into(),
        ),
    }
}

/// The unit of this full name.
pub(super) fn one(context: &Context, name: &str) -> Answer<Arc<UnitEntry>> {
    if let Some(unit) = context.board().unit(name) {
        return Ok(unit);
    }
    if let Some(view) = remote::one(context, name) {
        return Err(remote::elsewhere(&view.key));
    }
    // For its "did you mean"; and a bare name that means one instance is that instance.
    let mut found = context.board().resolve(name)?;
    match (found.pop(), found.is_empty()) {
        (Some(unit), true) => Ok(unit),
        (Some(unit), false) => Err(ApiError::from(Refusal::NoSuchUnit(name.to_owned())).help(
            format!(
                "{name} means several units, {} among them; name one",
                unit.name
            ),
        )),
        (None, _) => Err(Refusal::NoSuchUnit(name.to_owned()).into()),
    }
}
