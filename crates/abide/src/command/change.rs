//! `start stop restart reload reset remove enable disable signal scale`: one verb, several units.

use std::io::Write as _;

use abide_model::api::{CommandRequest, OperationView, RollingRequest, ScaleRequest, Verb};
use abide_model::{Signal, StepState};

use super::deaths::report_deaths;
use super::follow::{Following, failures, follow};
use super::{Answer, Context, service, write_json};
use crate::args::{ChangeArgs, Patience, ScaleArgs, SignalArgs};
use crate::failure::Code;
use crate::render::words::count;

pub(super) async fn run(context: &mut Context<'_>, verb: Verb, args: &ChangeArgs) -> Answer {
    change(context, verb, args, None).await
}

pub(super) async fn restart(
    context: &mut Context<'_>,
    args: &ChangeArgs,
    rolling: Option<RollingRequest>,
) -> Answer {
    change(context, Verb::Restart, args, rolling).await
}

async fn change(
    context: &mut Context<'_>,
    verb: Verb,
    args: &ChangeArgs,
    rolling: Option<RollingRequest>,
) -> Answer {
    if let Some(code) = service::change(context, verb, args).await? {
        return Ok(code);
    }
    let request = CommandRequest {
        command: verb,
        patterns: args.patterns.clone(),
        signal: None,
        rolling,
    };
    let after = last_event(context).await?;
    let operation = context.client.command(&request).await;
    let operation = operation.map_err(|error| context.client.failure(error))?;
    let said = match verb {
        Verb::Start => ("started", "starting"),
        Verb::Stop => ("stopped", "stopping"),
        Verb::Restart => ("restarted", "restarting"),
        Verb::Reload => ("reloaded", "reloading"),
        Verb::Reset => ("reset", "resetting"),
        Verb::Remove => ("removed", "removing"),
        Verb::Enable => ("enabled", "enabling"),
        Verb::Disable => ("disabled", "disabling"),
        Verb::Signal => ("signalled", "signalling"),
    };
    let how = Following {
        patience: &args.patience,
        after,
        quiet: args.json,
        infancy: matches!(verb, Verb::Start | Verb::Restart),
        vanishes: false,
    };
    finish(context, operation, &how, said, args.json).await
}

pub(super) async fn signal(context: &mut Context<'_>, args: &SignalArgs) -> Answer {
    let signal: Signal = args.signal;
    let request = CommandRequest {
        command: Verb::Signal,
        patterns: args.patterns.clone(),
        signal: Some(signal),
        rolling: None,
    };
    let operation = context.client.command(&request).await;
    let operation = operation.map_err(|error| context.client.failure(error))?;
    let how = Following {
        patience: &Patience::default(),
        after: u64::MAX,
        quiet: true,
        infancy: false,
        vanishes: false,
    };
    let said = format!("sent {signal} to");
    finish(context, operation, &how, (&said, &said), args.json).await
}

pub(super) async fn scale(context: &mut Context<'_>, args: &ScaleArgs) -> Answer {
    let (unit, instances) = args.target.clone();
    let after = last_event(context).await?;
    let operation = context
        .client
        .scale(&ScaleRequest {
            unit: unit.clone(),
            instances,
        })
        .await;
    let operation = operation.map_err(|error| context.client.failure(error))?;
    let how = Following {
        patience: &args.patience,
        after,
        quiet: args.json,
        infancy: true,
        vanishes: false,
    };
    let outcome = if args.patience.no_wait {
        None
    } else {
        Some(follow(context, operation.clone(), &how).await?)
    };
    let last = outcome
        .as_ref()
        .map_or(&operation, |outcome| &outcome.operation);
    if args.json {
        write_json(context.out, last)?;
    }
    if let Some(outcome) = &outcome {
        if let Some(failure) = failures(&context.client, last) {
            return Err(failure);
        }
        report_deaths(context, &outcome.deaths).await?;
    }
    if !args.json {
        writeln!(
            context.out,
            "{unit} has {} now",
            count(instances as usize, "instance")
        )?;
    }
    Ok(Code::Done)
}

/// The number of the last event there is, so that those of the operation can be told from older ones.
pub(super) async fn last_event(context: &Context<'_>) -> Result<u64, crate::failure::Failure> {
    let daemon = context.client.daemon().await;
    daemon
        .map(|daemon| daemon.last_event)
        .map_err(|error| context.client.failure(error))
}

/// Waits for an operation if that is wanted, and says what became of it.
pub(super) async fn finish(
    context: &mut Context<'_>,
    operation: OperationView,
    how: &Following<'_>,
    (done, doing): (&str, &str),
    json: bool,
) -> Answer {
    if how.patience.no_wait {
        if json {
            write_json(context.out, &operation)?;
        } else {
            writeln!(
                context.out,
                "{doing} {} (not waited for)",
                names(&operation, false)
            )?;
        }
        return Ok(Code::Done);
    }
    let outcome = follow(context, operation, how).await?;
    if json {
        write_json(context.out, &outcome.operation)?;
    } else if outcome
        .operation
        .steps
        .iter()
        .any(|step| step.state == StepState::Done)
    {
        writeln!(context.out, "{done} {}", names(&outcome.operation, true))?;
    }
    if let Some(failure) = failures(&context.client, &outcome.operation) {
        return Err(failure);
    }
    report_deaths(context, &outcome.deaths).await?;
    Ok(Code::Done)
}

/// "web, db" or "12 units".
pub(super) fn names(operation: &OperationView, done: bool) -> String {
    let units: Vec<&str> = operation
        .steps
        .iter()
        .filter(|step| !done || step.state == StepState::Done)
        .map(|step| step.unit.as_str())
        .collect();
    match units.len() {
        0 => "nothing".to_owned(),
        1..=5 => units.join(", "),
        n => count(n, "unit"),
    }
}
