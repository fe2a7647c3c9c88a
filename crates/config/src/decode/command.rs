//! Command lines, and whether their programs are there.

use std::path::{Path, PathBuf};

use abide_model::Command;
use toml::Spanned;
use toml::de::DeValue;

use super::Reader;
use super::reader::Field;
use crate::programs::{self, Found, split};
use crate::source::quoted;
use crate::values::{Value, Wrong, show_text, show_texts};

/// What the shell would have done with a word that is only an argument here.
const OPERATORS: [&str; 13] = [
    "|", "||", "&", "&&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "&>", ">&2",
];

/// Reads `command` and `shell`.
pub(super) fn command(reader: &Reader<'_>) -> Option<(Command, Vec<std::ops::Range<usize>>)> {
    let shell = reader.get_or("shell", false);
    let field = reader.field("command")?;
    if !shell {
        let (argv, spans) = argv(reader, &field, true)?;
        let shown = match field.value.get_ref() {
            DeValue::String(text) => show_text(text),
            _ => show_texts(argv.iter().map(String::as_str)),
        };
        reader.note(&field, shown);
        return Some((Command::Argv(argv), spans));
    }
    match String::read(field.value.get_ref()) {
        Ok(line) if line.trim().is_empty() => {
            reader.wrong(&field, Wrong::new("it is empty").help("say what to run"));
            None
        }
        Ok(line) => {
            reader.note(&field, line.show());
            Some((Command::Shell(line), vec![field.value.span()]))
        }
        Err(wrong) => {
            reader.wrong(
                &field,
                wrong.help("with `shell = true` the command is one line of text"),
            );
            None
        }
    }
}

/// A program and its arguments, from a line or an array, with the place of each.
pub(super) fn argv(
    reader: &Reader<'_>,
    field: &Field<'_>,
    warn: bool,
) -> Option<(Vec<String>, Vec<std::ops::Range<usize>>)> {
    let span = field.value.span();
    let empty =
        || Wrong::new("it is empty").help("say what to run: `command = \"PROGRAM ARGUMENT…\"`");
    match field.value.get_ref() {
        DeValue::String(line) => {
            if line.contains('\0') {
                reader.wrong(field, Wrong::new("a command cannot hold a NUL character"));
                return None;
            }
            let Some(words) = split(line) else {
                reader.wrong(
                    field,
                    Wrong::new("a quote is not closed")
                        .help("or write an array: `[\"PROGRAM\", \"ARGUMENT\"]`"),
                );
                return None;
            };
            if words.first().is_none_or(String::is_empty) {
                reader.wrong(field, empty());
                return None;
            }
            if warn {
                warn_of_shell(reader, line, &span);
            }
            let spans = vec![span; words.len()];
            Some((words, spans))
        }
        DeValue::Array(items) => {
            let mut argv = Vec::new();
            let mut spans = Vec::new();
            let mut sound = true;
            for item in items.iter() {
                match argument(item) {
                    Ok(text) => {
                        argv.push(text);
                        spans.push(item.span());
                    }
                    Err(wrong) => {
                        reader.wrong_at(field, item.span(), wrong);
                        sound = false;
                    }
                }
            }
            if sound && argv.first().is_none_or(|program| program.trim().is_empty()) {
                reader.wrong(field, empty());
                sound = false;
            }
            sound.then_some((argv, spans))
        }
        other => {
            reader.wrong(
                field,
                Wrong::kind(other, "a command line or an array of texts"),
            );
            None
        }
    }
}

fn argument(item: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
    match item.get_ref() {
        DeValue::Integer(number) => {
            Err(Wrong::kind(item.get_ref(), "a text")
                .help(format!("write it in quotes: \"{number}\"")))
        }
        other => String::read(other),
    }
}

/// Warns of what only a shell would understand.
fn warn_of_shell(reader: &Reader<'_>, line: &str, span: &std::ops::Range<usize>) {
    let quotes = |c| matches!(c, '\'' | '"' | '\\');
    let word = line.split_whitespace().find(|word| {
        OPERATORS.contains(word)
            || (word.starts_with('$') && word.len() > 1 && !word.contains(quotes))
            || word.starts_with("~/")
            || word.ends_with(';') && word.len() > 1 && !word.contains(quotes)
    });
    if let Some(word) = word {
        reader.context.report(
            reader
                .context
                .source
                .warning(
                    span.clone(),
                    format!(
                        "no shell sees this command: {} is passed on as it stands",
                        quoted(word)
                    ),
                )
                .help("add `shell = true`, or write an array to say that it is meant so"),
        );
    }
}

/// Looks for a program as the platform will: a path relative to the directory, another name in PATH.
pub(super) fn find_program(program: &str, directory: &Path, path: &str) -> Result<(), Wrong> {
    if programs::is_path(program) {
        let (found, file) = best(&directory.join(program));
        return match found {
            Found::Yes => Ok(()),
            Found::NotExecutable => {
                Err(Wrong::new(format!("{} is not executable", quoted(program)))
                    .label("not executable")
                    .help(format!(
                        "`chmod +x {}`, or name its interpreter first",
                        file.display()
                    )))
            }
            Found::Directory => {
                Err(Wrong::new(format!("{} is a directory", quoted(program))).label("a directory"))
            }
            Found::No => {
                let wrong = Wrong::new(format!("the program {} does not exist", quoted(program)))
                    .label("no such file");
                Err(if Path::new(program).is_absolute() {
                    wrong
                } else {
                    wrong.help(format!(
                        "it is looked up from the unit's directory, {}",
                        directory.display()
                    ))
                })
            }
        };
    }
    let Some(folders) = programs::folders(path) else {
        // Who starts it will tell.
        return Ok(());
    };
    let mut second_best = None;
    for folder in folders {
        match best(&directory.join(folder).join(program)) {
            (Found::Yes, _) => return Ok(()),
            (Found::NotExecutable, file) => second_best = second_best.or(Some(file)),
            (Found::Directory | Found::No, _) => {}
        }
    }
    let wrong = Wrong::new(format!("the program {} was not found", quoted(program)));
    Err(match second_best {
        Some(file) => wrong.label("not executable").help(format!("{} is there but not executable", file.display())),
        None => wrong.label("not in the unit's PATH").help(format!(
            "PATH is {path}; write the whole path, or `inherit = [\"PATH\"]`, or set PATH in `environment`"
        )),
    })
}

/// The file that a name means, of those that it may mean.
fn best(name: &Path) -> (Found, PathBuf) {
    let mut files = programs::files(name).into_iter();
    files
        .find_map(|file| match programs::look(&file) {
            Found::No => None,
            found => Some((found, file)),
        })
        .unwrap_or((Found::No, name.to_owned()))
}
