//! How a unit is asked to stop.

use std::time::Duration;

use abide_model::{Signal, StopAction, StopPlan, StopStep};
use toml::de::DeValue;

use super::{Layer, Reader};
use crate::keys::Table;
use crate::values::{Value, Wrong, show_duration};

/// Reads `stop`: one signal, or steps, under one `within`.
pub(super) fn stop(reader: &Reader<'_>) -> StopPlan {
    let table = reader
        .tables("stop", Table::Stop)
        .unwrap_or_else(|| reader.empty("stop", Table::Stop));
    let standard = StopPlan::default();
    let within: Duration = table.get_or("within", standard.within);
    let steps = match (table.field("steps"), table.field("signal")) {
        (Some(steps), Some(signal)) if steps.kind == signal.kind => {
            let wrong = Wrong::new("`signal` and `steps` are two ways to say it")
                .help("put the signal into the steps, or take the steps out");
            table.wrong(&signal, wrong);
            return StopPlan {
                steps: standard.steps,
                within,
            };
        }
        (Some(steps), signal)
            if signal
                .as_ref()
                .is_none_or(|signal| signal.kind < steps.kind) =>
        {
            read_steps(&table, &steps, within)
        }
        _ => {
            let signal = table.get_or("signal", Signal::TERM);
            vec![StopStep {
                action: StopAction::Signal(signal),
                within: None,
            }]
        }
    };
    StopPlan { steps, within }
}

fn read_steps(
    table: &Reader<'_>,
    field: &super::reader::Field<'_>,
    within: Duration,
) -> Vec<StopStep> {
    let DeValue::Array(items) = field.value.get_ref() else {
        let wrong = Wrong::kind(field.value.get_ref(), "an array of tables")
            .help("such as `steps = [{ signal = \"SIGINT\", within = \"5s\" }, { signal = \"SIGTERM\" }]`");
        table.wrong(field, wrong);
        return Vec::new();
    };
    let (mut steps, mut total) = (Vec::new(), Duration::ZERO);
    for item in items.iter() {
        let DeValue::Table(inner) = item.get_ref() else {
            table.wrong_at(
                field,
                item.span(),
                Wrong::kind(item.get_ref(), "a table")
                    .help("such as `{ signal = \"SIGINT\", within = \"5s\" }`"),
            );
            continue;
        };
        let step = Reader::new(
            table.context,
            Table::StopStep,
            vec![Layer {
                kind: field.kind,
                table: inner,
            }],
        );
        let share: Option<Duration> = step.get("within");
        if step.field("signal").is_none() {
            table.wrong_at(
                field,
                item.span(),
                Wrong::new("a step without a `signal`").help("such as `{ signal = \"SIGTERM\" }`"),
            );
        }
        let Some(signal) = step.get::<Signal>("signal") else {
            continue;
        };
        total += share.unwrap_or_default();
        steps.push(StopStep {
            action: StopAction::Signal(signal),
            within: share,
        });
    }
    if items.is_empty() {
        table.wrong(
            field,
            Wrong::new("no step at all").help("take `steps` out, or name at least one signal"),
        );
    }
    if total > within {
        let wrong = Wrong::new(format!(
            "the steps take {} in all, and `within` is {}",
            show_duration(total),
            show_duration(within)
        ))
        .label("longer than the whole stop")
        .help(format!(
            "write `within = \"{}\"` beside `steps`, or shorten the steps",
            show_duration(total)
        ));
        table.wrong(field, wrong);
    }
    let unbounded = steps
        .iter()
        .take(steps.len().saturating_sub(1))
        .position(|step| step.within.is_none());
    if let Some(n) = unbounded {
        let wrong = Wrong::new(format!(
            "step {} has no `within`, so the next would never come",
            n + 1
        ))
        .help("give every step but the last its `within`");
        table.wrong(field, wrong);
    }
    let shown: Vec<String> = steps.iter().map(show_step).collect();
    table.note(field, format!("[{}]", shown.join(", ")));
    steps
}

fn show_step(step: &StopStep) -> String {
    let StopAction::Signal(signal) = &step.action;
    match step.within {
        Some(within) => format!(
            "{{ signal = {}, within = {} }}",
            signal.show(),
            within.show()
        ),
        None => format!("{{ signal = {} }}", signal.show()),
    }
}
