//! logfmt: `key=value key="a value" key`, as Heroku began it and Go's loggers write it.

use super::{Found, Lifted, Value, table};

/// Further pairs are not looked at.
const PAIRS: usize = 64;

/// The line, if it is logfmt: it begins with a pair, and has a level, or both a time and a message.
pub(super) fn lift(line: &[u8]) -> Lifted {
    // Cheap for what is plain text: a key is one word.
    let begins = line
        .iter()
        .take(64)
        .position(|b| !is_key(*b))
        .is_some_and(|at| at > 0 && line[at] == b'=');
    if !begins {
        return Lifted::default();
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return Lifted::default();
    };
    let mut found = Found::default();
    let mut rest = text.trim_start();
    for _ in 0..PAIRS {
        let Some((key, value, more)) = pair(rest) else {
            break;
        };
        if let (Some(key), Some(value)) = (table::place("", key), value) {
            let number = value.parse().map(Value::Whole);
            let number = number.or_else(|_| value.parse().map(Value::Number));
            found.take(key, &Value::Text(&value));
            if let Ok(number) = number {
                found.take(key, &number);
            }
        }
        rest = more;
    }
    let is_one = found.severity.is_some() || (found.time.is_some() && found.message.is_some());
    if is_one {
        found.lifted()
    } else {
        Lifted::default()
    }
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@' | b'/')
}

/// The next key, its value if it has one, and the rest behind it.
fn pair(text: &str) -> Option<(&str, Option<std::borrow::Cow<'_, str>>, &str)> {
    let end = text.find(['=', ' ']).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    if key.is_empty() {
        return None;
    }
    let Some(value) = rest.strip_prefix('=') else {
        return Some((key, None, rest.trim_start()));
    };
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value.find(' ').unwrap_or(value.len());
        let (value, rest) = value.split_at(end);
        return Some((key, Some(value.into()), rest.trim_start()));
    };
    let mut plain = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((key, Some(plain.into()), quoted[at + 1..].trim_start())),
            '\\' => match characters.next()?.1 {
                'n' => plain.push('\n'),
                't' => plain.push('\t'),
                'r' => plain.push('\r'),
                other => plain.push(other),
            },
            other => plain.push(other),
        }
    }
    // The quote does not end.
    None
}
