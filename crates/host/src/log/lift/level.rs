//! The words and numbers that loggers have for how much a line matters.

use crate::log::Severity;

/// Words, in lower case.
const WORDS: &[(&str, Severity)] = &[
    ("trace", Severity::Debug),
    ("trce", Severity::Debug),
    ("verbose", Severity::Debug),
    ("finest", Severity::Debug),
    ("finer", Severity::Debug),
    ("fine", Severity::Debug),
    ("debug", Severity::Debug),
    ("dbg", Severity::Debug),
    ("dbug", Severity::Debug),
    ("config", Severity::Info),
    ("info", Severity::Info),
    ("inf", Severity::Info),
    ("information", Severity::Info),
    ("informational", Severity::Info),
    ("default", Severity::Info),
    ("notice", Severity::Notice),
    ("warn", Severity::Warning),
    ("wrn", Severity::Warning),
    ("warning", Severity::Warning),
    ("err", Severity::Error),
    ("error", Severity::Error),
    ("fail", Severity::Error),
    ("severe", Severity::Error),
    ("crit", Severity::Critical),
    ("critical", Severity::Critical),
    ("fatal", Severity::Critical),
    ("ftl", Severity::Critical),
    ("panic", Severity::Critical),
    ("dpanic", Severity::Critical),
    ("alert", Severity::Alert),
    ("emerg", Severity::Emergency),
    ("emergency", Severity::Emergency),
];

pub(super) fn of_word(text: &str) -> Option<Severity> {
    let text = text.trim();
    let known = WORDS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text));
    known.map(|(_, severity)| *severity)
}

/// syslog has 0 to 7, bunyan and pino 10 to 60, monolog 100 to 600: they do not meet.
pub(super) fn of_number(number: i64) -> Option<Severity> {
    Some(match number {
        0..=7 => return Severity::from_number(u8::try_from(number).ok()?),
        10..30 => Severity::Debug,
        30..40 => Severity::Info,
        40..50 => Severity::Warning,
        50..60 => Severity::Error,
        60..=99 => Severity::Critical,
        100..200 => Severity::Debug,
        200..250 => Severity::Info,
        250..300 => Severity::Notice,
        300..400 => Severity::Warning,
        400..500 => Severity::Error,
        500..550 => Severity::Critical,
        550..600 => Severity::Alert,
        600..=699 => Severity::Emergency,
        _ => return None,
    })
}

/// Python's `levelno`: 10 to 50.
pub(super) fn of_python(number: i64) -> Option<Severity> {
    Some(match number {
        1..20 => Severity::Debug,
        20..30 => Severity::Info,
        30..40 => Severity::Warning,
        40..50 => Severity::Error,
        50..=99 => Severity::Critical,
        _ => return None,
    })
}

/// OpenTelemetry's `SeverityNumber`: 1 to 24.
pub(super) fn of_open_telemetry(number: i64) -> Option<Severity> {
    Some(match number {
        1..=8 => Severity::Debug,
        9..=12 => Severity::Info,
        13..=16 => Severity::Warning,
        17..=20 => Severity::Error,
        21..=24 => Severity::Critical,
        _ => return None,
    })
}
