//! Durations: `"100ms"`, `"10s"`, `"1h 30m"`. A bare number is refused: nobody can know its unit.

use std::time::Duration;

use toml::de::DeValue;

use super::{Value, Wrong};
use crate::keys::nearest;
use crate::source::quoted;

/// Longest first where one is the start of another.
const UNITS: [(&str, u64); 22] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("msec", 1_000_000),
    ("s", SECOND),
    ("sec", SECOND),
    ("secs", SECOND),
    ("second", SECOND),
    ("seconds", SECOND),
    ("m", 60 * SECOND),
    ("min", 60 * SECOND),
    ("mins", 60 * SECOND),
    ("minute", 60 * SECOND),
    ("minutes", 60 * SECOND),
    ("h", 3600 * SECOND),
    ("hour", 3600 * SECOND),
    ("hours", 3600 * SECOND),
    ("d", 86_400 * SECOND),
    ("day", 86_400 * SECOND),
    ("days", 86_400 * SECOND),
    ("w", 7 * 86_400 * SECOND),
];
const SECOND: u64 = 1_000_000_000;
/// A hundred years: more is a slip, and sums of such stay far from any overflow.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

impl Value for Duration {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::String(text) => duration_text(text),
            DeValue::Integer(number) => Err(Wrong::kind(value, "a duration")
                .label("seconds? milliseconds?")
                .help(format!(
                    "give it a unit, in quotes: \"{number}s\", \"{number}ms\", \"{number}m\""
                ))),
            DeValue::Float(number) => Err(Wrong::kind(value, "a duration")
                .label("seconds? minutes?")
                .help(format!(
                    "give it a unit, in quotes: \"{number}s\", \"{number}m\""
                ))),
            other => {
                Err(Wrong::kind(other, "a duration")
                    .help("such as \"100ms\", \"10s\" or \"1h 30m\""))
            }
        }
    }

    fn show(&self) -> String {
        format!("\"{}\"", show_duration(*self))
    }
}

/// A duration from text.
pub(crate) fn duration_text(text: &str) -> Result<Duration, Wrong> {
    let bad = |why: String| {
        Wrong::new(format!("{} is not a duration", quoted(text)))
            .label(why)
            .help("write it such as \"100ms\", \"10s\", \"5m\", \"1h 30m\" or \"7d\"")
    };
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad("it is empty".into()));
    }
    if rest.starts_with('-') {
        return Err(bad("a duration cannot be negative".into()));
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        if number.is_empty() {
            return Err(bad("a number was expected".into()));
        }
        if unit.is_empty() {
            let help = format!("give it a unit: \"{number}s\", \"{number}ms\", \"{number}m\"");
            return Err(bad("without a unit".into()).help(help));
        }
        let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let near = nearest(unit, UNITS.iter().map(|(name, _)| *name));
            return Err(bad(match near {
                Some(near) => format!("unknown unit {}; did you mean `{near}`?", quoted(unit)),
                None => format!(
                    "unknown unit {}; there are ns, us, ms, s, m, h, d and w",
                    quoted(unit)
                ),
            }));
        };
        total += scaled(number, *nanos)
            .ok_or_else(|| bad(format!("{} is not a number", quoted(number))))?;
        if total > LONGEST.as_nanos() {
            return Err(bad("longer than a hundred years".into()));
        }
        rest = next.trim_start();
    }
    let nanos = u64::try_from(total).map_err(|_| bad("longer than a hundred years".into()))?;
    Ok(Duration::from_nanos(nanos))
}

/// `number × unit` without a floating point: "1.5" of a second is 1,500,000,000 ns.
fn scaled(number: &str, unit: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() > 18 || fraction.len() > 18 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let parse = |digits: &str| {
        if digits.is_empty() {
            Some(0)
        } else {
            digits.parse::<u128>().ok()
        }
    };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    Some(parse(whole)? * u128::from(unit) + parse(fraction)? * u128::from(unit) / scale)
}

/// The shortest text that reads back as the same duration: "1h 30m", "100ms".
pub(crate) fn show_duration(duration: Duration) -> String {
    const STEPS: [(&str, u128); 7] = [
        ("d", 86_400 * SECOND as u128),
        ("h", 3600 * SECOND as u128),
        ("m", 60 * SECOND as u128),
        ("s", SECOND as u128),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    let mut rest = duration.as_nanos();
    let mut parts = Vec::new();
    for (unit, nanos) in STEPS {
        if rest >= nanos {
            parts.push(format!("{}{unit}", rest / nanos));
            rest %= nanos;
        }
    }
    if parts.is_empty() {
        "0s".into()
    } else {
        parts.join(" ")
    }
}

/// A duration, or no bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DurationOrUnlimited(pub Option<Duration>);

impl Value for DurationOrUnlimited {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::String(text) if text == "unlimited" => Ok(Self(None)),
            other => Duration::read(other).map(|duration| Self(Some(duration))),
        }
    }

    fn show(&self) -> String {
        self.0
            .map_or_else(|| "\"unlimited\"".into(), |duration| duration.show())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_in_any_usual_spelling() {
        for (text, nanos) in [
            ("100ms", 100_000_000),
            ("1h 30m", 5400 * SECOND),
            ("1h30m", 5400 * SECOND),
            ("1.5s", 1_500_000_000),
            ("10 seconds", 10 * SECOND),
            ("0s", 0),
            ("2d", 172_800 * SECOND),
        ] {
            assert_eq!(
                duration_text(text),
                Ok(Duration::from_nanos(nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_has_no_unit_or_no_number_is_refused() {
        for bad in [
            "",
            "10",
            "s",
            "10x",
            "-5s",
            "1..5s",
            ".s",
            "1e3s",
            "99999999999999999999s",
            "200000d",
            "1h 30",
        ] {
            assert!(duration_text(bad).is_err(), "{bad:?} was taken");
        }
    }
}
