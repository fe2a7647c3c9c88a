//! The resolved spec of a unit, and where each value came from.

use abide_config::{Caller, Origin};
use abide_model::api::{Setting, SpecAnswer};
use axum::Json;
use axum::extract::State;

use super::Context;
use super::document::{Guarded, NoSuchUnit};
use super::error::{Answer, ApiError};
use super::extract::{Params, Segment};
use super::status::blocking;
use super::units::one;
use crate::board::{Board, UnitEntry};

/// The resolved spec, and where each value came from. The places are found by reading the unit's
/// file again; the note says so if that file has changed since it was loaded.
#[utoipa::path(
    get, path = "/v1/units/{name}/spec", tag = "units",
    params(("name" = String, Path, description = "Full name.")),
    responses((status = 200, body = SpecAnswer), Guarded, NoSuchUnit)
)]
pub(super) async fn show(
    State(context): State<Context>,
    Segment(name): Segment<String>,
    params: Params,
) -> Answer<Json<SpecAnswer>> {
    params.finish()?;
    let unit = one(&context, &name)?;
    let board = context.board().clone();
    let (settings, note) = blocking(move || settings(&board, &unit)).await??;
    let unit = one(&context, &name)?;
    Ok(Json(SpecAnswer {
        unit: unit.name.to_string(),
        description: unit.spec.description.as_deref().map(str::to_owned),
        settings,
        note,
    }))
}

fn settings(board: &Board, unit: &UnitEntry) -> Answer<(Vec<Setting>, Option<String>)> {
    let file = unit.spec.file.to_path_buf();
    let loaded = abide_config::load(std::slice::from_ref(&file), &caller(board, unit));
    let found = loaded
        .documents
        .into_iter()
        .flat_map(|document| document.units)
        .find(|resolved| unit.spec.is(&resolved.spec));
    if let Some(resolved) = found {
        let settings = resolved.settings.into_iter().map(|setting| Setting {
            key: setting.key,
            value: setting.value,
            built_in: setting.origin == Origin::BuiltIn,
            origin: Some(setting.origin.to_string()),
        });
        return Ok((settings.collect(), None));
    }
    let note = format!(
        "{} is not what it was when this unit was loaded, so the places of the values are not known",
        file.display()
    );
    Ok((from_spec(unit)?, Some(note)))
}

/// What the unit's file was loaded with.
fn caller(board: &Board, unit: &UnitEntry) -> Caller {
    let daemon = board.daemon();
    let source = daemon
        .sources
        .into_iter()
        .find(|source| *source.file == *unit.spec.file);
    let others = board.units();
    let known = others
        .iter()
        .filter(|other| other.spec.file != unit.spec.file)
        .map(|other| other.name.clone());
    let mut caller = Caller {
        known: known.collect(),
        ..crate::handle::caller()
    };
    if let Some(source) = source {
        caller.environment = source.environment;
        caller.scale = source.scale;
    }
    caller
}

/// The values alone.
fn from_spec(unit: &UnitEntry) -> Answer<Vec<Setting>> {
    let value = serde_json::to_value(unit.spec.whole())
        .map_err(|error| ApiError::internal(format!("the spec cannot be shown: {error}")))?;
    let leaves = super::config::leaves(&value);
    let settings = leaves.into_iter().map(|(key, value)| Setting {
        key,
        value,
        origin: None,
        built_in: false,
    });
    Ok(settings.collect())
}
