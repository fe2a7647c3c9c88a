//! Log lines and events, one a line, for people.

use std::collections::BTreeMap;

use abide_model::api::EventView;
use abide_model::{LogEncoding, Severity};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::words::{clock, timestamp};
use crate::term::{Palette, Style, escape, pad, width};

/// The longest name that others are aligned with.
const NAME: usize = 24;

/// How lines are drawn. Remembers which name has which colour.
#[derive(Debug)]
pub struct Lines {
    /// Colours.
    pub palette: Palette,
    /// The reader is a terminal: what a program wrote must not drive it.
    pub terminal: bool,
    /// The reader's time zone.
    pub zone: TimeZone,
    /// Lines of several units are shown: each has its name.
    pub names: bool,
    /// Columns of the longest name so far.
    pub width: usize,
    colours: BTreeMap<String, u8>,
}

/// One line of a log.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
pub struct LogLine {
    /// RFC 3339.
    pub time: String,
    /// Full name.
    pub unit: String,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// Without its newline.
    #[serde(alias = "line")]
    pub text: String,
    /// Its exact bytes in base64, where the text could not hold them.
    #[serde(default)]
    pub bytes: Option<String>,
    /// What the text was decoded from, where that is not UTF-8.
    #[serde(default)]
    pub encoding: Option<LogEncoding>,
    /// The newline is still missing, or the line comes in pieces.
    #[serde(default)]
    pub partial: bool,
}

impl Lines {
    /// For lines of several units, or of one.
    #[must_use]
    pub fn new(palette: Palette, terminal: bool, zone: TimeZone, names: bool) -> Self {
        Self {
            palette,
            terminal,
            zone,
            names,
            width: 0,
            colours: BTreeMap::new(),
        }
    }

    /// "14:05:01.234 web │ hello"; `!` instead of `│` for standard error, where it is split off.
    pub fn log(&mut self, line: &LogLine, now: Timestamp) -> String {
        let time = self.time(&line.time, now);
        let bar = if line.stream == "stderr" { "!" } else { "│" };
        let name = if self.names {
            format!("{} ", self.name(&line.unit))
        } else {
            String::new()
        };
        let bar_style = if bar == "!" { Style::Bad } else { Style::Dim };
        format!(
            "{} {name}{} {}",
            self.palette.paint(Style::Dim, time),
            self.palette.paint(bar_style, bar),
            self.program_text(&line.text)
        )
    }

    /// "14:05:01.234 web: exit 1 after 0.2 s".
    pub fn event(&mut self, event: &EventView, now: Timestamp) -> String {
        let time = self.time(&event.at, now);
        let style = match event.severity {
            Severity::Info => Style::Plain,
            Severity::Good => Style::Good,
            Severity::Warning => Style::Busy,
            Severity::Error => Style::Bad,
        };
        // The text begins with the unit's name, which is shown in its colour.
        let what = match &event.unit {
            Some(unit) => event
                .text
                .strip_prefix(&format!("{unit}: "))
                .unwrap_or(&event.text),
            None => &event.text,
        };
        let who = event.unit.clone().unwrap_or_else(|| "-".to_owned());
        format!(
            "{} {} {}",
            self.palette.paint(Style::Dim, time),
            self.name(&who),
            self.palette.paint(style, escape(what))
        )
    }

    fn time(&self, text: &str, now: Timestamp) -> String {
        match timestamp(text) {
            Some(at) => clock(at, now, &self.zone),
            None => escape(text).into_owned(),
        }
    }

    fn name(&mut self, unit: &str) -> String {
        let shown = escape(unit);
        self.width = self.width.max(width(&shown).min(NAME));
        let next = u8::try_from(self.colours.len() % 6).unwrap_or(0);
        let colour = *self.colours.entry(unit.to_owned()).or_insert(next);
        self.palette
            .paint(Style::Name(colour), pad(&shown, self.width, false))
            .to_string()
    }

    /// On a terminal, colours that a program chose are kept, or left out when there are to be none;
    /// everything else that could drive the terminal is shown instead.
    fn program_text(&self, text: &str) -> String {
        if !self.terminal {
            return text.to_owned();
        }
        let mut safe = String::with_capacity(text.len());
        let mut coloured = false;
        let mut rest = text.trim_end_matches('\r');
        while let Some(at) = rest.find(['\u{1b}', '\t']) {
            safe.push_str(&escape(&rest[..at]));
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix('\t') {
                safe.push('\t');
                rest = after;
            } else if let Some(length) = colour_sequence(rest) {
                if self.palette.is_on() {
                    safe.push_str(&rest[..length]);
                    coloured = true;
                }
                rest = &rest[length..];
            } else {
                safe.push_str("\\u{1b}");
                rest = &rest[1..];
            }
        }
        safe.push_str(&escape(rest));
        if coloured {
            safe.push_str("\u{1b}[0m");
        }
        safe
    }
}

/// The length of an SGR sequence (`ESC [ 1;31 m`, ECMA-48) at the start of `text`, if there is one.
fn colour_sequence(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("\u{1b}[")?;
    let end = inner.find(|c: char| !(c.is_ascii_digit() || matches!(c, ';' | ':')))?;
    inner[end..].starts_with('m').then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_model::{EVENTS_VERSION, EventKind};

    fn now() -> Timestamp {
        "2026-01-31T14:05:00Z".parse().expect("a time")
    }

    fn line(unit: &str, stream: &str, text: &str) -> LogLine {
        LogLine {
            time: "2026-01-31T14:05:01.234567891Z".into(),
            unit: unit.into(),
            stream: stream.into(),
            text: text.into(),
            bytes: None,
            encoding: None,
            partial: false,
        }
    }

    #[test]
    fn lines_of_several_units_are_aligned() {
        let mut lines = Lines::new(Palette::plain(), false, TimeZone::UTC, true);
        lines.width = 8;
        assert_eq!(
            lines.log(&line("shop:web", "stdout", "hello"), now()),
            "14:05:01.234 shop:web │ hello"
        );
        assert_eq!(
            lines.log(&line("db", "stderr", "oh no"), now()),
            "14:05:01.234 db       ! oh no"
        );
    }

    #[test]
    fn a_program_cannot_drive_the_terminal_that_shows_its_log() {
        let bad = line(
            "x",
            "stdout",
            "\u{1b}[31mred\u{1b}[0m \u{1b}[2J\u{1b}]0;title\u{7}\ttab\r",
        );
        let mut plain = Lines::new(Palette::plain(), true, TimeZone::UTC, false);
        assert_eq!(
            plain.log(&bad, now()),
            "14:05:01.234 │ red \\u{1b}[2J\\u{1b}]0;title\\u{7}\ttab"
        );
        let mut piped = Lines::new(Palette::plain(), false, TimeZone::UTC, false);
        assert!(
            piped.log(&bad, now()).ends_with(&bad.text),
            "a pipe gets what was written"
        );
    }

    #[test]
    fn an_event_is_a_line() {
        let event = EventView {
            v: EVENTS_VERSION,
            seq: 1,
            at: "2026-01-31T14:05:01.234Z".into(),
            unit: Some("web".into()),
            run: Some(3),
            severity: Severity::Info,
            text: "web: started as process 42".into(),
            kind: EventKind::Started { pid: 42 },
        };
        let mut lines = Lines::new(Palette::plain(), false, TimeZone::UTC, true);
        assert_eq!(
            lines.event(&event, now()),
            "14:05:01.234 web started as process 42"
        );
    }
}
