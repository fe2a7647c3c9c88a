//! `abide show` and `abide why`: one unit.

use std::fmt::Write as _;
use std::time::Duration;

use abide_model::api::{SpecAnswer, Why};
use abide_model::{ActualState, Health, UnitStatus};
use jiff::Timestamp;

use super::status::{View, note, state_style};
use super::words::{bytes, count, duration, since, timestamp};
use crate::term::{Palette, Style, escape, pad, truncate, width, wrap};

/// Why a unit is in its state, and what would change it; ends in a newline.
#[must_use]
pub fn why(why: &Why, columns: Option<usize>, palette: Palette) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, here and below.
    let state = match why.state {
        ActualState::Backoff => "in backoff",
        state => state.as_str(),
    };
    let _ = writeln!(
        text,
        "{} is {state}",
        palette.paint(Style::Bold, escape(&why.unit))
    );
    for sentence in &why.because {
        paragraph(&mut text, "  because ", sentence, columns);
    }
    if !why.would_change.is_empty() {
        let _ = writeln!(
            text,
            "{}",
            palette.paint(Style::Dim, "what would change it")
        );
    }
    for sentence in &why.would_change {
        paragraph(&mut text, "  ", sentence, columns);
    }
    text
}

/// A sentence with its lines below each other.
fn paragraph(text: &mut String, first: &str, sentence: &str, columns: Option<usize>) {
    let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(first.len()));
    let mut head = first.to_owned();
    for line in wrap(&escape(sentence), room) {
        let _ = writeln!(text, "{head}{line}");
        head = " ".repeat(first.len());
    }
}

/// A unit's state, its settings and where each comes from, and its last lines; ends in a newline.
#[must_use]
pub fn show(status: &UnitStatus, spec: &SpecAnswer, lines: &[String], view: View) -> String {
    let palette = view.palette;
    let mut text = String::new();
    let _ = write!(text, "{}", palette.paint(Style::Bold, escape(&status.name)));
    if let Some(description) = &spec.description {
        let _ = write!(text, "  {}", escape(description));
    }
    text.push('\n');
    facts(&mut text, status, view);

    let _ = writeln!(text, "\n{}", palette.paint(Style::Dim, "settings"));
    let keys = spec
        .settings
        .iter()
        .map(|setting| width(&setting.key))
        .max()
        .unwrap_or(0);
    let values = spec
        .settings
        .iter()
        .filter(|setting| !setting.built_in)
        .map(|setting| width(&escape(&setting.value)))
        .max()
        .unwrap_or(0)
        .min(48);
    // Longer ones stick out, so that those that fit, and where they come from, stand in one line.
    let values = view.columns.map_or(values, |columns| {
        values.min(columns.saturating_sub(keys + 26))
    });
    for setting in &spec.settings {
        let value = escape(&setting.value);
        let key = pad(&setting.key, keys, false);
        let from = match &setting.origin {
            Some(origin) => escape(origin).into_owned(),
            None if setting.built_in => "built in".to_owned(),
            None => String::new(),
        };
        let from = palette.paint(Style::Dim, from);
        let _ = writeln!(text, "  {key}  {}  {from}", pad(&value, values, false));
    }

    if !lines.is_empty() {
        let _ = writeln!(text, "\n{}", palette.paint(Style::Dim, "last lines"));
    }
    for line in lines {
        let columns = view
            .columns
            .map_or(usize::MAX, |columns| columns.saturating_sub(2));
        let _ = writeln!(text, "  {}", truncate(line, columns));
    }
    text
}

fn facts(text: &mut String, status: &UnitStatus, view: View) {
    let state = view.palette.paint(state_style(status), status.state);
    let age = |at: &Option<String>| {
        at.as_deref()
            .and_then(timestamp)
            .map(|at| duration(since(at, view.now)))
    };
    let mut facts: Vec<(&str, String)> = Vec::new();
    facts.push((
        "state",
        match age(&status.state_since) {
            Some(age) => format!("{state} for {age}"),
            None => state.to_string(),
        },
    ));
    if let Some(host) = &status.host {
        facts.push(("host", escape(host).into_owned()));
    }
    facts.extend(health(status).map(|health| ("health", health)));
    facts.extend(beats(status, view.now).map(|beats| ("beats", beats)));
    if let Some(said) = &status.status_text {
        facts.push(("says", escape(said).into_owned()));
    }
    let note = note(status, view.now);
    if !note.is_empty() {
        facts.push(("note", note.clone()));
    }
    if let Some(pid) = status.pid {
        let mut process = format!("pid {pid}");
        if let Some(run) = status.run_id {
            let _ = write!(process, ", run {run}");
        }
        if let Some(age) = age(&status.started_at) {
            let _ = write!(process, ", started {age} ago");
        }
        if let Some(word) = &status.os_state {
            let _ = write!(process, ", {}", escape(word));
        }
        facts.push(("process", process));
        let mut tree = Vec::new();
        tree.extend(status.processes.map(|n| match n {
            1 => "1 process".to_owned(),
            n => format!("{n} processes"),
        }));
        tree.extend(
            status
                .memory_bytes
                .map(|n| format!("{} of memory", bytes(n))),
        );
        tree.extend(status.cpu_percent.map(|cpu| format!("{cpu:.1}% of a CPU")));
        if let (Some(read), Some(written)) = (status.io_read_bytes, status.io_write_bytes) {
            let (read, written) = (bytes(read), bytes(written));
            tree.push(format!("{read} read and {written} written"));
        }
        if !tree.is_empty() {
            facts.push(("tree", tree.join(", ")));
        }
    }
    if !status.sockets.is_empty() {
        let addresses = escape(&status.sockets.join(", ")).into_owned();
        facts.push(("listens", addresses));
    }
    if status.fds_stored > 0 {
        let n = count(status.fds_stored as usize, "descriptor");
        facts.push(("keeps", format!("{n} for its next run")));
    }
    if status.refused.beats > 0 || status.refused.notifications > 0 {
        let of =
            |n: u64, what| (n > 0).then(|| count(usize::try_from(n).unwrap_or(usize::MAX), what));
        let refused = [
            of(status.refused.beats, "beat"),
            of(status.refused.notifications, "notification"),
        ];
        let refused: Vec<_> = refused.into_iter().flatten().collect();
        facts.push(("refused", refused.join(", ")));
    }
    facts.push(("restarts", status.restarts.to_string()));
    // A running unit's note says it already.
    if let Some(exit) = status.last_exit.as_ref().filter(|_| note.is_empty()) {
        let ago = timestamp(&exit.at).map(|at| duration(since(at, view.now)));
        let ago = ago.map_or_else(String::new, |ago| format!(", {ago} ago"));
        facts.push(("last exit", format!("{}{ago}", escape(&exit.reason))));
    }
    if let Some(stop) = &status.last_stop {
        facts.push(("last stop", escape(&stop.to_string()).into_owned()));
    }
    if let Some(source) = &status.source {
        facts.push((
            "source",
            format!("{}:{}", escape(&source.file.to_string_lossy()), source.line),
        ));
    }
    for (key, value) in facts {
        // What has colours is short.
        let room = view.columns.filter(|_| key != "state");
        let room = room.map_or(usize::MAX, |columns| columns.saturating_sub(13));
        let mut key = key;
        for line in wrap(&value, room) {
            let _ = writeln!(text, "  {}  {line}", pad(key, 9, false));
            key = "";
        }
    }
}

fn health(status: &UnitStatus) -> Option<String> {
    let word = match status.health {
        Health::Unknown if status.health_check.is_none() => return None,
        Health::Unknown => "not known yet",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    };
    let Some(check) = &status.health_check else {
        return Some(word.to_owned());
    };
    Some(match (&check.last_error, check.failures) {
        (None, _) => word.to_owned(),
        (Some(error), 0) => format!("{word}; the last bad check: {}", escape(error)),
        (Some(error), n) => format!(
            "{word}; {} failed in a row: {}",
            count(n as usize, "check"),
            escape(error)
        ),
    })
}

fn beats(status: &UnitStatus, now: Timestamp) -> Option<String> {
    let beats = status.heartbeat.as_ref()?;
    let last = beats.last_at.as_deref().and_then(timestamp);
    let mut text = match last {
        Some(at) => format!("the last {} ago", duration(since(at, now))),
        None => "none yet".to_owned(),
    };
    if beats.missed > 0 {
        let _ = write!(text, ", {} missed", beats.missed);
    }
    if let Some(drift) = beats.drift_ms.filter(|drift| drift.abs() >= 1000) {
        let by = duration(Duration::from_millis(drift.unsigned_abs()));
        let way = if drift > 0 { "fast" } else { "slow" };
        let _ = write!(text, "; its clock is {by} {way}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_has_causes_and_ways_out() {
        let shown = super::why(
            &Why {
                unit: "web".into(),
                state: ActualState::Waiting,
                because: vec!["it requires db".into(), "db has failed: exit 1\n".into()],
                would_change: vec!["`abide start db` tries db again".into()],
            },
            Some(24),
            Palette::plain(),
        );
        assert_eq!(
            shown,
            "\
web is waiting
  because it requires db
  because db has failed:
          exit 1\\n
what would change it
  `abide start db` tries
  db again
"
        );
    }

    #[test]
    fn a_unit_is_shown_with_the_origin_of_each_setting() {
        let status: UnitStatus = serde_json::from_value(serde_json::json!({
            "name": "web", "group": null, "instance": null, "kind": "service", "enabled": true,
            "desired": "up", "state": "running", "state_since": "2026-01-31T14:01:48Z",
            "health": "healthy", "ready": true, "pid": 4242, "run_id": 2,
            "started_at": "2026-01-31T14:01:48Z", "restarts": 1, "crash_looping": false,
            "last_exit": {"code": null, "signal": "SIGKILL", "at": "2026-01-31T14:01:48Z",
                          "reason": "killed by SIGKILL after 5 s", "run_id": 1},
            "next_start": null, "reason": null, "cpu_percent": 1.25, "memory_bytes": 19_818_086,
            "processes": 2, "os_state": "sleeping",
            "io_read_bytes": 4300, "io_write_bytes": 0, "status_text": "12 requests/s\u{7}",
            "heartbeat": {"last_at": "2026-01-31T14:04:58Z", "missed": 0, "drift_ms": -90_000},
            "health_check": {"failures": 1, "last_error": "no answer within 2 s"},
            "sockets": ["127.0.0.1:8000", "/run/web.sock"], "fds_stored": 2,
            "refused": {"beats": 1, "notifications": 12}, "host": null,
            "log": {"bytes_lost": 0, "trouble": null}, "limits_unsupported": [],
            "source": {"file": "/etc/shop.toml", "line": 3}, "mode": "guard"
        }))
        .expect("a status");
        let spec: SpecAnswer = serde_json::from_value(serde_json::json!({
            "unit": "web", "description": "the shop's pages", "note": null,
            "settings": [
                {"key": "command", "value": "\"./web\"", "origin": "/etc/shop.toml:4", "built_in": false},
                {"key": "stop.within", "value": "\"10s\"", "origin": "built in", "built_in": true}
            ]
        }))
        .expect("a spec");
        let view = View {
            now: "2026-01-31T14:05:00Z".parse().expect("a time"),
            columns: Some(50),
            palette: Palette::plain(),
        };
        let lines = ["listening on port 8000, for ever and ever".to_owned()];
        assert_eq!(
            show(&status, &spec, &lines, view),
            "\
web  the shop's pages
  state      running for 3 min 12 s
  health     healthy; 1 check failed in a row: no
             answer within 2 s
  beats      the last 2 s ago; its clock is 1 min
             30 s slow
  says       12 requests/s\\u{7}
  note       killed by SIGKILL after 5 s, 3 min 12
             s ago
  process    pid 4242, run 2, started 3 min 12 s
             ago, sleeping
  tree       2 processes, 19M of memory, 1.2% of a
             CPU, 4.2K read and 0B written
  listens    127.0.0.1:8000, /run/web.sock
  keeps      2 descriptors for its next run
  refused    1 beat, 12 notifications
  restarts   1
  source     /etc/shop.toml:3

settings
  command      \"./web\"  /etc/shop.toml:4
  stop.within  \"10s\"    built in

last lines
  listening on port 8000, for ever and ever
"
        );
    }
}
