//! Is it TOML? The tree with its places, and the mistakes that a person would want to see: the first
//! one of each table, because what follows is mostly its consequence.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::source::{SourceText, quoted};

/// A key of more parts than this is refused before the parser sees it: each part is a table in a table,
/// and taking a million of those down again needs more stack than there is.
const MOST_PARTS: usize = 40;

/// A text larger than this shows its first mistake only: gathering all of them costs too much.
const GATHER_UP_TO: usize = 256 << 10;

/// What was understood of a text.
pub(crate) struct Parsed<'i> {
    pub tree: DeTable<'i>,
    pub mistakes: Vec<Diagnostic>,
    /// Bytes of the tables that hold a mistake: what they say must not be judged.
    broken: Vec<Range<usize>>,
}

impl Parsed<'_> {
    /// Whether the table that this byte stands in is free of mistakes.
    pub fn is_sound(&self, at: usize) -> bool {
        !self.broken.iter().any(|range| range.contains(&at))
    }
}

/// Parses a text.
pub(crate) fn parse(source: &SourceText) -> Parsed<'_> {
    let text = source.text.as_str();
    if let Some(span) = too_many_parts(text) {
        let mistake = source
            .error(span, "a key of too many parts")
            .label(format!("more than {MOST_PARTS}"))
            .help("no key of a configuration has more than five");
        return Parsed {
            tree: DeTable::new(),
            mistakes: vec![mistake],
            broken: vec![0..usize::MAX],
        };
    }
    let errors = match DeTable::parse(text) {
        Ok(tree) => {
            return Parsed {
                tree: tree.into_inner(),
                mistakes: Vec::new(),
                broken: Vec::new(),
            };
        }
        Err(first) if text.len() > GATHER_UP_TO => {
            let mistakes = vec![explain(source, &first)];
            return Parsed {
                tree: DeTable::new(),
                mistakes,
                broken: vec![0..usize::MAX],
            };
        }
        Err(_) => DeTable::parse_recoverable(text),
    };
    let (tree, errors) = (errors.0.into_inner(), errors.1);
    let tables = tables(text);
    let (mut mistakes, mut broken): (Vec<Diagnostic>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let table = tables
            .iter()
            .rfind(|table| table.start <= at)
            .cloned()
            .unwrap_or(0..text.len());
        if broken.contains(&table) {
            continue;
        }
        mistakes.push(explain(source, error));
        // An array or a text that is not closed swallows the tables after it.
        let swallows = error.message().contains("unclosed") || error.message().contains("array");
        broken.push(table.clone());
        if swallows {
            let next = tables
                .iter()
                .filter(|other| other.start >= table.end)
                .cloned();
            broken.extend(next.take_while(|other| !reached(&tree, other)));
        }
    }
    Parsed {
        tree,
        mistakes,
        broken,
    }
}

/// Whether the parser saw a table's header as one.
fn reached(tree: &DeTable<'_>, table: &Range<usize>) -> bool {
    tree.iter().any(|(key, value)| {
        table.contains(&key.span().start)
            || matches!(value.get_ref(), DeValue::Table(inner) if reached(inner, table))
    })
}

/// The bytes of every table, each from its header to the next; the first has no header.
fn tables(text: &str) -> Vec<Range<usize>> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if is_header(line.trim()) {
            starts.push(at + line.len() - line.trim_start().len());
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len() + 1]);
    starts
        .iter()
        .copied()
        .zip(ends)
        .map(|(start, end)| start..end)
        .collect()
}

/// Looks like `[a.b]`, finished or not; an element of an array of arrays does not.
fn is_header(line: &str) -> bool {
    let Some(rest) = line.strip_prefix('[') else {
        return false;
    };
    let rest = rest.strip_prefix('[').unwrap_or(rest);
    let name = rest.split([']', '#']).next().unwrap_or_default().trim();
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && !name.contains([',', '[', '{', '='])
}

/// A key, outside of texts and comments, with more parts than any key has.
fn too_many_parts(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut at, mut dots, mut key) = (0, 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at = skip_to(bytes, at, b"\n"),
            quote @ (b'"' | b'\'') => {
                let long = [quote; 3];
                if bytes[at..].starts_with(&long) {
                    at = skip_text(bytes, at + 3, &long) + 2;
                } else {
                    at = skip_text(bytes, at + 1, &[quote]);
                }
            }
            b'.' => {
                dots += 1;
                if dots > MOST_PARTS {
                    return Some(key..at + 1);
                }
            }
            b'\n' | b'=' | b',' | b'{' | b'[' => {
                dots = 0;
                key = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn skip_to(bytes: &[u8], from: usize, end: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(end.len())
        .position(|window| window == end)
        .map_or(bytes.len(), |n| from + n)
}

/// The place where a text ends; one of a single line also ends with that.
fn skip_text(bytes: &[u8], from: usize, end: &[u8]) -> usize {
    let mut at = from;
    while at < bytes.len() {
        if bytes[at..].starts_with(end) {
            return at;
        }
        match bytes[at] {
            b'\\' if end[0] == b'"' => at += 1,
            b'\n' if end.len() == 1 => return at - 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// A mistake of the parser's, with what was probably meant.
fn explain(source: &SourceText, error: &toml::de::Error) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let (message, expected) = match error.message().split_once(", expected ") {
        Some((message, expected)) => (message, expected),
        None => (error.message(), ""),
    };
    let line = line_at(&source.text, span.start);
    if message == "duplicate key" {
        return duplicate(source, span, line);
    }
    let mut report = source.error(span.clone(), message.to_owned());
    if !expected.is_empty() {
        report = report.label(format!("expected {expected}"));
    }
    let trimmed = line.trim();
    let help = if let Some(name) = trimmed
        .strip_prefix("[program:")
        .or_else(|| trimmed.strip_prefix("[service:"))
    {
        Some(format!(
            "a unit is called [service.{}] here",
            name.trim_end_matches(']')
        ))
    } else if trimmed.starts_with('[') && is_header(trimmed) {
        Some("a header is [service.NAME]; a name with other characters stands in quotes".to_owned())
    } else if let Some((key, value)) = trimmed.split_once(": ").filter(|_| !trimmed.contains('=')) {
        Some(format!(
            "this is TOML, not YAML: `{} = …{}`",
            key.trim_matches('"'),
            if value.starts_with('"') {
                ""
            } else {
                ", a text in quotes"
            }
        ))
    } else if message.contains("string") && message.contains("quote")
        || unquoted(trimmed, expected, message)
    {
        Some("a text stands in quotes: `key = \"text\"`".to_owned())
    } else {
        None
    };
    report.help = help;
    report
}

/// The right side of this line begins like a word.
fn unquoted(line: &str, expected: &str, message: &str) -> bool {
    let about_value = expected.contains("literal")
        || expected.contains('"')
        || message.contains("value")
        || message.contains("bare");
    about_value
        && line.split_once('=').is_some_and(|(_, value)| {
            value
                .trim_start()
                .starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '~' | '.' | '$'))
        })
}

/// A key or a table that is there twice, with the first place.
fn duplicate(source: &SourceText, span: Range<usize>, line: &str) -> Diagnostic {
    let name = source.text.get(span.clone()).unwrap_or_default().to_owned();
    let header = is_header(line.trim());
    let message = match header {
        true => format!(
            "the table {} is there twice",
            line.split('#').next().unwrap_or_default().trim()
        ),
        false => format!("the key {} is there twice in this table", quoted(&name)),
    };
    let mut report = source
        .error(span.clone(), message)
        .label("the second one")
        .help(match header {
            true => "give the second one another name, or make them one table",
            false => "keep one of them",
        });
    if let Some(first) = first_place(&source.text, span.start, &name, header, line) {
        report = report.note(source.note(&first, "the first one is here"));
    }
    report
}

fn first_place(
    text: &str,
    before: usize,
    name: &str,
    header: bool,
    line: &str,
) -> Option<Range<usize>> {
    let table = tables(text)
        .into_iter()
        .rfind(|table| table.start <= before)?;
    let from = if header { 0 } else { table.start };
    let mut at = from;
    for other in text.get(from..before)?.split_inclusive('\n') {
        let indent = other.len() - other.trim_start().len();
        let same = match header {
            true => other.trim() == line.trim(),
            false => other
                .trim_start()
                .strip_prefix(name)
                .is_some_and(|rest| rest.trim_start().starts_with(['=', '.'])),
        };
        if same && at + indent < before {
            let length = if header {
                other.trim().len()
            } else {
                name.len()
            };
            return Some(at + indent..at + indent + length);
        }
        at += other.len();
    }
    None
}

fn line_at(text: &str, at: usize) -> &str {
    let at = at.min(text.len());
    let start = text.as_bytes()[..at]
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |n| n + 1);
    let end = text.as_bytes()[at..]
        .iter()
        .position(|b| *b == b'\n')
        .map_or(text.len(), |n| at + n);
    text.get(start..end).unwrap_or_default()
}

/// The place of a top-level key.
pub(crate) fn top<'t, 'i>(
    tree: &'t DeTable<'i>,
    name: &str,
) -> Option<(Range<usize>, &'t Spanned<DeValue<'i>>)> {
    tree.get_key_value(name)
        .map(|(key, value)| (key.span(), value))
}
