//! When a unit is started again: `type`, `restart`, `success_exit`, `backoff`, `give_up`.

use std::time::Duration;

use abide_model::{Backoff, BackoffCurve, GiveUp, Restart, Signal, SuccessExit, UnitType};
use toml::de::DeValue;

use super::{LayerKind, Reader};
use crate::keys::Table;
use crate::values::{Int, Ratio, Value, Wrong};

/// Reads `type` and `restart`, which belong together.
pub(super) fn kind(reader: &Reader<'_>) -> (UnitType, Restart) {
    let unit_type = reader.get_or("type", UnitType::Service);
    if unit_type == UnitType::Service {
        return (unit_type, reader.get_or("restart", Restart::Always));
    }
    let restart = reader.get_or("restart", Restart::OnFailure);
    if restart != Restart::Always {
        return (unit_type, restart);
    }
    // What [defaults] say is meant for services; what the unit says is a mistake.
    if let Some(field) = reader
        .field("restart")
        .filter(|field| field.kind == LayerKind::Unit)
    {
        let wrong =
            Wrong::new("a oneshot runs once to its end, and \"always\" would never let it end")
                .help("write \"on-failure\" or \"never\", or make it a service");
        reader.wrong(&field, wrong);
    }
    (unit_type, Restart::OnFailure)
}

/// Reads `success_exit`.
pub(super) fn success_exit(reader: &Reader<'_>) -> SuccessExit {
    let standard = SuccessExit::default();
    let Some(field) = reader.field("success_exit") else {
        reader.built_in("success_exit", show(&standard));
        return standard;
    };
    let mut exit = SuccessExit {
        codes: Vec::new(),
        signals: Vec::new(),
    };
    let mut take = |item: &toml::Spanned<DeValue<'_>>| {
        let wrong = match item.get_ref() {
            DeValue::Integer(_) => match Int::<0, 255>::read(item.get_ref()) {
                Ok(code) => return exit.codes.extend(i32::try_from(code.0)),
                Err(wrong) => {
                    wrong.help("an exit code is 0 to 255; a signal stands here by its name")
                }
            },
            DeValue::String(_) => match Signal::read(item.get_ref()) {
                Ok(signal) => return exit.signals.push(signal),
                Err(wrong) => wrong,
            },
            other => Wrong::kind(other, "an exit code or a signal"),
        };
        reader.wrong_at(&field, item.span(), wrong);
    };
    match field.value.get_ref() {
        DeValue::Array(items) => items.iter().for_each(take),
        DeValue::Integer(_) => take(field.value),
        other => reader.wrong(
            &field,
            Wrong::kind(other, "an array").help("such as `success_exit = [0, 3, \"SIGTERM\"]`"),
        ),
    }
    reader.note(&field, show(&exit));
    exit
}

fn show(exit: &SuccessExit) -> String {
    let codes = exit.codes.iter().map(i32::to_string);
    let items: Vec<String> = codes.chain(exit.signals.iter().map(Value::show)).collect();
    format!("[{}]", items.join(", "))
}

/// Reads `backoff`.
pub(super) fn backoff(reader: &Reader<'_>) -> Backoff {
    let (table, other) = reader.merged("backoff", Table::Backoff);
    if let Some(field) = other {
        if field.value.get_ref().as_str() == Some("none") {
            reader.note(&field, "\"none\"".into());
            return Backoff::None;
        }
        let wrong = Wrong::kind(field.value.get_ref(), "a table or \"none\"")
            .help("such as `backoff = { initial = \"100ms\", max = \"30s\" }`");
        reader.wrong(&field, wrong);
    }
    let table = table.unwrap_or_else(|| reader.empty("backoff", Table::Backoff));
    let Backoff::Exponential(standard) = Backoff::default() else {
        return Backoff::None;
    };
    let curve = BackoffCurve {
        initial: table.get_or("initial", standard.initial),
        factor: table
            .get_or::<Ratio<1, 100>>("factor", Ratio(standard.factor))
            .0,
        max: table.get_or("max", standard.max),
        jitter: table
            .get_or::<Ratio<0, 1>>("jitter", Ratio(standard.jitter))
            .0,
        reset_after: table.get_or("reset_after", standard.reset_after),
    };
    if curve.max < curve.initial {
        let field = table.field("max").or_else(|| table.field("initial"));
        if let Some(field) = field {
            let wrong = Wrong::new("`max` is shorter than `initial`").help(format!(
                "`initial` is {}, `max` is {}",
                curve.initial.show(),
                curve.max.show()
            ));
            table.wrong(&field, wrong);
        }
    }
    Backoff::Exponential(curve)
}

/// Reads `give_up`.
pub(super) fn give_up(reader: &Reader<'_>) -> Option<GiveUp> {
    let table = reader.tables("give_up", Table::GiveUp)?;
    let restarts = table.get_or::<Int<1, 10_000>>("restarts", Int(20)).0;
    let within = table.get_or("within", Duration::from_secs(600));
    if let Some(field) = table.field("within").filter(|_| within.is_zero()) {
        table.wrong(
            &field,
            Wrong::new("a window cannot be empty").help("such as \"10m\""),
        );
    }
    Some(GiveUp {
        restarts: u32::try_from(restarts).unwrap_or(u32::MAX),
        within,
    })
}
