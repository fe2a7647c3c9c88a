//! `abide wait`: until units are up, healthy or stopped.

use std::io::Write as _;
use std::time::{Duration, Instant};

use abide_model::{ActualState, Health, UnitStatus};

use super::{Answer, Context, write_json};
use crate::args::{WaitArgs, WaitFor};
use crate::client::Which;
use crate::failure::{Code, Failure};
use crate::render::status::is_up;
use crate::render::words::{count, duration};
use crate::term::{Signals, escape};

pub(super) async fn run(context: &mut Context<'_>, args: &WaitArgs) -> Answer {
    let begun = Instant::now();
    let client = context.client.clone();
    let daemon = client
        .daemon()
        .await
        .map_err(|error| client.failure(error))?;
    let which = Which {
        patterns: &args.patterns,
        kinds: &[],
    };
    let events = client.events_after(daemon.last_event, which).await;
    let mut events = events.map_err(|error| client.failure(error))?;
    let mut signals = Signals::listen()?;
    let expired = async {
        match args.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(expired);
    loop {
        let units = client
            .units(&args.patterns)
            .await
            .map_err(|error| client.failure(error))?;
        let open: Vec<&UnitStatus> = units
            .iter()
            .filter(|unit| !reached(unit, args.state))
            .collect();
        if open.is_empty() {
            if args.json {
                write_json(context.out, &units)?;
            } else {
                let word = word(args.state);
                match units.as_slice() {
                    [unit] => writeln!(context.out, "{} is {word}", escape(&unit.name))?,
                    _ => writeln!(context.out, "{} {word}", count(units.len(), "unit"))?,
                }
            }
            return Ok(Code::Done);
        }
        let hopeless = |unit: &&&UnitStatus| {
            unit.state == ActualState::Failed && args.state != WaitFor::Stopped
        };
        if let Some(unit) = open.iter().find(hopeless) {
            let why = unit.reason.as_deref().unwrap_or("given up");
            return Err(
                Failure::new(format!("{} failed: {}", unit.name, escape(why)))
                    .help(format!(
                        "`{}` tries again",
                        client.home().hint(&format!("start {}", unit.name))
                    ))
                    .code(Code::NotUp),
            );
        }
        tokio::select! {
            event = events.next() => match event {
                // Whatever else happened at the same time is seen by the same look.
                Ok(Some(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                Ok(None) | Err(_) => {
                    let daemon = client.daemon().await.map_err(|error| client.failure(error))?;
                    events = client.events_after(daemon.last_event, which).await.map_err(|error| client.failure(error))?;
                }
            },
            () = &mut expired => return Err(too_late(&open, args.state, begun.elapsed())),
            () = signals.leave() => return Err(Failure::silent(Code::Interrupted)),
        }
    }
}

fn reached(unit: &UnitStatus, state: WaitFor) -> bool {
    match state {
        WaitFor::Up => is_up(unit),
        WaitFor::Healthy => is_up(unit) && unit.health == Health::Healthy,
        WaitFor::Stopped => {
            unit.pid.is_none()
                && matches!(
                    unit.state,
                    ActualState::Stopped | ActualState::Exited | ActualState::Failed
                )
        }
    }
}

fn word(state: WaitFor) -> &'static str {
    match state {
        WaitFor::Up => "up",
        WaitFor::Healthy => "healthy",
        WaitFor::Stopped => "stopped",
    }
}

fn too_late(open: &[&UnitStatus], state: WaitFor, waited: Duration) -> Failure {
    let mut names: Vec<String> = open
        .iter()
        .take(5)
        .map(|unit| format!("{} ({})", escape(&unit.name), unit.state))
        .collect();
    if open.len() > 5 {
        names.push(format!("{} more", open.len() - 5));
    }
    let code = if state == WaitFor::Stopped {
        Code::Failed
    } else {
        Code::NotUp
    };
    Failure::new(format!(
        "not {} after {}: {}",
        word(state),
        duration(waited),
        names.join(", ")
    ))
    .code(code)
}
