//! The variables of a unit: `inherit`, then `environment_file`, then `environment`.

use std::path::Path;

use abide_model::EnvironmentSpec;
use toml::de::DeValue;

use super::Reader;
use crate::diagnostic::Diagnostic;
use crate::document::Origin;
use crate::dotenv;
use crate::read::{self, Limit};
use crate::source::{SourceText, quoted};
use crate::values::{Value, Wrong, show_text, show_texts};

/// A unit's variables.
pub(super) struct Environment {
    pub spec: EnvironmentSpec,
    /// The names that `inherit` asks for.
    pub inherited: Vec<String>,
}

/// Reads them all. Later ones win; each name is there once.
pub(super) fn environment(reader: &Reader<'_>) -> Environment {
    let mut all: Vec<(String, String, Origin)> = Vec::new();
    let mut set = |name: String, value: String, origin: Origin| {
        all.retain(|(other, ..)| *other != name);
        all.push((name, value, origin));
    };
    let inherited = inherit(reader);
    for name in &inherited {
        if let Some(value) = reader.context.caller.environment.get(name) {
            set(name.clone(), value.clone(), Origin::Caller);
        }
    }
    for (name, value, origin) in files(reader) {
        set(name, value, origin);
    }
    for field in reader.fields("environment") {
        let DeValue::Table(table) = field.value.get_ref() else {
            let wrong = Wrong::kind(field.value.get_ref(), "a table").help(
                "write `environment = { NAME = \"VALUE\" }`, or a table [service.NAME.environment]",
            );
            reader.wrong(&field, wrong);
            continue;
        };
        // A table is ordered by name; the order in the file is the one people mean.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            if name.is_empty() || name.contains(['=', '\0']) {
                let wrong = Wrong::new(format!("{} is not a name of a variable", quoted(name)))
                    .help("a name is not empty and holds no `=`");
                reader.wrong_at(&field, key.span(), wrong);
                continue;
            }
            match text(name, value.get_ref()) {
                Ok(value) => {
                    let mut place = field.clone();
                    place.key_span = key.span();
                    set(name.to_owned(), value, reader.origin(&place));
                }
                Err(wrong) => reader.wrong_at(&field, value.span(), wrong),
            }
        }
    }
    for (name, value, origin) in &all {
        reader.note_as(
            format!("environment.{name}"),
            show_text(value),
            origin.clone(),
        );
    }
    let variables = all
        .into_iter()
        .map(|(name, value, _)| (name, value))
        .collect();
    Environment {
        spec: EnvironmentSpec { variables },
        inherited,
    }
}

fn text(name: &str, value: &DeValue<'_>) -> Result<String, Wrong> {
    let help = |shown: &str| format!("a variable is a text: write `{name} = \"{shown}\"`");
    match value {
        DeValue::Integer(number) => {
            Err(Wrong::kind(value, "a text").help(help(&number.to_string())))
        }
        DeValue::Float(number) => Err(Wrong::kind(value, "a text").help(help(number.as_str()))),
        DeValue::Boolean(b) => Err(Wrong::kind(value, "a text").help(help(&b.to_string()))),
        other => String::read(other),
    }
}

fn inherit(reader: &Reader<'_>) -> Vec<String> {
    let Some((field, names)) = reader.texts("inherit", false) else {
        if reader.field("inherit").is_none() {
            reader.built_in("inherit", "[]".into());
        }
        return Vec::new();
    };
    let mut taken: Vec<String> = Vec::new();
    for name in names {
        if !dotenv::is_name(name.get_ref()) {
            let wrong = Wrong::new(format!(
                "{} is not a name of a variable",
                quoted(name.get_ref())
            ))
            .help("each variable is named by itself: `inherit = [\"PATH\", \"LANG\"]`");
            reader.wrong_at(&field, name.span(), wrong);
        } else if !taken.contains(name.get_ref()) {
            taken.push(name.into_inner());
        }
    }
    reader.note(&field, show_texts(taken.iter().map(String::as_str)));
    taken
}

fn files(reader: &Reader<'_>) -> Vec<(String, String, Origin)> {
    let Some((field, names)) = reader.texts("environment_file", true) else {
        if reader.field("environment_file").is_none() {
            reader.built_in("environment_file", "[]".into());
        }
        return Vec::new();
    };
    let mut variables = Vec::new();
    for name in &names {
        let (optional, path) = match name.get_ref().strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, name.get_ref().as_str()),
        };
        let path = reader.context.source.folder().join(path);
        match read::text(&path, Limit::VARIABLES) {
            Ok(text) => variables.extend(file(reader, &path, text)),
            Err(read::Failure::Missing) if optional => {}
            Err(read::Failure::Missing) => {
                let wrong = Wrong::new(format!(
                    "the file {} does not exist",
                    quoted(name.get_ref())
                ))
                .label("no such file")
                .help(format!(
                    "looked for {}; a leading `-` lets it be missing",
                    path.display()
                ));
                reader.wrong_at(&field, name.span(), wrong);
            }
            Err(why) => {
                let wrong = Wrong::new(format!("cannot read {}: {why}", quoted(name.get_ref())));
                reader.wrong_at(&field, name.span(), wrong);
            }
        }
    }
    reader.note(
        &field,
        show_texts(names.iter().map(|name| name.get_ref().as_str())),
    );
    variables
}

fn file(reader: &Reader<'_>, path: &Path, text: String) -> Vec<(String, String, Origin)> {
    let source = SourceText::new(path, text);
    let (variables, bad) = dotenv::parse(&source.text);
    for line in bad {
        let report: Diagnostic = source.error(line.span, line.message).help(line.help);
        reader.context.report(report);
    }
    variables
        .into_iter()
        .map(|variable| {
            let line = source.line(variable.at);
            (
                variable.name,
                variable.value,
                Origin::EnvironmentFile {
                    file: path.to_owned(),
                    line,
                },
            )
        })
        .collect()
}

/// The names under `inherit` in a table, whatever else is wrong with it.
pub(crate) fn wanted(table: &toml::de::DeTable<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for key in ["linux", "inherit"] {
        match table.get(key).map(toml::Spanned::get_ref) {
            Some(DeValue::Table(inner)) if key == "linux" => names.extend(wanted(inner)),
            Some(DeValue::Array(items)) => {
                names.extend(
                    items
                        .iter()
                        .filter_map(|item| item.get_ref().as_str())
                        .map(str::to_owned),
                );
            }
            _ => {}
        }
    }
    names
}
