//! Text from outside, made safe and made to fit.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters that can move the cursor, change colours or reverse the reading order: all controls,
/// line and paragraph separators, and the bidirectional overrides ("Trojan Source", CVE-2021-42574).
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Shows every control character as `\n`, `\t` or `\u{1b}`, so that a program's words cannot drive the
/// terminal. Ordinary text is borrowed.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => safe.extend(c.escape_default()),
            c if is_dangerous(c) => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "{}", c.escape_unicode());
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Columns that `text` takes on a terminal.
#[must_use]
pub fn width(text: &str) -> usize {
    // Most of what is shown is plain, and a table of thousands of units is measured cell by cell.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.len();
    }
    text.width()
}

/// At most `columns` wide; what does not fit ends in `…`.
#[must_use]
pub fn truncate(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut taken = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let wide = c.width().unwrap_or(0);
        if taken + wide > columns - 1 {
            break;
        }
        taken += wide;
        end = at + c.len_utf8();
    }
    Cow::Owned(format!("{}…", text[..end].trim_end()))
}

/// `text` in lines of at most `columns`, broken between words where that can be done.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(16);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        while width(&line) > columns {
            let mut taken = 0;
            let end = line.char_indices().find(|(_, c)| {
                taken += c.width().unwrap_or(0);
                taken > columns
            });
            let rest = line.split_off(end.map_or(line.len(), |(at, _)| at));
            lines.push(std::mem::replace(&mut line, rest));
        }
    }
    lines.push(line);
    lines
}

/// `text` and spaces up to `columns`.
#[must_use]
pub fn pad(text: &str, columns: usize, right: bool) -> String {
    Padded {
        text: text.into(),
        space: columns.saturating_sub(width(text)),
        right,
    }
    .to_string()
}

/// `text` with spaces, or cut, so that it is `columns` wide.
#[must_use]
pub fn padded(text: &str, columns: usize, right: bool) -> Padded<'_> {
    let text = truncate(text, columns);
    Padded {
        space: columns.saturating_sub(width(&text)),
        text,
        right,
    }
}

/// A text and the spaces beside it.
#[derive(Debug)]
pub struct Padded<'a> {
    text: Cow<'a, str>,
    space: usize,
    right: bool,
}

impl Padded<'_> {
    /// Columns that it takes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.space + width(&self.text)
    }
}

impl fmt::Display for Padded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.right {
            f.write_str(&self.text)?;
        }
        for _ in 0..self.space {
            f.write_char(' ')?;
        }
        if self.right {
            f.write_str(&self.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(escape("a\u{1b}[2Jb\u{9b}c"), "a\\u{1b}[2Jb\\u{9b}c");
        assert_eq!(escape("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(escape("x\u{202e}y"), "x\\u{202e}y");
        assert!(matches!(escape("plain äöü 漢字"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_text_is_cut_by_columns_and_not_by_bytes() {
        assert_eq!(truncate("abcdef", 6), "abcdef");
        assert_eq!(truncate("abcdef", 4), "abc…");
        assert_eq!(truncate("漢字漢字", 5), "漢字…");
        assert_eq!(truncate("漢字漢字", 4), "漢…");
        assert_eq!(truncate("ab", 0), "");
    }

    #[test]
    fn a_long_text_is_broken_between_words_if_there_are_any() {
        assert_eq!(wrap("", 20), [""]);
        assert_eq!(
            wrap("the quick brown fox jumps", 16),
            ["the quick brown", "fox jumps"]
        );
        assert_eq!(
            wrap("/a/path/without/any/words", 16),
            ["/a/path/without/", "any/words"]
        );
        assert_eq!(wrap(&"漢".repeat(10), 17), ["漢".repeat(8), "漢".repeat(2)]);
    }

    #[test]
    fn padding_counts_columns() {
        assert_eq!(pad("漢", 4, false), "漢  ");
        assert_eq!(pad("7", 3, true), "  7");
    }
}
