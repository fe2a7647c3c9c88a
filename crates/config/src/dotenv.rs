//! Files of `NAME=VALUE` lines, as in `environment_file`.
//!
//! `#` begins a comment, `export` in front is allowed. A value may stand in `'single quotes'` (taken as
//! it is) or in `"double quotes"` (`\n \t \r \\ \" \$` are understood); both may span lines. Nothing is
//! expanded: `$HOME` stays `$HOME`.

use std::ops::Range;

/// A variable with the place of its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Variable {
    pub name: String,
    pub value: String,
    pub at: usize,
}

/// A line that is not understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BadLine {
    pub span: Range<usize>,
    pub message: &'static str,
    pub help: &'static str,
}

/// Reads a whole file; every line that is not understood is in the second list.
pub(crate) fn parse(text: &str) -> (Vec<Variable>, Vec<BadLine>) {
    let (mut variables, mut bad) = (Vec::new(), Vec::new());
    let mut at = usize::from(text.starts_with('\u{feff}')) * 3;
    while at < text.len() {
        let end = line_end(text, at);
        let line = &text[at..end];
        let trimmed = line.trim_start();
        let start = at + line.len() - trimmed.len();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            at = end + 1;
            continue;
        }
        match assignment(text, start, end) {
            Ok((variable, next)) => {
                variables.push(variable);
                at = line_end(text, next) + 1;
            }
            Err(line) => {
                bad.push(line);
                at = end + 1;
            }
        }
    }
    (variables, bad)
}

fn line_end(text: &str, from: usize) -> usize {
    text.get(from..)
        .and_then(|rest| rest.find('\n'))
        .map_or(text.len(), |n| from + n)
}

/// One assignment that begins at `start`; `end` is the end of its first line.
fn assignment(text: &str, start: usize, end: usize) -> Result<(Variable, usize), BadLine> {
    let shape = || BadLine {
        span: start..end,
        message: "not a NAME=VALUE line",
        help: "write NAME=VALUE, or begin a comment with `#`",
    };
    let line = &text[start..end];
    let after_export = match line.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => line,
    };
    let name_at = end - after_export.len();
    let (name, value) = after_export.split_once('=').ok_or_else(shape)?;
    let name_trimmed = name.trim_end();
    if !is_name(name_trimmed) {
        return Err(BadLine {
            span: name_at..name_at + name_trimmed.len().max(1),
            message: "not a name of a variable",
            help: "letters, digits and `_` are allowed, and no digit first",
        });
    }
    let value_at = end - value.trim_start_matches([' ', '\t']).len();
    let (value, next) = match text[value_at..].chars().next() {
        Some(quote @ ('"' | '\'')) => quoted_value(text, value_at, quote)?,
        _ => (bare_value(&text[value_at..end]), end),
    };
    if value.contains('\0') {
        return Err(BadLine {
            span: start..end,
            message: "a NUL character in a value",
            help: "take it out",
        });
    }
    Ok((
        Variable {
            name: name_trimmed.to_owned(),
            value,
            at: name_at,
        },
        next,
    ))
}

/// A value without quotes ends at ` #` or at the end of its line.
fn bare_value(text: &str) -> String {
    let mut end = text.len();
    for (at, _) in text.match_indices('#') {
        if at == 0 || text[..at].ends_with([' ', '\t']) {
            end = at;
            break;
        }
    }
    text[..end].trim().to_owned()
}

fn quoted_value(text: &str, at: usize, quote: char) -> Result<(String, usize), BadLine> {
    let mut value = String::new();
    let mut chars = text[at + 1..].char_indices();
    while let Some((offset, c)) = chars.next() {
        if c == quote {
            let next = at + 1 + offset + 1;
            let rest = text[next..line_end(text, next)].trim();
            if !(rest.is_empty() || rest.starts_with('#')) {
                return Err(BadLine {
                    span: next..line_end(text, next),
                    message: "text after the closing quote",
                    help: "put all of the value into the quotes",
                });
            }
            return Ok((value, next));
        }
        if c == '\\' && quote == '"' {
            match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, known @ ('\\' | '"' | '$' | '\'' | '`'))) => value.push(known),
                Some((_, '\n')) => {}
                Some((_, other)) => value.extend(['\\', other]),
                None => break,
            }
        } else {
            value.push(c);
        }
    }
    Err(BadLine {
        span: at..line_end(text, at),
        message: "a quote that is not closed",
        help: "close it",
    })
}

/// A name that a shell would take, with dots allowed, as some programs want them.
pub(crate) fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_of_a_line_is_read() {
        let (variables, bad) = parse(
            "# a comment\n\nA=1\nexport B = two words # not this\nC='it''\nC='a # b'\nD=\"x\\ny\\\"\" # c\nE=\nF=\"two\nlines\"\r\nG=a#b\n",
        );
        let all: Vec<(&str, &str)> = variables
            .iter()
            .map(|v| (v.name.as_str(), v.value.as_str()))
            .collect();
        assert_eq!(
            all,
            [
                ("A", "1"),
                ("B", "two words"),
                ("C", "a # b"),
                ("D", "x\ny\""),
                ("E", ""),
                ("F", "two\nlines"),
                ("G", "a#b")
            ]
        );
        assert_eq!(bad.len(), 1, "{bad:?}");
    }

    #[test]
    fn a_line_that_is_no_assignment_is_named() {
        let (variables, bad) = parse("hello\n1A=2\nB='open\n");
        assert_eq!(variables, []);
        assert_eq!(bad.len(), 3, "{bad:?}");
    }
}
