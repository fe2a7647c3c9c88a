//! `abide up`: start keeper and daemon if none run, load units, wait until they are up.

use std::io::Write as _;
use std::path::PathBuf;

use abide_model::api::UpRequest;
use abide_platform::fault::point;

use super::deaths::report_deaths;
use super::follow::{Following, failures, follow};
use super::{Answer, Context, files, launch, write_json};
use crate::args::UpArgs;
use crate::failure::Code;
use crate::render::status::{counts, is_up};
use crate::render::words::count;

pub(super) async fn run(context: &mut Context<'_>, args: &UpArgs) -> Answer {
    let named = files::named_or_default(&args.files)?;
    let environment = if named.is_empty() {
        None
    } else {
        Some(files::check_first(context, &named).await?)
    };
    let launched = launch::ensure(context).await?;
    if launched {
        let home = context.client.home().directory.display().to_string();
        say(context, args, format_args!("abide started in {home}"))?;
    }
    point("cli.ready");
    let daemon = context
        .client
        .daemon()
        .await
        .map_err(|error| context.client.failure(error))?;
    if launched && let Some(recovered) = &daemon.recovered {
        say(context, args, recovered)?;
    }
    let environment = match environment {
        Some(environment) => environment,
        None => files::inherited(&daemon.sources, &files::caller()?),
    };
    if named.is_empty() && daemon.sources.is_empty() {
        say(
            context,
            args,
            "nothing to bring up: there is no abide.toml here, and nothing is remembered",
        )?;
        let home = context.client.home();
        let (run, up) = (home.hint("run -- COMMAND"), home.hint("up FILE"));
        say(
            context,
            args,
            format_args!("`{run}` guards a command, `{up}` loads a file"),
        )?;
        if args.json {
            context.out.write_all(b"null\n")?;
        }
        return Ok(Code::Done);
    }
    if args.files.is_empty() {
        let text = if named.is_empty() {
            format!(
                "bringing back what was loaded before: {}",
                list(&daemon.sources)
            )
        } else {
            format!("loading {}", list(&named))
        };
        say(context, args, text)?;
    }

    let request = UpRequest {
        files: named,
        environment,
        dry_run: false,
        rolling: args.rolling.request(),
    };
    let operation = context.client.up(&request).await;
    let operation = operation.map_err(|error| context.client.failure(error))?;
    point("cli.asked");
    if args.patience.no_wait {
        if args.json {
            write_json(context.out, &operation)?;
        } else {
            writeln!(
                context.out,
                "loaded {} (not waited for)",
                count(operation.steps.len(), "unit")
            )?;
        }
        return Ok(Code::Done);
    }
    let how = Following {
        patience: &args.patience,
        after: daemon.last_event,
        quiet: args.json,
        infancy: true,
        vanishes: false,
    };
    let outcome = follow(context, operation, &how).await?;
    if args.json {
        write_json(context.out, &outcome.operation)?;
    } else {
        summary(context, outcome.untouched).await?;
    }
    if let Some(failure) = failures(&context.client, &outcome.operation) {
        return Err(failure);
    }
    report_deaths(context, &outcome.deaths).await?;
    Ok(Code::Done)
}

/// "3 units up", or how many are in which state.
async fn summary(
    context: &mut Context<'_>,
    untouched: bool,
) -> Result<(), crate::failure::Failure> {
    let units = context.client.units_in_brief(&[]).await;
    let units = units.map_err(|error| context.client.failure(error))?;
    let text = if units.iter().all(is_up) {
        format!("{} up", count(units.len(), "unit"))
    } else {
        counts(&units)
    };
    let change = if untouched {
        "; nothing had to change"
    } else {
        ""
    };
    writeln!(context.out, "{text}{change}")?;
    Ok(())
}

fn list(files: &[PathBuf]) -> String {
    match files {
        [] => "nothing".to_owned(),
        [one] => one.display().to_string(),
        several => count(several.len(), "file"),
    }
}

/// A line for people; with `--json` there is only the document.
fn say(
    context: &mut Context<'_>,
    args: &UpArgs,
    text: impl std::fmt::Display,
) -> std::io::Result<()> {
    if args.json {
        return Ok(());
    }
    writeln!(context.out, "{text}")?;
    context.out.flush()
}
