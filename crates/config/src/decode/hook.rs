//! Commands that abide runs on behalf of a unit: a command line, an array, a table that says more, or
//! an array of such tables.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide_model::{Command, Hook};
use toml::de::DeValue;

use super::Reader;
use super::command::{argv, find_program};
use super::probe::Here;
use super::reader::Field;
use crate::keys::Table;
use crate::programs::is_path;
use crate::values::{Wrong, show_duration, show_text, show_texts};

/// How long a hook may take where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A hook as it is written, and where: the program is looked up once it is known which instance asks.
#[derive(Clone)]
pub(super) struct Written {
    /// The key, dotted.
    path: String,
    /// Of the program.
    span: Range<usize>,
    hook: Hook,
}

/// Reads the hooks under a key, in their order.
pub(super) fn hooks(reader: &Reader<'_>, name: &str) -> Vec<Written> {
    let Some(field) = reader.field(name) else {
        return Vec::new();
    };
    let hooks = written(reader, &field);
    reader.note(&field, show(&field, &hooks));
    hooks
}

/// Reads the hooks that stand as the value of this field.
pub(super) fn written(reader: &Reader<'_>, field: &Field<'_>) -> Vec<Written> {
    match field.value.get_ref() {
        DeValue::Array(items) if items.is_empty() => Vec::new(),
        DeValue::Array(items)
            if items
                .iter()
                .any(|item| matches!(item.get_ref(), DeValue::Table(_))) =>
        {
            let mut hooks = Vec::new();
            for item in items.iter() {
                match item.get_ref() {
                    DeValue::Table(_) => hooks.extend(table(reader, field, item)),
                    other => {
                        let wrong = Wrong::kind(other, "a table").help(
                            "write each as a table: `[{ command = \"…\" }, { command = \"…\" }]`",
                        );
                        reader.wrong_at(field, item.span(), wrong);
                    }
                }
            }
            hooks
        }
        DeValue::Table(_) => table(reader, field, field.value).into_iter().collect(),
        DeValue::String(_) | DeValue::Array(_) => argv(reader, field, true)
            .map(|(argv, spans)| Written::new(field, spans.first().cloned(), Command::Argv(argv)))
            .into_iter()
            .collect(),
        other => {
            let wrong = Wrong::kind(other, "a command line, an array of texts, or a table")
                .help(format!("such as `{} = \"PROGRAM ARGUMENT…\"`", field.path));
            reader.wrong(field, wrong);
            Vec::new()
        }
    }
}

/// A hook that is a table.
fn table(
    reader: &Reader<'_>,
    field: &Field<'_>,
    item: &toml::Spanned<DeValue<'_>>,
) -> Option<Written> {
    let DeValue::Table(found) = item.get_ref() else {
        return None;
    };
    let table = reader.item(field, Table::Hook, found);
    let timeout: Duration = table.get_or("timeout", TIMEOUT);
    if let Some(field) = table.field("timeout").filter(|_| timeout.is_zero()) {
        let wrong = Wrong::new("nothing is done in no time").help("such as \"30s\"");
        table.wrong(&field, wrong);
    }
    if table.field("command").is_none() {
        let wrong = Wrong::new("without a `command`").help(format!(
            "such as `{} = {{ command = \"PROGRAM ARGUMENT…\" }}`",
            field.path
        ));
        reader.wrong_at(field, item.span(), wrong);
    }
    let (command, spans) = super::command::command(&table)?;
    Some(Written {
        path: format!("{}.command", field.path),
        span: spans.first().cloned().unwrap_or(item.span()),
        hook: Hook { command, timeout },
    })
}

impl Written {
    /// A command that is not under a time of its own.
    pub fn new(field: &Field<'_>, program: Option<Range<usize>>, command: Command) -> Self {
        Self {
            path: field.path.clone(),
            span: program.unwrap_or(field.value.span()),
            hook: Hook {
                command,
                timeout: TIMEOUT,
            },
        }
    }

    /// Its keys as one would write them, but for the time.
    pub fn show_command(&self) -> String {
        match &self.hook.command {
            Command::Shell(line) => format!("command = {}, shell = true", show_text(line)),
            Command::Argv(argv) => {
                format!("command = {}", show_texts(argv.iter().map(String::as_str)))
            }
        }
    }

    /// Fills in the instance and looks whether the program is there.
    pub fn settle(&self, reader: &Reader<'_>, here: &Here<'_>) -> Hook {
        let Here {
            directory,
            path,
            fill,
            ..
        } = *here;
        let command = match &self.hook.command {
            Command::Shell(line) => Command::Shell(fill(line)),
            Command::Argv(argv) => Command::Argv(argv.iter().map(|word| fill(word)).collect()),
        };
        if let Command::Argv(argv) = &command
            && let Some(program) = argv.first()
            && let Err(wrong) = find_program(program, directory, path)
        {
            reader.wrong_in(&self.path, self.span.clone(), wrong);
        }
        Hook {
            command,
            timeout: self.hook.timeout,
        }
    }

    /// The hook of no unit: its program as it was found, so that the directory it is run in does not
    /// matter.
    pub fn found(&self, reader: &Reader<'_>, directory: &Path, path: &str) -> Hook {
        let here = Here {
            directory,
            path,
            fill: &str::to_owned,
            first: true,
        };
        let mut hook = self.settle(reader, &here);
        if let Command::Argv(argv) = &mut hook.command
            && let Some(program) = argv.first_mut()
            && is_path(program)
        {
            let whole: PathBuf = directory.join(&program).components().collect();
            *program = whole.to_string_lossy().into_owned();
        }
        hook
    }
}

/// As one would write them.
pub(super) fn show(field: &Field<'_>, hooks: &[Written]) -> String {
    if let (DeValue::String(line), [_]) = (field.value.get_ref(), hooks) {
        return show_text(line);
    }
    let one = |written: &Written| {
        let command = written.show_command();
        format!(
            "{{ {command}, timeout = \"{}\" }}",
            show_duration(written.hook.timeout)
        )
    };
    match hooks {
        [hook] => one(hook),
        hooks => {
            let shown: Vec<String> = hooks.iter().map(one).collect();
            format!("[{}]", shown.join(", "))
        }
    }
}
