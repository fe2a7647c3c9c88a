//! Is it TOML? The tree with its places, and the mistakes that a person would want to see: the first
//! one of each table, because what follows is mostly its consequence.

use std::borrow::Cow;
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

/// After this many mistakes the rest of a text is not looked at.
const MOST_ROUNDS: usize = 100;

/// A text whose tables with mistakes are blanked out: what is left is TOML.
pub(crate) struct Sound<'i> {
    pub text: Cow<'i, str>,
    pub mistakes: Vec<Diagnostic>,
    /// `[defaults]` was blanked out: what the units mean cannot be told.
    pub defaults_lost: bool,
}

impl Sound<'_> {
    /// Mistakes such that nothing is left.
    fn nothing(mistakes: Vec<Diagnostic>) -> Self {
        Self {
            text: Cow::Borrowed(""),
            mistakes,
            defaults_lost: true,
        }
    }

    /// The tree of what is left; its places are those of the whole text.
    pub fn tree(&self) -> DeTable<'_> {
        // Nothing is left in which a mistake could be.
        DeTable::parse(&self.text)
            .map(toml::Spanned::into_inner)
            .unwrap_or_default()
    }
}

/// Looks a text through.
pub(crate) fn sound(source: &SourceText) -> Sound<'_> {
    let text = source.text.as_str();
    let nothing = |mistake| Sound::nothing(vec![mistake]);
    if let Some(span) = too_many_parts(text) {
        return nothing(
            source
                .error(span, "a key of too many parts")
                .label(format!("more than {MOST_PARTS}"))
                .help("no key of a configuration has more than five"),
        );
    }
    match DeTable::parse(text) {
        Ok(_) => Sound {
            text: Cow::Borrowed(text),
            mistakes: Vec::new(),
            defaults_lost: false,
        },
        Err(first) if text.len() > GATHER_UP_TO => nothing(explain(source, &first, 0)),
        Err(first) => piecewise(source, &first),
    }
}

/// Parses every table by itself, so that an open bracket in one says nothing about the next; then all
/// sound ones together.
fn piecewise<'i>(source: &'i SourceText, first: &toml::de::Error) -> Sound<'i> {
    let text = source.text.as_str();
    let tables = tables(text);
    let (mut mistakes, mut broken): (Vec<Diagnostic>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
    for table in &tables {
        let part = text
            .get(table.start..table.end.min(text.len()))
            .unwrap_or_default();
        if let Err(error) = DeTable::parse(part) {
            mistakes.push(explain(source, &error, table.start));
            broken.push(table.clone());
        }
        if mistakes.len() > MOST_ROUNDS {
            return Sound::nothing(mistakes);
        }
    }
    loop {
        let left = without(text, &broken);
        let error = match DeTable::parse(&left) {
            Ok(_) if mistakes.is_empty() => {
                return Sound::nothing(vec![explain(source, first, 0)]);
            }
            Ok(_) => {
                let lost = |table: &Range<usize>| text[table.start..].starts_with("[defaults");
                let defaults_lost = broken.iter().any(lost);
                return Sound {
                    text: Cow::Owned(left),
                    mistakes,
                    defaults_lost,
                };
            }
            Err(error) => error,
        };
        // Sound alone and not together: it is there twice.
        let at = error.span().map_or(0, |span| span.start);
        let table = tables
            .iter()
            .rfind(|table| table.start <= at)
            .cloned()
            .unwrap_or(0..text.len() + 1);
        mistakes.push(explain(source, &error, 0));
        if broken.contains(&table) || mistakes.len() > MOST_ROUNDS {
            return Sound::nothing(mistakes);
        }
        broken.push(table);
    }
}

/// The text with these tables blanked out, so that all other places stay what they are.
fn without(text: &str, tables: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for table in tables {
        let end = table.end.min(bytes.len());
        for byte in bytes[table.start.min(end)..end]
            .iter_mut()
            .filter(|byte| **byte != b'\n')
        {
            *byte = b' ';
        }
    }
    // A table begins and ends at a line's end, so no character is cut.
    String::from_utf8(bytes).unwrap_or_default()
}

/// The bytes of every table, each from its header to the next; the first has no header. A header in
/// a text of several lines is none.
fn tables(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    let (mut at, mut fresh) = (0, true);
    while at < bytes.len() {
        if fresh && bytes[at] == b'[' && is_header(line_at(text, at).trim()) {
            starts.push(at);
        }
        fresh = bytes[at] == b'\n' || (fresh && matches!(bytes[at], b' ' | b'\t'));
        at = next_token(bytes, at);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len() + 1]);
    starts
        .iter()
        .copied()
        .zip(ends)
        .map(|(start, end)| start..end)
        .collect()
}

/// The byte after this one, or after the text or comment that begins here.
fn next_token(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        b'#' => skip_to(bytes, at, b"\n"),
        quote @ (b'"' | b'\'') if bytes[at..].starts_with(&[quote; 3]) => {
            skip_text(bytes, at + 3, &[quote; 3]) + 3
        }
        quote @ (b'"' | b'\'') => skip_text(bytes, at + 1, &[quote]) + 1,
        _ => at + 1,
    }
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
        at = next_token(bytes, at);
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
/// `start`: where the parsed part begins in the file.
fn explain(source: &SourceText, error: &toml::de::Error, start: usize) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let span = span.start + start..span.end + start;
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
    } else if message.contains("between array elements") || message.contains("unclosed array") {
        Some("an array before this place may not be closed: `]`".to_owned())
    } else if message == "invalid basic string" || message == "invalid literal string" {
        Some("the text is not closed".to_owned())
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
    let bare = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    for other in text.get(from..before)?.split_inclusive('\n') {
        let indent = other.len() - other.trim_start().len();
        let same = match header {
            true => bare(other) == bare(line),
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
