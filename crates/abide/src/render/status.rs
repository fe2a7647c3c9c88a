//! `abide status`: a table, a note for each unit that deserves one, and a summary.

use std::borrow::Cow;
use std::fmt::Write as _;

use abide_model::{ActualState, DesiredState, Health, UnitStatus};
use jiff::Timestamp;

use super::words::{bytes, count, duration, since, timestamp, uptime};
use crate::term::{Palette, Style, escape, pad, padded, truncate, width};

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// What the clock says.
    pub now: Timestamp,
    /// What the table has to fit; `None`: nothing.
    pub columns: Option<usize>,
    /// Colours.
    pub palette: Palette,
}

const HEADS: [(&str, bool); 8] = [
    ("NAME", false),
    ("STATE", false),
    ("HEALTH", false),
    ("UPTIME", true),
    ("RESTARTS", true),
    ("CPU", true),
    ("MEM", true),
    ("PID", true),
];

/// Between columns.
const GAP: &str = "  ";

/// The least that a note is given when the terminal is narrow.
const NOTE: usize = 16;

/// Which columns go first when the terminal is narrow.
const DISPENSABLE: [usize; 5] = [2, 5, 7, 6, 4];

/// Whether a unit is as somebody wants it: what should be up is up, and does not keep crashing.
#[must_use]
pub fn is_well(unit: &UnitStatus) -> bool {
    if unit.mode == "remote" && unit.health == Health::Unhealthy {
        return false;
    }
    match unit.desired {
        DesiredState::Down => unit.state != ActualState::Failed,
        DesiredState::Up => is_up(unit) && !unit.crash_looping,
    }
}

/// Running and ready, or a oneshot that ended well, or one that a connection will start: its sockets
/// take connections.
#[must_use]
pub fn is_up(unit: &UnitStatus) -> bool {
    match unit.state {
        ActualState::Running | ActualState::Waiting => unit.ready,
        ActualState::Exited => true,
        _ => false,
    }
}

/// A row's columns. Most of a table is words that are there already.
type Cells<'a> = [Cow<'a, str>; 8];

/// The whole table with its summary; ends in a newline.
#[must_use]
pub fn table(units: &[UnitStatus], view: View) -> String {
    let rows: Vec<(Cells, String)> = units
        .iter()
        .map(|unit| (cells(unit, view.now), note(unit, view.now)))
        .collect();
    let mut widths = HEADS.map(|(head, _)| width(head));
    for (cells, _) in &rows {
        for (column, cell) in cells.iter().enumerate() {
            widths[column] = widths[column].max(width(cell));
        }
    }
    let shown = shown_columns(
        &mut widths,
        rows.iter().any(|(_, note)| !note.is_empty()),
        view,
    );

    let mut text = String::new();
    let mut line = String::new();
    for &column in &shown {
        let (head, right) = HEADS[column];
        line.push_str(&pad(head, widths[column], right));
        line.push_str(GAP);
    }
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "{}", view.palette.paint(Style::Dim, line.trim_end()));
    for (unit, (cells, note)) in units.iter().zip(&rows) {
        draw_row(&mut text, unit, cells, note, &shown, &widths, view);
    }
    let _ = writeln!(text, "{}", summary(units, view.palette));
    text
}

/// Leaves out columns until a note has room, and shortens names as the last resort.
fn shown_columns(widths: &mut [usize; 8], notes: bool, view: View) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..HEADS.len()).collect();
    let Some(columns) = view.columns else {
        return shown;
    };
    let room = if notes { NOTE } else { 0 };
    let needed = |shown: &[usize], widths: &[usize; 8]| {
        shown
            .iter()
            .map(|&column| widths[column] + GAP.len())
            .sum::<usize>()
            + room
    };
    for dispensable in DISPENSABLE {
        if needed(&shown, widths) <= columns {
            break;
        }
        shown.retain(|&column| column != dispensable);
    }
    let over = needed(&shown, widths).saturating_sub(columns);
    widths[0] = widths[0].saturating_sub(over).max(8);
    shown
}

fn draw_row(
    text: &mut String,
    unit: &UnitStatus,
    cells: &Cells<'_>,
    note: &str,
    shown: &[usize],
    widths: &[usize; 8],
    view: View,
) {
    let begin = text.len();
    let mut taken = 0;
    for &column in shown {
        let cell = padded(&cells[column], widths[column], HEADS[column].1);
        taken += cell.width() + GAP.len();
        let style = match column {
            0 => Style::Bold,
            1 => state_style(unit),
            2 => health_style(unit.health),
            4 if unit.crash_looping => Style::Bad,
            _ => Style::Plain,
        };
        let _ = write!(text, "{}{GAP}", view.palette.paint(style, cell));
    }
    let note = match view.columns {
        Some(columns) => truncate(note, columns.saturating_sub(taken)),
        None => note.into(),
    };
    if note.is_empty() {
        let end = text[begin..].trim_end().len();
        text.truncate(begin + end);
        text.push('\n');
    } else {
        let style = if is_well(unit) {
            Style::Dim
        } else {
            Style::Plain
        };
        let _ = writeln!(text, "{}", view.palette.paint(style, note));
    }
}

fn cells(unit: &UnitStatus, now: Timestamp) -> Cells<'_> {
    let dash = || Cow::Borrowed("-");
    let lives = unit.pid.is_some();
    let age = unit
        .started_at
        .as_deref()
        .filter(|_| lives)
        .and_then(timestamp)
        .map(|at| uptime(since(at, now)).into());
    [
        match full_name(unit) {
            Cow::Borrowed(name) => escape(name),
            Cow::Owned(name) => escape(&name).into_owned().into(),
        },
        state_word(unit).into(),
        match unit.health {
            Health::Unknown => dash(),
            Health::Healthy => "healthy".into(),
            Health::Unhealthy => "unhealthy".into(),
        },
        age.unwrap_or_else(dash),
        unit.restarts.to_string().into(),
        unit.cpu_percent
            .filter(|_| lives)
            .map_or_else(dash, |cpu| format!("{cpu:.1}%").into()),
        unit.memory_bytes
            .filter(|_| lives)
            .map_or_else(dash, |n| bytes(n).into()),
        unit.pid.map_or_else(dash, |pid| pid.to_string().into()),
    ]
}

/// The name, with the machine of a unit that runs on another one.
fn full_name(unit: &UnitStatus) -> Cow<'_, str> {
    match &unit.host {
        Some(host) => format!("{host}/{}", unit.name).into(),
        None => (&*unit.name).into(),
    }
}

fn state_word(unit: &UnitStatus) -> &'static str {
    unit.state.as_str()
}

/// The colour of a unit's state.
#[must_use]
pub fn state_style(unit: &UnitStatus) -> Style {
    match unit.state {
        ActualState::Running if unit.crash_looping => Style::Busy,
        ActualState::Running | ActualState::Exited => Style::Good,
        ActualState::Waiting if unit.ready => Style::Good,
        ActualState::Failed => Style::Bad,
        ActualState::Backoff if unit.crash_looping => Style::Bad,
        ActualState::Starting
        | ActualState::Waiting
        | ActualState::Stopping
        | ActualState::Backoff => Style::Busy,
        ActualState::Stopped if unit.desired == DesiredState::Up => Style::Busy,
        ActualState::Stopped => Style::Dim,
    }
}

fn health_style(health: Health) -> Style {
    match health {
        Health::Unknown => Style::Dim,
        Health::Healthy => Style::Good,
        Health::Unhealthy => Style::Bad,
    }
}

/// What a person should know about a unit beyond the columns; may be empty.
#[must_use]
pub fn note(unit: &UnitStatus, now: Timestamp) -> String {
    let mut parts: Vec<String> = Vec::new();
    if unit.crash_looping && unit.desired == DesiredState::Up {
        parts.push("crash-looping".to_owned());
    }
    let lives = unit.pid.is_some();
    // What is wrong now comes before what was.
    let unwell = (unit.health == Health::Unhealthy && unit.state == ActualState::Running)
        .then(|| unit.health_check.as_ref()?.last_error.clone())
        .flatten();
    parts.extend(unwell);
    parts.extend(story(unit, now));
    if unit.os_state.as_deref() == Some("stopped") {
        parts.push("frozen by a stop signal; `abide signal CONT` lets it go on".to_owned());
    }
    if let Some(missed) = unit
        .heartbeat
        .as_ref()
        .map(|beats| beats.missed)
        .filter(|n| *n > 0)
    {
        parts.push(format!("{} missed", count(missed as usize, "beat")));
    }
    if unit.log.bytes_lost > 0 || unit.log.trouble.is_some() {
        let lost = match unit.log.bytes_lost {
            0 => "log not written".to_owned(),
            n => format!("{} of log lost", bytes(n)),
        };
        parts.push(match &unit.log.trouble {
            Some(why) => format!("{lost}: {why}"),
            None => lost,
        });
    }
    for limit in &unit.limits_unsupported {
        parts.push(format!("no {} limit: {}", limit.limit, limit.reason));
    }
    if !unit.enabled && unit.reason.as_deref() != Some("not enabled") {
        parts.push("disabled".to_owned());
    }
    // What the program says of itself, unless there is something to say of it.
    if parts.is_empty() && lives {
        parts.extend(
            unit.status_text
                .iter()
                .filter(|said| !said.is_empty())
                .cloned(),
        );
    }
    escape(&parts.join("; ")).into_owned()
}

/// Why the unit is in its state.
fn story(unit: &UnitStatus, now: Timestamp) -> Option<String> {
    let last = unit.last_exit.as_ref();
    match unit.state {
        ActualState::Backoff => {
            // The core's words end in "restart 4"; the time goes on while one looks.
            let why = unit.reason.as_deref().unwrap_or("ended; restart");
            let due = unit.next_start.as_deref().and_then(timestamp);
            Some(match due {
                Some(at) => format!("{why} in {}", duration(since(now, at))),
                None => why.to_owned(),
            })
        }
        ActualState::Running if unit.mode == "remote" => unit.reason.clone(),
        ActualState::Running => {
            last.filter(|_| unit.restarts > 0)
                .map(|exit| match timestamp(&exit.at) {
                    Some(at) => format!("{}, {} ago", exit.reason, duration(since(at, now))),
                    None => exit.reason.clone(),
                })
        }
        ActualState::Exited => last
            .map(|exit| exit.reason.clone())
            .or_else(|| unit.reason.clone()),
        _ => unit
            .reason
            .clone()
            .or_else(|| last.map(|exit| exit.reason.clone())),
    }
}

/// "5 units: 3 running, 1 backoff, 1 stopped".
#[must_use]
pub fn counts(units: &[UnitStatus]) -> String {
    const ORDER: [ActualState; 8] = [
        ActualState::Running,
        ActualState::Starting,
        ActualState::Waiting,
        ActualState::Backoff,
        ActualState::Failed,
        ActualState::Stopping,
        ActualState::Stopped,
        ActualState::Exited,
    ];
    let of = |state| units.iter().filter(|unit| unit.state == state).count();
    let states = ORDER.map(|state| (state, of(state)));
    let states: Vec<String> = states
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    format!("{}: {}", count(units.len(), "unit"), states.join(", "))
}

/// The counts, and where to ask on when something is not well.
fn summary(units: &[UnitStatus], palette: Palette) -> String {
    let line = counts(units);
    match units.iter().find(|unit| !is_well(unit)) {
        None => palette.paint(Style::Dim, line).to_string(),
        Some(first) => {
            let hint = format!("`abide why {}` says more", escape(&full_name(first)));
            format!("{line}  {}", palette.paint(Style::Dim, hint))
        }
    }
}

#[cfg(test)]
mod tests;
