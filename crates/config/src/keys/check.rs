//! Are these keys known? Every table of a file goes through here once, before anything is read.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Inside, Table, find, foreign, of};
use crate::context::Context;
use crate::source::quoted;

/// Reports every key of `table` and of what is inside it that is unknown or not in this version.
pub(crate) fn check_table(context: &Context<'_>, table: &DeTable<'_>, kind: Table) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        match find(kind, name).map(|row| row.inside) {
            None => unknown(context, key, kind),
            Some(Inside::NotYet(why)) => context.report(
                context
                    .source
                    .error(
                        key.span(),
                        format!("{} is not in this version of abide", quoted(name)),
                    )
                    .label("reserved for a later version")
                    .help(why),
            ),
            Some(Inside::Value) => {}
            Some(Inside::Keys(inner)) => check_value(context, value, inner),
            Some(Inside::Named(inner)) => {
                for (_, unit) in value.get_ref().as_table().into_iter().flatten() {
                    check_value(context, unit, inner);
                }
            }
        }
    }
}

fn check_value(context: &Context<'_>, value: &Spanned<DeValue<'_>>, kind: Table) {
    match value.get_ref() {
        DeValue::Table(table) => check_table(context, table, kind),
        DeValue::Array(array) => {
            for item in array.iter() {
                if let DeValue::Table(table) = item.get_ref() {
                    check_table(context, table, kind);
                }
            }
        }
        _ => {}
    }
}

fn unknown(context: &Context<'_>, key: &Spanned<std::borrow::Cow<'_, str>>, kind: Table) {
    if context.count_unseen() {
        return;
    }
    let name = key.get_ref().as_ref();
    let mut report = context.source.error(
        key.span(),
        format!("unknown key {} in {}", quoted(name), kind.title()),
    );
    if let Some(ours) = foreign::translate(kind, name) {
        report = report.label("another tool's word").help(ours);
    } else if let Some(near) = nearest(name, of(kind).map(|key| key.name)) {
        report = report.label(format!("did you mean `{near}`?"));
    } else if let Some(home) = elsewhere(kind, name) {
        report = report.label("belongs elsewhere").help(home);
    } else {
        let all: Vec<&str> = of(kind)
            .filter(|key| !matches!(key.inside, Inside::NotYet(_)))
            .map(|key| key.name)
            .collect();
        report = report.help(format!(
            "the keys of {} are: {}",
            kind.title(),
            all.join(", ")
        ));
    }
    context.report(report);
}

/// A key of ours that stands in another table.
fn elsewhere(kind: Table, name: &str) -> Option<String> {
    let row = super::ALL.iter().find(|key| {
        key.name == name && key.table != kind && !matches!(key.inside, Inside::NotYet(_))
    })?;
    Some(match row.table {
        Table::File => format!("`{name}` stands at the top of the file, above the first table"),
        Table::Unit => format!("`{name}` stands in a unit: [service.NAME]"),
        other => format!("`{name}` stands in {}", other.title()),
    })
}

/// The candidate that was probably meant, if one is near enough.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
