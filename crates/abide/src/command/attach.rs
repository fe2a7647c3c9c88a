//! `run --attach`: what the program writes, until Ctrl-C or its end.

use std::io::Write as _;

use abide_log::Format;
use abide_model::ActualState;

use super::logs::{Follower, Told};
use super::{Answer, Context};
use crate::client::{Error, Query, Which};
use crate::failure::{Code, Failure};
use crate::term::{Signals, escape};

pub(super) async fn run(context: &mut Context<'_>, unit: &str) -> Answer {
    let client = context.client.clone();
    let query = Query::new("/v1/logs")
        .with("pattern", unit)
        .with("format", "json")
        .with("follow", true);
    let again = |since: jiff::Timestamp| query.clone().with("since", since).with("lines", "all");
    let lines = Follower::begin(&client, &query, again).await;
    let mut lines = lines.map_err(|error| client.failure(error))?;
    let mut raw = Vec::new();
    let patterns = [unit.to_owned()];
    let daemon = client
        .daemon()
        .await
        .map_err(|error| client.failure(error))?;
    let which = Which {
        patterns: &patterns,
        kinds: &[],
    };
    let mut after = daemon.last_event;
    let events = client.events_after(after, which).await;
    let mut events = events.map_err(|error| client.failure(error))?;
    let mut signals = Signals::listen()?;
    let mut ended = is_over(context, unit).await?;
    loop {
        if let Some(over) = ended {
            // What it wrote last is on its way.
            drain(context, &mut lines).await?;
            return over.answer(context, unit);
        }
        tokio::select! {
            biased;
            told = lines.next() => {
                let told = told.map_err(|error| client.failure(error))?;
                write(context, &told, &mut raw)?;
                if !lines.has_more() {
                    context.out.flush()?;
                }
            }
            event = events.next() => match event {
                Ok(Some(event)) => {
                    after = event.seq;
                    ended = is_over(context, unit).await?;
                }
                // The daemon went away; its successor numbers on where it stopped.
                Ok(None) | Err(Error::Broken(_)) => {
                    let again = client.events_after(after, which).await;
                    events = again.map_err(|error| client.failure(error))?;
                    ended = is_over(context, unit).await?;
                }
                Err(error) => return Err(client.failure(error)),
            },
            () = signals.leave() => {
                let home = client.home();
                context.out.flush()?;
                context.out.aside(format_args!(
                    "\n{unit} keeps running; `{}` shows more, `{}` stops it",
                    home.hint(&format!("logs -f {unit}")),
                    home.hint(&format!("stop {unit}"))
                ));
                return Ok(Code::Done);
            }
        }
    }
}

/// How a unit that will not run again by itself ended.
struct Over {
    state: ActualState,
    reason: String,
}

impl Over {
    fn answer(self, context: &mut Context<'_>, unit: &str) -> Answer {
        context.out.flush()?;
        match self.state {
            ActualState::Exited => {
                context
                    .out
                    .aside(format_args!("{unit} ended: {}", escape(&self.reason)));
                Ok(Code::Done)
            }
            _ => Err(Failure::new(format!(
                "{unit} ended: {}",
                escape(&self.reason)
            ))),
        }
    }
}

async fn is_over(context: &Context<'_>, unit: &str) -> Result<Option<Over>, Failure> {
    let status = context
        .client
        .unit(unit)
        .await
        .map_err(|error| context.client.failure(error))?;
    let over = matches!(
        status.state,
        ActualState::Exited | ActualState::Failed | ActualState::Stopped
    );
    let reason = status
        .last_exit
        .map(|exit| exit.reason)
        .or(status.reason)
        .unwrap_or_default();
    Ok(over.then_some(Over {
        state: status.state,
        reason,
    }))
}

async fn drain(context: &mut Context<'_>, lines: &mut Follower<'_>) -> Result<(), Failure> {
    const QUIET: std::time::Duration = std::time::Duration::from_millis(100);
    let mut raw = Vec::new();
    while let Ok(Ok(told)) = tokio::time::timeout(QUIET, lines.next()).await {
        write(context, &told, &mut raw)?;
    }
    context.out.flush()?;
    Ok(())
}

/// As the program wrote it.
fn write(context: &mut Context<'_>, told: &Told, raw: &mut Vec<u8>) -> Result<(), Failure> {
    raw.clear();
    let rendered = told.render(Format::Raw, raw);
    rendered.map_err(|error| context.client.failure(error))?;
    context.out.write_all(raw)?;
    Ok(())
}
