//! Regular expressions: compiled once as a check, a mistake shown at its place in the pattern.

use std::ops::Range;

use regex::bytes::RegexBuilder;
use regex_syntax::ParserBuilder;

use super::Reader;
use super::reader::Placed;
use crate::values::Wrong;

/// The longest pattern, in bytes.
const LONGEST: usize = 4 << 10;

/// The most that a compiled pattern may need, in bytes: `(a{500}){500}` is short and huge.
const LARGEST: usize = 1 << 20;

/// Reads a pattern; [`check`] looks at it when the instance is known.
pub(super) fn pattern(table: &Reader<'_>, name: &str) -> Option<Placed<String>> {
    let written = table.placed::<String>(name)?;
    if written.value.len() > LONGEST {
        let wrong = Wrong::new("the pattern is too long").label("more than 4,096 bytes");
        table.wrong_placed(&written, wrong.help("match something shorter"));
        return None;
    }
    Some(written)
}

/// Reports what is wrong with a pattern. `text` is what was read, with the instance filled in.
pub(super) fn check(reader: &Reader<'_>, written: &Placed<String>, text: &str) -> bool {
    let wrong = |wrong: Wrong| {
        reader.wrong_placed(written, wrong);
        false
    };
    if text.is_empty() {
        return wrong(Wrong::new("it is empty").help("an empty pattern would match everything"));
    }
    // As the bytes of a program's output are matched: they need not be UTF-8.
    if let Err(why) = ParserBuilder::new().utf8(false).build().parse(text) {
        let (what, at) = explain(&why);
        let wrong = Wrong::new(format!("the pattern makes no sense: {what}"));
        let help = "the pattern is a regular expression of the Rust `regex` crate: no look-around, no back-references; `\\` takes a special character for itself";
        return match in_source(reader, written, text, at.clone()) {
            Some(span) => {
                reader.wrong_in(&written.path, span, wrong.label("here").help(help));
                false
            }
            None => {
                let character = text.get(..at.start).map_or(0, |t| t.chars().count()) + 1;
                let label = format!("at character {character} of the pattern");
                reader.wrong_placed(written, wrong.label(label).help(help));
                false
            }
        };
    }
    match RegexBuilder::new(text).size_limit(LARGEST).build() {
        Ok(_) => true,
        Err(regex::Error::CompiledTooBig(_)) => wrong(
            Wrong::new("the pattern is too large once compiled")
                .label("more than 1 MiB")
                .help("repeat less, or match something shorter"),
        ),
        Err(why) => wrong(Wrong::new(format!("the pattern makes no sense: {why}"))),
    }
}

/// What is wrong, and which bytes of the pattern.
fn explain(why: &regex_syntax::Error) -> (String, Range<usize>) {
    match why {
        regex_syntax::Error::Parse(why) => (
            why.kind().to_string(),
            why.span().start.offset..why.span().end.offset,
        ),
        regex_syntax::Error::Translate(why) => (
            why.kind().to_string(),
            why.span().start.offset..why.span().end.offset,
        ),
        other => (other.to_string(), 0..0),
    }
}

/// The same bytes in the file, if the pattern stands there as it is: without escapes, on one line.
fn in_source(
    reader: &Reader<'_>,
    written: &Placed<String>,
    text: &str,
    at: Range<usize>,
) -> Option<Range<usize>> {
    let raw = reader.context.source.text.get(written.span.clone())?;
    let inner = raw
        .strip_prefix(['"', '\''])
        .and_then(|raw| raw.strip_suffix(['"', '\'']))?;
    if inner != text {
        return None;
    }
    let start = written.span.start + 1;
    // What is missing at the end is shown at the last character.
    let begin = at.start.min(text.len().saturating_sub(1));
    let begin = (0..=begin).rev().find(|at| text.is_char_boundary(*at))?;
    let end = at.end.max(begin + text[begin..].chars().next()?.len_utf8());
    Some(start + begin..start + end)
}
