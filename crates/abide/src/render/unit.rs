//! `abide show` and `abide why`: one unit.

use std::fmt::Write as _;

use abide_model::api::{SpecAnswer, Why};
use abide_model::{ActualState, Health, UnitStatus};

use super::status::{View, note, state_style};
use super::words::{bytes, duration, since, timestamp};
use crate::term::{Palette, Style, escape, pad, truncate, width};

/// Why a unit is in its state, and what would change it; ends in a newline.
#[must_use]
pub fn why(why: &Why, palette: Palette) -> String {
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
        let _ = writeln!(text, "  because {}", escape(sentence));
    }
    if !why.would_change.is_empty() {
        let _ = writeln!(
            text,
            "{}",
            palette.paint(Style::Dim, "what would change it")
        );
    }
    for sentence in &why.would_change {
        let _ = writeln!(text, "  {}", escape(sentence));
    }
    text
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
    match status.health {
        Health::Unknown => {}
        Health::Healthy => facts.push(("health", "healthy".to_owned())),
        Health::Unhealthy => facts.push(("health", "unhealthy".to_owned())),
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
        if !tree.is_empty() {
            facts.push(("tree", tree.join(", ")));
        }
    }
    facts.push(("restarts", status.restarts.to_string()));
    // A running unit's note says it already.
    if let Some(exit) = status.last_exit.as_ref().filter(|_| note.is_empty()) {
        let ago = timestamp(&exit.at).map(|at| duration(since(at, view.now)));
        let ago = ago.map_or_else(String::new, |ago| format!(", {ago} ago"));
        facts.push(("last exit", format!("{}{ago}", escape(&exit.reason))));
    }
    if let Some(source) = &status.source {
        facts.push((
            "source",
            format!("{}:{}", escape(&source.file.to_string_lossy()), source.line),
        ));
    }
    for (key, value) in facts {
        let _ = writeln!(text, "  {}  {value}", pad(key, 9, false));
    }
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
            Palette::plain(),
        );
        assert_eq!(
            shown,
            "\
web is waiting
  because it requires db
  because db has failed: exit 1\\n
what would change it
  `abide start db` tries db again
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
            "processes": 2, "os_state": "sleeping", "heartbeat": null,
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
            columns: Some(30),
            palette: Palette::plain(),
        };
        let lines = ["listening on port 8000, for ever and ever".to_owned()];
        assert_eq!(
            show(&status, &spec, &lines, view),
            "\
web  the shop's pages
  state      running for 3 min 12 s
  health     healthy
  note       killed by SIGKILL after 5 s, 3 min 12 s ago
  process    pid 4242, run 2, started 3 min 12 s ago
  tree       2 processes, 19M of memory, 1.2% of a CPU
  restarts   1
  source     /etc/shop.toml:3

settings
  command      \"./web\"  /etc/shop.toml:4
  stop.within  \"10s\"    built in

last lines
  listening on port 8000, for…
"
        );
    }
}
