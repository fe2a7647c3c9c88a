//! `abide upgrade`: another executable takes over.

use std::io::Write as _;
use std::time::Duration;

use abide_model::EventKind;
use abide_model::api::{EventView, UpgradeRequest, Upgrading};
use serde::Serialize;
use tokio::time::timeout;

use super::{Answer, Context, write_json};
use crate::args::UpgradeArgs;
use crate::client::{Client, Error, Which};
use crate::failure::{Code, Failure};
use crate::term::{Signals, escape};

/// What `--json` tells.
#[derive(Serialize)]
struct Report<'a> {
    upgraded: bool,
    from: &'a str,
    to: &'a str,
    executable: &'a str,
    same_file: bool,
    kept: Option<u32>,
    took_ms: Option<u64>,
    reason: Option<&'a str>,
}

pub(super) async fn run(context: &mut Context<'_>, args: &UpgradeArgs) -> Answer {
    let client = context.client.clone();
    let request = UpgradeRequest {
        binary: binary(args)?,
        keeper: args.keeper,
    };
    let mut signals = Signals::listen()?;
    let work = timeout(args.timeout, upgrade(context, &client, &request, args.json));
    tokio::select! {
        done = work => done.unwrap_or_else(|_| Err(late(&client, args.timeout))),
        () = signals.leave() => Err(Failure::new("not waited for: the upgrade goes on".to_owned())
            .help(format!("`{}` says how it went", client.home().hint("events")))
            .code(Code::Interrupted)),
    }
}

async fn upgrade(
    context: &mut Context<'_>,
    client: &Client,
    request: &UpgradeRequest,
    json: bool,
) -> Answer {
    let begun = match client.upgrade(request).await {
        Ok(begun) => begun,
        Err(error) => return Err(client.failure(error)),
    };
    if !json {
        let file = begun.executable.display();
        let same = if begun.same_file {
            " (the very file that it runs already)"
        } else {
            ""
        };
        writeln!(
            context.out,
            "abide {} makes room for {file}{same}",
            begun.from
        )?;
        context.out.flush()?;
    }
    let event = outcome(client, begun.last_event).await;
    let event = event.map_err(|error| client.failure(error))?;
    tell(context, &begun, &event, json)
}

fn tell(context: &mut Context<'_>, begun: &Upgrading, event: &EventView, json: bool) -> Answer {
    let report = match &event.kind {
        EventKind::Upgraded {
            from,
            to,
            executable,
            kept,
            took_ms,
        } => Report {
            upgraded: true,
            from,
            to,
            executable,
            same_file: begun.same_file,
            kept: Some(*kept),
            took_ms: Some(*took_ms),
            reason: None,
        },
        EventKind::UpgradeFailed {
            from,
            to,
            executable,
            reason,
        } => Report {
            upgraded: false,
            from,
            to,
            executable,
            same_file: begun.same_file,
            kept: None,
            took_ms: None,
            reason: Some(reason),
        },
        _ => {
            return Err(Failure::new(
                "the daemon does not say how it went".to_owned(),
            ));
        }
    };
    if json {
        write_json(context.out, &report)?;
    }
    if let Some(reason) = report.reason {
        return Err(Failure::new(format!(
            "cannot upgrade to {}: {}; abide {} is back",
            report.executable,
            escape(reason),
            report.from
        ))
        .help(format!(
            "everything runs on; {} has what the new one said",
            context.client.home().directory.join("daemon.log").display()
        )));
    }
    if !json {
        let runs = crate::render::words::count(report.kept.unwrap_or(0) as usize, "run");
        writeln!(
            context.out,
            "{} \u{2192} {}: {runs} kept, took {} ms",
            report.from,
            report.to,
            report.took_ms.unwrap_or(0)
        )?;
    }
    Ok(Code::Done)
}

/// The first event that says how it went. Asking waits for the daemon that comes.
async fn outcome(client: &Client, after: u64) -> Result<EventView, Error> {
    let kinds = ["upgraded".to_owned(), "upgrade_failed".to_owned()];
    let which = Which {
        patterns: &[],
        kinds: &kinds,
    };
    loop {
        match client.events_after(after, which).await {
            Ok(mut events) => match events.next().await {
                Ok(Some(event)) => return Ok(event),
                Ok(None) | Err(Error::Broken(_)) => {}
                Err(error) => return Err(error),
            },
            Err(Error::Broken(_)) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The file that is to take over, absolute.
fn binary(args: &UpgradeArgs) -> Result<std::path::PathBuf, Failure> {
    if let Some(path) = &args.binary {
        return std::path::absolute(path).map_err(|error| {
            Failure::new(format!(
                "cannot find {}: {}",
                path.display(),
                crate::failure::plain(&error)
            ))
        });
    }
    match abide_platform::executable::own() {
        Ok((path, true)) => Ok(path),
        Ok((path, false)) => Err(Failure::new(format!(
            "cannot upgrade to this very program: {} is another file by now",
            path.display()
        ))
        .help("name the executable that is to take over")),
        Err(error) => Err(Failure::new(format!(
            "cannot find this program's own file: {}",
            crate::failure::plain(&error)
        ))
        .help("name the executable that is to take over")),
    }
}

fn late(client: &Client, waited: Duration) -> Failure {
    let waited = crate::render::words::duration(waited);
    Failure::new(format!("no word of the upgrade after {waited}")).help(format!(
        "`{}` says how it went",
        client.home().hint("events")
    ))
}
