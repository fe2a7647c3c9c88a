//! How a unit is asked to stop.

use std::time::Duration;

use abide_model::{Signal, StdinSpec, StopAction, StopPlan, StopStep};
use toml::de::DeValue;

use super::command::command;
use super::probe::Here;
use super::reader::Field;
use super::{Reader, hook};
use crate::keys::Table;
use crate::values::{Value, Wrong, one_of, show_duration, show_text};

/// `stop` as it is written.
#[derive(Clone)]
pub(super) struct Written {
    steps: Vec<Step>,
    within: Duration,
}

#[derive(Clone)]
struct Step {
    action: Action,
    within: Option<Duration>,
}

#[derive(Clone)]
enum Action {
    Signal(Signal),
    Command(hook::Written),
    EndOfInput,
}

/// `stdin` of a step: there is one thing to do with it.
#[derive(Clone, Copy)]
struct Close;

impl Value for Close {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let theirs = [
            ("eof", "write \"close\""),
            ("end", "write \"close\""),
            (
                "pipe",
                "write \"close\" here, and `stdin = \"pipe\"` in the unit",
            ),
            ("true", "write \"close\""),
        ];
        let words = [("close", Self)];
        one_of(value, "what a step does to standard input", &words, &theirs)
    }

    fn show(&self) -> String {
        show_text("close")
    }
}

impl Step {
    /// With all the time that there is.
    fn signal(signal: Signal) -> Self {
        Self {
            action: Action::Signal(signal),
            within: None,
        }
    }
}

/// Reads `stop`: one signal, or steps, under one `within`.
pub(super) fn stop(reader: &Reader<'_>, stdin: StdinSpec) -> Written {
    let table = reader
        .tables("stop", Table::Stop)
        .unwrap_or_else(|| reader.empty("stop", Table::Stop));
    let within: Duration = table.get_or("within", StopPlan::default().within);
    let steps = match (table.field("steps"), table.field("signal")) {
        (Some(steps), Some(signal)) if steps.kind == signal.kind => {
            let wrong = Wrong::new("`signal` and `steps` are two ways to say it")
                .help("put the signal into the steps, or take the steps out");
            table.wrong(&signal, wrong);
            vec![Step::signal(Signal::TERM)]
        }
        (Some(steps), signal)
            if signal
                .as_ref()
                .is_none_or(|signal| signal.kind < steps.kind) =>
        {
            read_steps(&table, &steps, within, stdin)
        }
        _ => vec![Step::signal(table.get_or("signal", Signal::TERM))],
    };
    Written { steps, within }
}

fn read_steps(
    table: &Reader<'_>,
    field: &Field<'_>,
    within: Duration,
    stdin: StdinSpec,
) -> Vec<Step> {
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
        let step = table.item(field, Table::StopStep, inner);
        let within: Option<Duration> = step.get("within");
        total += within.unwrap_or_default();
        if let Some(action) = action(table, field, item, &step) {
            if matches!(action, Action::EndOfInput) && stdin == StdinSpec::Null {
                let wrong =
                    Wrong::new("its standard input has no end to come: it is empty from the start")
                        .help("write `stdin = \"pipe\"` in the unit, beside `stop`");
                table.wrong_at(field, item.span(), wrong);
            }
            steps.push(Step { action, within });
        }
    }
    if items.is_empty() {
        table.wrong(
            field,
            Wrong::new("no step at all").help("take `steps` out, or name at least one"),
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
    let shown: Vec<String> = steps.iter().map(Step::show).collect();
    table.note(field, format!("[{}]", shown.join(", ")));
    steps
}

/// What a step does.
fn action(
    table: &Reader<'_>,
    field: &Field<'_>,
    item: &toml::Spanned<DeValue<'_>>,
    step: &Reader<'_>,
) -> Option<Action> {
    let said = ["signal", "command", "stdin"].map(|key| step.field(key).is_some());
    let wrong = match said {
        [true, false, false] => return step.get("signal").map(Action::Signal),
        [false, true, false] => {
            let (command, spans) = command(step)?;
            let program = spans.first().cloned().unwrap_or(item.span());
            return Some(Action::Command(hook::Written::new(
                field,
                Some(program),
                command,
            )));
        }
        [false, false, true] => return step.get("stdin").map(|Close| Action::EndOfInput),
        [false, false, false] => Wrong::new("a step without a `signal`, a `command` or `stdin`")
            .help("such as `{ signal = \"SIGTERM\" }`"),
        _ => Wrong::new("`signal`, `command` and `stdin` are a step each")
            .help("such as `[{ command = \"…\", within = \"5s\" }, { signal = \"SIGTERM\" }]`"),
    };
    table.wrong_at(field, item.span(), wrong);
    None
}

impl Written {
    /// The stop of one instance; a program that is not there is reported.
    pub fn settle(&self, reader: &Reader<'_>, here: &Here<'_>) -> StopPlan {
        let settle = |step: &Step| StopStep {
            action: match &step.action {
                Action::Signal(signal) => StopAction::Signal(*signal),
                Action::Command(written) => {
                    StopAction::Command(written.settle(reader, here).command)
                }
                Action::EndOfInput => StopAction::EndOfInput,
            },
            within: step.within,
        };
        StopPlan {
            steps: self.steps.iter().map(settle).collect(),
            within: self.within,
        }
    }
}

impl Step {
    /// As one would write it.
    fn show(&self) -> String {
        let what = match &self.action {
            Action::Signal(signal) => format!("signal = {}", signal.show()),
            Action::Command(written) => written.show_command(),
            Action::EndOfInput => format!("stdin = {}", Close.show()),
        };
        match self.within {
            Some(within) => format!("{{ {what}, within = {} }}", within.show()),
            None => format!("{{ {what} }}"),
        }
    }
}
