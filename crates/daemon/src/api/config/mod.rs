//! Configuration: files are read here, never by the driver.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use abide_config::{DaemonSettings, Diagnostics};
use abide_core::Command;
use abide_model::api::{
    DownRequest, OperationView, Plan, RollingRequest, RunRequest, ScaleRequest, UpRequest,
};
use abide_model::{OperationKind, Refusal, Rolling, UnitName};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::document::{Guarded, NoSuchUnit, Refused, WithBody};
use super::error::{Answer, ApiError};
use super::extract::{Body, Params};
use super::operations::view;
use super::status::blocking;
use super::{Context, auth::Peer};
use crate::handle::{ConfigSource, load_files, load_remembered, load_scaled, load_text};

mod plan;

pub(super) use plan::leaves;

/// Makes the daemon agree with these files; with `dry_run`, only says what would change (200).
#[utoipa::path(
    post, path = "/v1/up", tag = "configuration",
    request_body = Option<UpRequest>,
    responses(
        (status = 202, body = OperationView),
        (status = 200, body = Plan, description = "What would change (`dry_run`)."),
        Guarded, WithBody, Refused
    )
)]
pub(super) async fn up(
    State(context): State<Context>,
    params: Params,
    Body(request): Body<UpRequest>,
) -> Answer<Response> {
    params.finish()?;
    if let Some(file) = request.files.iter().find(|file| !file.is_absolute()) {
        return Err(ApiError::bad_request(format!(
            "{} is not an absolute path",
            file.display()
        )));
    }
    let _one_at_a_time = context.configuring.lock().await;
    let board = context.board().clone();
    let UpRequest {
        files,
        environment,
        dry_run,
        rolling,
    } = request;
    let rolling = rolling
        .map(RollingRequest::plan)
        .transpose()
        .map_err(ApiError::bad_request)?;
    let sources = blocking(move || {
        if files.is_empty() {
            load_remembered(&board, &environment)
        } else {
            load_files(&board, &files, environment)
        }
    })
    .await?
    .map_err(invalid)?;
    apply(&context, OperationKind::Up, sources, rolling, dry_run).await
}

/// Guards one command: keeps the text as a configuration file of the home and loads it.
#[utoipa::path(
    post, path = "/v1/run", tag = "configuration",
    request_body = RunRequest,
    responses(
        (status = 202, body = OperationView),
        (status = 200, body = Plan, description = "What would change (`dry_run`)."),
        Guarded, WithBody, Refused
    )
)]
pub(super) async fn run(
    State(context): State<Context>,
    params: Params,
    Body(request): Body<RunRequest>,
) -> Answer<Response> {
    params.finish()?;
    let name = UnitName::new(&request.name).map_err(|error| {
        ApiError::bad_request(format!("{:?} is no name: {error}", request.name))
    })?;
    let file = context.config.home.unit_file(&name);
    let _one_at_a_time = context.configuring.lock().await;
    check_free(&context, &name, &file, request.replace || request.dry_run)?;
    let board = context.board().clone();
    let RunRequest {
        config,
        environment,
        dry_run,
        ..
    } = request;
    let (text, at) = (config.clone(), file.clone());
    let source = blocking(move || load_text(&board, &text, &at, environment))
        .await?
        .map_err(invalid)?;
    let same = |unit: &UnitName| unit.as_str().split('@').next() == Some(name.as_str());
    if source.specs.is_empty() || !source.specs.iter().all(|spec| same(&spec.name)) {
        return Err(ApiError::bad_request(format!(
            "the configuration must hold the unit {name} and no other"
        )));
    }
    if dry_run {
        return apply(&context, OperationKind::Run, vec![source], None, true).await;
    }
    let before = write(&file, config).await?;
    let answer = apply(&context, OperationKind::Run, vec![source], None, false).await;
    if answer.is_err() {
        restore(&file, before).await?;
    }
    answer
}

/// Stops everything, then the daemon and its keeper; or one file's units, which are forgotten.
/// Everything is stopped only for a request on the home's socket: over TCP that is refused.
#[utoipa::path(
    post, path = "/v1/down", tag = "configuration",
    request_body = Option<DownRequest>,
    responses((status = 202, body = OperationView), Guarded, WithBody, NoSuchUnit, Refused)
)]
pub(super) async fn down(
    State(context): State<Context>,
    axum::Extension(peer): axum::Extension<Peer>,
    params: Params,
    Body(request): Body<DownRequest>,
) -> Answer<(StatusCode, Json<OperationView>)> {
    params.finish()?;
    let _one_at_a_time = context.configuring.lock().await;
    let operation = match request.file {
        None if matches!(peer, Peer::Tcp { .. }) => {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "the daemon is taken down only through its home's socket; use `abide down`",
            ));
        }
        None => context.handle().command(Command::Down).await?,
        Some(file) => {
            let sources = given_as(&context, &file)?;
            match <[ConfigSource; 1]>::try_from(sources) {
                Ok([source]) => {
                    context
                        .handle()
                        .command(Command::DownSource(source.name()))
                        .await?
                }
                Err(sources) => {
                    context
                        .handle()
                        .apply(OperationKind::DownFile, sources, None)
                        .await?
                }
            }
        }
    };
    Ok((StatusCode::ACCEPTED, Json(view(&operation))))
}

/// Changes a unit's number of instances until its file is given to `up` again.
#[utoipa::path(
    post, path = "/v1/scale", tag = "configuration",
    request_body = ScaleRequest,
    responses((status = 202, body = OperationView), Guarded, WithBody, NoSuchUnit, Refused)
)]
pub(super) async fn scale(
    State(context): State<Context>,
    params: Params,
    Body(request): Body<ScaleRequest>,
) -> Answer<Response> {
    params.finish()?;
    if request.instances > 1000 {
        return Err(ApiError::bad_request("a unit has at most 1000 instances"));
    }
    let _one_at_a_time = context.configuring.lock().await;
    let base = request.unit;
    let is_of = |name: &UnitName| name.as_str().split('@').next() == Some(base.as_str());
    let units = context.board().units();
    let daemon = context.board().daemon();
    let file = units
        .iter()
        .find(|unit| is_of(&unit.name))
        .map(|unit| &*unit.spec.file);
    // With no instance left, only what was set by hand tells which file it was.
    let source = daemon.sources.iter().find(|source| match file {
        Some(file) => source.file == *file,
        None => source.scale.contains_key(&base),
    });
    let Some(source) = source.cloned() else {
        return Err(Refusal::NoSuchUnit(base).into());
    };
    let mut scale = source.scale.clone();
    scale.insert(base.clone(), request.instances);
    let board = context.board().clone();
    let kept = scale.clone();
    let of = source.clone();
    let loaded = blocking(move || load_scaled(&board, &of, scale))
        .await?
        .map_err(invalid)?;
    let Some(mut loaded) = loaded else {
        return Err(Refusal::NoSuchUnit(base).into());
    };
    // The file's other units stay as they are, whatever stands in the file by now.
    loaded.specs.retain(|spec| is_of(&spec.name));
    let others = units
        .iter()
        .filter(|unit| *unit.spec.file == *source.file && !is_of(&unit.name));
    loaded.specs.extend(others.map(|unit| unit.spec.whole()));
    loaded.scale = kept;
    loaded.settings = source.settings;
    loaded.environment = source.environment;
    apply(&context, OperationKind::Scale, vec![loaded], None, false).await
}

/// Reads the remembered configuration files again.
#[utoipa::path(
    post, path = "/v1/reload", tag = "configuration",
    responses((status = 202, body = OperationView), Guarded, Refused)
)]
pub(super) async fn reload(State(context): State<Context>, params: Params) -> Answer<Response> {
    params.finish()?;
    let _one_at_a_time = context.configuring.lock().await;
    let handle = context.handle().clone();
    let operation =
        blocking(move || handle.reload_blocking())
            .await?
            .map_err(|error| match error {
                crate::handle::AskError::Refused(Refusal::InvalidConfig(text)) => {
                    ApiError::invalid_config(
                        "the configuration is not valid; nothing was changed",
                        text,
                    )
                }
                error => error.into(),
            })?;
    Ok((StatusCode::ACCEPTED, Json(view(&operation))).into_response())
}

async fn apply(
    context: &Context,
    kind: OperationKind,
    sources: Vec<ConfigSource>,
    rolling: Option<Rolling>,
    dry_run: bool,
) -> Answer<Response> {
    if dry_run {
        let steps = context.handle().plan(sources.clone()).await?;
        let plan = plan::plan(context.board(), steps, &sources);
        return Ok(Json(plan).into_response());
    }
    one_each(context, &sources)?;
    // Before anything is changed: an address that is taken is a mistake like any other.
    let wanted = sources
        .iter()
        .flat_map(|source| source.settings.listen.iter().copied());
    let prepared = context.listeners.prepare(wanted)?;
    let operation = context.handle().apply(kind, sources, rolling).await?;
    prepared.keep();
    Ok((StatusCode::ACCEPTED, Json(view(&operation))).into_response())
}

/// `[report]` and `[monitor]` stand in one file only, also if files are given one after the other.
fn one_each(context: &Context, sources: &[ConfigSource]) -> Answer<()> {
    type Has = fn(&DaemonSettings) -> bool;
    let tables: [(&str, Has); 2] = [
        ("[report]", |settings| settings.report.is_some()),
        ("[monitor]", |settings| settings.monitor.is_some()),
    ];
    let known = context.board().daemon().sources;
    for (table, has) in tables {
        let Some(new) = sources.iter().find(|source| has(&source.settings)) else {
            continue;
        };
        let replaced = |file: &Path| sources.iter().any(|source| source.file == file);
        let mut others = known.iter().filter(|old| !replaced(&old.file));
        if let Some(old) = others.find(|old| has(&old.settings)) {
            let (new, old) = (new.file.display(), old.file.display());
            return Err(ApiError::invalid_config(
                format!("{new} has a {table} table, and {old} has one already"),
                format!(
                    "{new}: {table} stands in {old} already; take it out of one of them, or `abide down {old}` first"
                ),
            ));
        }
    }
    Ok(())
}

fn invalid(mistakes: Diagnostics) -> ApiError {
    ApiError::invalid_config(
        "the configuration is not valid; nothing was changed",
        mistakes.render(false),
    )
}

/// Whether `run` may use this name.
fn check_free(context: &Context, name: &UnitName, file: &Path, replace: bool) -> Answer<()> {
    let holders = match context.board().unit(name.as_str()) {
        Some(unit) => vec![unit],
        None => context.board().resolve(name.as_str()).unwrap_or_default(),
    };
    let Some(holder) = holders.first() else {
        return Ok(());
    };
    if *holder.spec.file != *file {
        return Err(Refusal::OwnedByOther {
            unit: name.clone(),
            source: holder.spec.file.display().to_string(),
        }
        .into());
    }
    if replace {
        Ok(())
    } else {
        Err(Refusal::NameTaken(name.clone()).into())
    }
}

/// The remembered sources that were given as this file or directory, without their units.
fn given_as(context: &Context, file: &Path) -> Answer<Vec<ConfigSource>> {
    let sources: Vec<_> = context
        .board()
        .daemon()
        .sources
        .into_iter()
        .filter(|source| source.file == file || source.argument == file)
        .map(|source| ConfigSource {
            file: source.file,
            argument: source.argument,
            specs: Vec::new(),
            environment: BTreeMap::new(),
            settings: DaemonSettings::default(),
            scale: BTreeMap::new(),
        })
        .collect();
    if sources.is_empty() {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "no_such_source",
            format!("nothing was loaded from {}", file.display()),
        )
        .help("GET /v1/daemon lists the files that are remembered"));
    }
    Ok(sources)
}

/// Replaces a file in one step; gives what it held before.
async fn write(file: &Path, text: String) -> Answer<Option<Vec<u8>>> {
    let path = file.to_owned();
    blocking(move || {
        let before = match std::fs::read(&path) {
            Ok(before) => Some(before),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        replace(&path, text.as_bytes())?;
        Ok(before)
    })
    .await?
    .map_err(|error| Refusal::Storage(format!("{}: {error}", file.display())).into())
}

async fn restore(file: &Path, before: Option<Vec<u8>>) -> Answer<()> {
    let path = file.to_owned();
    blocking(move || match before {
        Some(before) => replace(&path, &before),
        None => std::fs::remove_file(&path),
    })
    .await?
    .map_err(|error| Refusal::Storage(format!("{}: {error}", file.display())).into())
}

fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    use std::io::Write;

    // Not `.toml`: a directory's files of that name are loaded.
    let temporary: PathBuf = file.with_extension("toml.new");
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true);
    let mut out = abide_log::disk::private(options).open(&temporary)?;
    out.write_all(text)?;
    out.sync_all()?;
    abide_platform::file::replace(&temporary, file)
}
