//! `run --attach`: what the program writes, until Ctrl-C or its end.

use std::io::Write as _;

use abide_model::ActualState;

use super::{Answer, Context};
use crate::client::{Query, Which};
use crate::failure::{Code, Failure};
use crate::term::{Signals, escape};

pub(super) async fn run(context: &mut Context<'_>, unit: &str) -> Answer {
    let client = context.client.clone();
    let query = Query::new("/v1/logs")
        .with("pattern", unit)
        .with("format", "raw")
        .with("follow", true);
    let mut lines = client
        .logs(&query)
        .await
        .map_err(|error| client.failure(error))?;
    let patterns = [unit.to_owned()];
    let daemon = client
        .daemon()
        .await
        .map_err(|error| client.failure(error))?;
    let which = Which {
        patterns: &patterns,
        kinds: &[],
    };
    let events = client.events_after(daemon.last_event, which).await;
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
            bytes = lines.next_raw() => match bytes {
                Ok(Some(bytes)) => {
                    context.out.write_all(&bytes)?;
                    context.out.flush()?;
                }
                Ok(None) => return Err(Failure::new("the daemon ended the log".to_owned())),
                Err(error) => return Err(client.failure(error)),
            },
            event = events.next() => match event {
                Ok(Some(_)) => ended = is_over(context, unit).await?,
                Ok(None) => {}
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

async fn drain(context: &mut Context<'_>, lines: &mut crate::client::Lines) -> Result<(), Failure> {
    const QUIET: std::time::Duration = std::time::Duration::from_millis(100);
    while let Ok(Ok(Some(bytes))) = tokio::time::timeout(QUIET, lines.next_raw()).await {
        context.out.write_all(&bytes)?;
    }
    context.out.flush()?;
    Ok(())
}
