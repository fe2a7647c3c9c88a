//! As whom a unit runs: `user`, `group`, and the password that a user logs on with.

use std::path::{Path, PathBuf};

use abide_model::Unfit;
use toml::de::DeValue;

use super::Reader;
use crate::values::{Value as _, Wrong, show_text};

/// Names or numbers, as written.
#[derive(Clone)]
pub(super) struct Account {
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub group: Option<String>,
}

/// Reads `user` and `group`; names must exist.
pub(super) fn user_and_group(reader: &Reader<'_>) -> (Option<String>, Option<String>) {
    let accounts = &reader.context.caller.accounts;
    let user = one(reader, "user", &|name| accounts.user(name));
    (user, one(reader, "group", &|name| accounts.group(name)))
}

/// Reads `user`, `group` and `password_file`, which must suit the user.
pub(super) fn account(reader: &Reader<'_>) -> Account {
    let accounts = &reader.context.caller.accounts;
    let (user, group) = user_and_group(reader);
    let password_file = password_file(reader);
    // A user that is wrong was told of; what it would log on with is not known then.
    if user.is_some() || reader.field("user").is_none() {
        let fits = accounts.password(user.as_deref(), password_file.as_deref());
        let field = reader
            .field("password_file")
            .or_else(|| reader.field("user"));
        if let (Err(unfit), Some(field)) = (fits, field) {
            reader.wrong(&field, wrong(unfit));
        }
    }
    Account {
        user,
        password_file,
        group,
    }
}

fn one(reader: &Reader<'_>, key: &str, fits: &dyn Fn(&str) -> Result<(), Unfit>) -> Option<String> {
    let field = reader.field(key)?;
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
    match fits(&name) {
        Ok(()) => {
            reader.note(&field, show_text(&name));
            Some(name)
        }
        Err(unfit) => {
            reader.wrong(&field, wrong(unfit));
            None
        }
    }
}

/// Relative to this file. What is in it is nobody's business here.
fn password_file(reader: &Reader<'_>) -> Option<PathBuf> {
    let written: String = reader.get("password_file")?;
    Some(reader.context.source.folder().join(Path::new(&written)))
}

fn wrong(unfit: Unfit) -> Wrong {
    let label = if unfit.unknown { "unknown" } else { "" };
    let wrong = Wrong::new(unfit.why).label(label);
    match unfit.help {
        Some(help) => wrong.help(help),
        None => wrong,
    }
}
