//! As whom a unit runs: `user` and `group`.

use toml::de::DeValue;

use super::Reader;
use crate::source::quoted;
use crate::values::{Value as _, Wrong, show_text};

/// Names or numbers, as written.
#[derive(Clone)]
pub(super) struct Account {
    pub user: Option<String>,
    pub group: Option<String>,
}

/// Reads `user` and `group`; names must exist.
pub(super) fn account(reader: &Reader<'_>) -> Account {
    let accounts = &reader.context.caller.accounts;
    Account {
        user: one(
            reader,
            "user",
            &|name| accounts.has_user(name),
            "create it: `useradd --system NAME`",
        ),
        group: one(
            reader,
            "group",
            &|name| accounts.has_group(name),
            "create it: `groupadd --system NAME`; a group of units stands at the top of the file instead",
        ),
    }
}

fn one(
    reader: &Reader<'_>,
    key: &str,
    exists: &dyn Fn(&str) -> bool,
    help: &str,
) -> Option<String> {
    let field = reader.field(key)?;
    if let Some(reason) = reader.context.caller.accounts.refused() {
        reader.wrong(&field, Wrong::new(reason));
        return None;
    }
    let name = match field.value.get_ref() {
        DeValue::Integer(number) => number.to_string(),
        other => match String::read(other) {
            Ok(name) => name,
            Err(wrong) => {
                reader.wrong(&field, wrong);
                return None;
            }
        },
    };
    // The highest number means "no change" to the kernel.
    let number = name.parse::<u32>().is_ok_and(|number| number < u32::MAX);
    if number || (!name.is_empty() && exists(&name)) {
        reader.note(&field, show_text(&name));
        return Some(name);
    }
    let wrong = Wrong::new(format!(
        "there is no {key} {} on this machine",
        quoted(&name)
    ));
    reader.wrong(&field, wrong.label("unknown").help(help));
    None
}
