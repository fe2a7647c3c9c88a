//! What loggers say in their lines: level, time, message and trace id, lifted out of JSON and logfmt.
//!
//! What is looked for stands in one table ([`KEYS`]); which logger writes what, with a real line of each, in another
//! ([`LOGGERS`]), from which the tests and the documentation are made.
//!
//! A line is hostile until shown otherwise: it is read once, in time and memory proportional to its length, whatever
//! it nests or repeats; one that is longer than [`LONGEST`], or not quite JSON or logfmt, is text.

mod json;
mod level;
mod logfmt;
mod table;
mod time;

pub use table::{KEYS, Key, LOGGERS, Logger, Role};

use super::Severity;

/// Longer lines are not looked into, in bytes.
pub const LONGEST: usize = 256 << 10;

/// What a line says of itself. What it does not say is `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lifted {
    /// How much it matters.
    pub severity: Option<Severity>,
    /// When it was written, in nanoseconds since 1970. A time without its zone is none.
    pub time: Option<i64>,
    /// What it says. There is more in the line than this.
    pub message: Option<String>,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
}

/// What this line (without its newline) says of itself: a JSON object, logfmt, or text that begins with
/// `<0>` to `<7>` (sd-daemon(3)).
#[must_use]
pub fn lift(line: &[u8]) -> Lifted {
    if line.len() > LONGEST {
        return Lifted::default();
    }
    match line {
        [b'<', level @ b'0'..=b'7', b'>', rest @ ..] => Lifted {
            severity: Severity::from_number(level - b'0'),
            message: std::str::from_utf8(rest).ok().map(str::to_owned),
            ..Lifted::default()
        },
        [b'{', ..] => json::lift(line),
        _ => logfmt::lift(line),
    }
}

/// The best of what was found so far. Keys that stand earlier in the table win, and of equal ones the first.
#[derive(Debug, Default)]
struct Found {
    severity: Option<(usize, Severity)>,
    time: Option<(usize, i64)>,
    message: Option<(usize, String)>,
    trace_id: Option<(usize, String)>,
    /// Nanoseconds beside a time in whole seconds.
    fraction: i64,
}

/// A value that may be of interest.
enum Value<'a> {
    Text(&'a str),
    Number(f64),
    Whole(i64),
}

impl Found {
    fn take(&mut self, key: usize, value: &Value<'_>) {
        match KEYS[key].role {
            Role::Level => better(&mut self.severity, key, || match value {
                Value::Text(text) => level::of_word(text),
                Value::Whole(number) => level::of_number(*number),
                Value::Number(_) => None,
            }),
            Role::PythonLevel => better(&mut self.severity, key, || match value {
                Value::Whole(number) => level::of_python(*number),
                _ => None,
            }),
            Role::OpenTelemetryLevel => better(&mut self.severity, key, || match value {
                Value::Whole(number) => level::of_open_telemetry(*number),
                _ => None,
            }),
            Role::Time => better(&mut self.time, key, || match value {
                Value::Text(text) => {
                    time::of_text(text).or_else(|| time::of_whole(text.parse().ok()?))
                }
                Value::Whole(number) => time::of_whole(*number),
                Value::Number(number) => time::of_number(*number),
            }),
            Role::Fraction => {
                if let Value::Whole(nanos @ 0..1_000_000_000) = value {
                    self.fraction = *nanos;
                }
            }
            Role::Message => better(&mut self.message, key, || match value {
                Value::Text(text) => Some((*text).to_owned()),
                _ => None,
            }),
            Role::Trace => better(&mut self.trace_id, key, || match value {
                Value::Text(text) => trace_id(text),
                Value::Whole(number) => trace_id(&number.to_string()),
                Value::Number(_) => None,
            }),
        }
    }

    fn lifted(self) -> Lifted {
        let whole = |time: i64| time % 1_000_000_000 == 0;
        Lifted {
            severity: self.severity.map(|(_, severity)| severity),
            time: self.time.map(|(_, time)| {
                let fraction = if whole(time) { self.fraction } else { 0 };
                time.saturating_add(fraction)
            }),
            message: self.message.map(|(_, message)| message),
            trace_id: self.trace_id.map(|(_, id)| id),
        }
    }
}

/// Takes what is made, if there is none yet from this key or one before it.
fn better<T>(known: &mut Option<(usize, T)>, key: usize, make: impl FnOnce() -> Option<T>) {
    if known.as_ref().is_none_or(|(other, _)| key < *other)
        && let Some(value) = make()
    {
        *known = Some((key, value));
    }
}

/// An id as it stands, or out of W3C's `traceparent` or Google's path; nothing that could not be one.
fn trace_id(text: &str) -> Option<String> {
    let id = match *text.split('-').collect::<Vec<_>>() {
        ["00", id, _, _] if text.len() == 55 => id,
        _ => text.rsplit('/').next().unwrap_or_default(),
    };
    let sound = (1..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        // All zeros is W3C's word for none.
        && id.bytes().any(|b| b != b'0' && b != b'-');
    sound.then(|| id.to_owned())
}

#[cfg(test)]
mod tests;
