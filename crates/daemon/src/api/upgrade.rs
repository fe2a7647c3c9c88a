//! Another executable for the daemon: looked at, asked, then handed to the driver.

use std::time::Duration;

use abide_model::api::{UpgradeRequest, Upgrading};
use abide_model::{Command, Refusal, UnitName};
use abide_platform::executable::Executable;
use abide_platform::{Handle, pipe};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::document::{Guarded, Refused, WithBody};
use super::error::{Answer, ApiError};
use super::extract::{Body, Params};
use super::status::blocking;
use super::{Context, Peer};
use crate::assist::Errand;
use crate::handle::Replacement;
use crate::upgrade::check;

/// How long an executable may take to say what it is.
const CHECK_WITHIN: Duration = Duration::from_secs(10);

/// An answer is shorter.
const ANSWER: usize = 64 << 10;

/// Has another executable take over as the daemon; what runs runs on. Answered when the new daemon is
/// prepared and the old one leaves; over TCP it is refused. How it went then says the first event `upgraded` or `upgrade_failed`.
#[utoipa::path(
    post, path = "/v1/upgrade", tag = "daemon",
    request_body = UpgradeRequest,
    responses((status = 202, body = Upgrading), Guarded, WithBody, Refused)
)]
pub(super) async fn upgrade(
    State(context): State<Context>,
    axum::Extension(peer): axum::Extension<Peer>,
    params: Params,
    Body(request): Body<UpgradeRequest>,
) -> Answer<(StatusCode, Json<Upgrading>)> {
    params.finish()?;
    if matches!(peer, Peer::Tcp { .. }) {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "another executable is put in place only through the home's socket; use `abide upgrade`",
        ));
    }
    let path = request.binary;
    if !path.is_absolute() {
        return Err(ApiError::bad_request(format!(
            "binary has to be an absolute path, not {}",
            path.display()
        )));
    }
    let shown = path.display().to_string();
    let refuse = |why: String| ApiError::from(Refusal::NotUpgraded(format!("{shown}: {why}")));
    let opened = blocking(move || Executable::open(&path)).await?;
    let executable = opened.map_err(|error| refuse(format!("it {error}")))?;
    let said = ask(&context, &executable).await.map_err(refuse)?;
    if let Some(why) = said.refusal() {
        return Err(refuse(why));
    }
    if executable.is_script() {
        return Err(refuse(
            "it is a script, which cannot be held open and started again; name the program itself"
                .into(),
        ));
    }
    let replacement = Replacement {
        executable,
        to: said.version_text(),
        keeper: request.keeper,
    };
    let upgrading = context.handle().upgrade(replacement).await?;
    Ok((StatusCode::ACCEPTED, Json(upgrading)))
}

/// Runs `BINARY __upgrade-check HOME`. `Err`: what came instead of an answer.
async fn ask(context: &Context, executable: &Executable) -> Result<check::Answer, String> {
    let Some(assistants) = &context.config.assistants else {
        return Err("there is nobody to ask it".into());
    };
    let home = context.config.home.root();
    let words = [
        executable.held_path().display().to_string(),
        check::MARK.to_owned(),
        home.to_str()
            .ok_or("the name of this home is no text, and cannot be passed on")?
            .to_owned(),
    ];
    let no_pipe = |error: std::io::Error| format!("a pipe for its answer cannot be made: {error}");
    let (reader, writer) = std::io::pipe().map_err(no_pipe)?;
    let errand = Errand {
        name: UnitName::new("upgrade-check").map_err(|error| error.to_string())?,
        directory: "/".into(),
        command: Command::Argv(words.into()),
        variables: Vec::new(),
        timeout: CHECK_WITHIN,
        stdout: Some(writer.into()),
    };
    let ended = assistants.errand(errand).await;
    let printed = blocking(move || read(reader.into()))
        .await
        .map_err(|_| "its answer cannot be read".to_owned())?;
    let printed = printed.map_err(|error| format!("its answer cannot be read: {error}"))?;
    match (ended, check::Answer::read(&printed)) {
        (Ok(()), Some(answer)) => Ok(answer),
        (Ok(()), None) => Err(format!(
            "it {} and exited with 0: {NOT_ABIDE}",
            said(&printed)
        )),
        (Err(why), _) if why.starts_with("killed after") => Err(format!(
            "it was asked what it is and did not answer within {} s: it hangs, or is not an abide binary",
            CHECK_WITHIN.as_secs()
        )),
        (Err(why), _) => match why.strip_prefix("exit ") {
            Some(code) => Err(format!(
                "it {} and exited with {code}: {NOT_ABIDE}",
                said(&printed)
            )),
            None => Err(format!("it was asked what it is, and failed: {why}")),
        },
    }
}

const NOT_ABIDE: &str = "not an abide binary that knows how to take over";

fn said(printed: &str) -> String {
    let line = printed.lines().map(str::trim).find(|line| !line.is_empty());
    match line {
        None => "said nothing".into(),
        Some(line) => {
            let short: String = line.chars().take(60).collect();
            format!("said \"{}\"", short.escape_debug())
        }
    }
}

/// All writers are gone, or their processes stuck: what is there is all that comes.
fn read(reader: Handle) -> std::io::Result<String> {
    let bytes = pipe::take_now(reader, ANSWER)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
