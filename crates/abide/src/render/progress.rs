//! How far an operation is: a row for each unit, drawn in place on a terminal and as one line per
//! change elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use abide_model::api::{EventView, OperationView, RollingView};
use abide_model::{EventKind, StepState};

use super::words::{count, duration};
use crate::term::{Palette, Style, escape, pad, truncate, width};

/// A row of the picture.
#[derive(Clone, PartialEq, Debug)]
struct Row {
    unit: String,
    word: &'static str,
    note: String,
    /// When the word last changed, since the operation began.
    changed: Duration,
    step: StepState,
    /// The row was printed as it is.
    printed: bool,
    /// A run of it began during this operation.
    started: bool,
    /// It ended although it was to be up, and has not said since that it is ready.
    died: Option<String>,
}

/// How far an operation is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    rows: Vec<Row>,
    index: BTreeMap<String, usize>,
    rolling: Option<Rolling>,
}

/// How far a rolling operation is.
#[derive(Clone, Debug)]
struct Rolling {
    view: RollingView,
    /// When it was so, since the operation began.
    at: Duration,
    printed: bool,
}

impl Rolling {
    /// "2 of 10 restarted; the first 1 watched for another 9 m".
    fn text(&self, now: Duration) -> String {
        let view = &self.view;
        let head = format!("{} of {} restarted", view.done, view.units);
        match (&view.halted, view.hold_ms) {
            (Some(halted), _) => format!("{head}; halted: {}", escape(halted)),
            (None, Some(hold)) => {
                let left = Duration::from_millis(hold).saturating_sub(now.saturating_sub(self.at));
                let first = view.canaries;
                format!(
                    "{head}; the first {first} watched for another {}",
                    duration(left)
                )
            }
            (None, None) => head,
        }
    }
}

/// A unit that came up, and ended at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Death {
    /// Which.
    pub unit: String,
    /// How it ended.
    pub reason: String,
}

impl Progress {
    /// Takes over how far the daemon says it is.
    pub fn take_operation(&mut self, operation: &OperationView, at: Duration) {
        if let Some(view) = &operation.rolling {
            let was = self.rolling.as_ref().map(|rolling| &rolling.view);
            let same = was.is_some_and(|was| {
                (was.done, &was.halted, was.hold_ms.is_some())
                    == (view.done, &view.halted, view.hold_ms.is_some())
            });
            self.rolling = Some(Rolling {
                view: view.clone(),
                at,
                printed: same && self.rolling.as_ref().is_some_and(|r| r.printed),
            });
        }
        for step in &operation.steps {
            let row = self.row(step.unit.as_str());
            if row.step != step.state {
                row.step = step.state;
                if row.word.is_empty() {
                    row.changed = at;
                }
            }
            let word = match step.state {
                StepState::Failed => "failed",
                StepState::Superseded => "taken over",
                // Up as soon as it runs: it has no check that would say when it is ready.
                StepState::Done if row.word == "starting" => "running",
                StepState::Done | StepState::Pending => row.word,
            };
            // What happened to the unit says more than its step, unless the step has the last word.
            let note = match &step.note {
                Some(note) if row.word.is_empty() || step.state == StepState::Failed => {
                    note.clone()
                }
                _ => row.note.clone(),
            };
            if row.word != word || row.note != note {
                row.changed = at;
                row.printed = false;
                row.word = word;
                row.note = note;
            }
        }
    }

    /// Takes over what happened to a unit of this operation; events of others are left out.
    pub fn take_event(&mut self, event: &EventView, at: Duration) {
        let Some(&index) = event.unit.as_ref().and_then(|unit| self.index.get(unit)) else {
            return;
        };
        let row = &mut self.rows[index];
        let (word, note) = match &event.kind {
            EventKind::Started { pid } => {
                row.started = true;
                let word = if row.step == StepState::Done {
                    "running"
                } else {
                    "starting"
                };
                (word, format!("pid {pid}"))
            }
            EventKind::Ready => {
                // Whatever its first tries came to.
                row.died = None;
                ("running", row.note.clone())
            }
            EventKind::Exited { reason, .. } => {
                if row.started && row.word != "stopping" {
                    row.died = Some(reason.clone());
                }
                ("ended", reason.clone())
            }
            EventKind::RestartScheduled { delay_ms, attempt } => {
                let wait = duration(Duration::from_millis(*delay_ms));
                (
                    "backoff",
                    format!("{}; restart {attempt} in {wait}", row.note),
                )
            }
            EventKind::Failed { reason } => ("failed", reason.clone()),
            EventKind::Stopping { reason } => ("stopping", reason.clone()),
            EventKind::Stopped => ("stopped", String::new()),
            EventKind::Killed { reason } => ("killed", reason.clone()),
            EventKind::Waiting { reason } => ("waiting", reason.clone()),
            EventKind::Removed => ("removed", String::new()),
            _ => return,
        };
        if row.word != word || row.note != note {
            row.changed = at;
            row.printed = false;
        }
        row.word = word;
        row.note = note;
    }

    fn row(&mut self, unit: &str) -> &mut Row {
        let rows = &mut self.rows;
        let index = *self.index.entry(unit.to_owned()).or_insert_with(|| {
            rows.push(Row {
                unit: unit.to_owned(),
                word: "",
                note: String::new(),
                changed: Duration::ZERO,
                step: StepState::Pending,
                printed: true,
                started: false,
                died: None,
            });
            rows.len() - 1
        });
        &mut self.rows[index]
    }

    /// Names of the units of which a run began.
    pub fn started(&self) -> impl Iterator<Item = &str> {
        self.rows
            .iter()
            .filter(|row| row.started)
            .map(|row| row.unit.as_str())
    }

    /// The daemon is gone, as it was asked to: it goes only when nothing runs any more.
    pub fn all_stopped(&mut self, at: Duration) {
        let begun = |row: &&mut Row| row.step == StepState::Pending || !row.word.is_empty();
        for row in self.rows.iter_mut().filter(begun) {
            row.step = StepState::Done;
            if row.word != "stopped" {
                row.word = "stopped";
                row.note.clear();
                row.changed = at;
                row.printed = false;
            }
        }
    }

    /// Nothing happened to any unit.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.rows.iter().all(|row| row.word.is_empty())
    }

    /// Units that came up and ended at once.
    #[must_use]
    pub fn deaths(&self) -> Vec<Death> {
        let of = |row: &Row| {
            row.died.clone().map(|reason| Death {
                unit: row.unit.clone(),
                reason,
            })
        };
        self.rows.iter().filter_map(of).collect()
    }

    /// "web (starting), db (waiting for x)": what is not done yet.
    #[must_use]
    pub fn pending(&self) -> String {
        let open: Vec<&Row> = self
            .rows
            .iter()
            .filter(|row| row.step == StepState::Pending)
            .collect();
        let mut text: Vec<String> = open
            .iter()
            .take(5)
            .map(|row| match (row.word, row.note.as_str()) {
                ("", "") => row.unit.clone(),
                ("", note) => format!("{} ({})", row.unit, escape(note)),
                (word, "") => format!("{} ({word})", row.unit),
                (_, note) if row.word == "waiting" => format!("{} ({})", row.unit, escape(note)),
                (word, note) => format!("{} ({word}, {})", row.unit, escape(note)),
            })
            .collect();
        if open.len() > 5 {
            text.push(format!("{} more", open.len() - 5));
        }
        text.join(", ")
    }

    /// Lines for what changed since the last call; for an output that is no terminal.
    pub fn changes(&mut self) -> Vec<String> {
        let name = self.name_width();
        let mut lines = Vec::new();
        if let Some(rolling) = self.rolling.as_mut().filter(|rolling| !rolling.printed) {
            rolling.printed = true;
            lines.push(rolling.text(rolling.at));
        }
        for row in self
            .rows
            .iter_mut()
            .filter(|row| !row.printed && !row.word.is_empty())
        {
            row.printed = true;
            lines.push(line(row, row.changed, name, None, Palette::plain()));
        }
        lines
    }

    /// The picture at `now`, in at most `rows` lines of `columns`: what is still to do comes first
    /// when not everything fits.
    #[must_use]
    pub fn frame(
        &self,
        now: Duration,
        columns: usize,
        rows: usize,
        palette: Palette,
    ) -> Vec<String> {
        let name = self.name_width();
        let head = self
            .rolling
            .as_ref()
            .map(|rolling| truncate(&rolling.text(now), columns).into_owned());
        let rows = rows.saturating_sub(usize::from(head.is_some()));
        // Nothing was to be done for a unit that is done without a word.
        let quiet = |row: &&Row| row.word.is_empty() && row.step == StepState::Done;
        let mut shown: Vec<&Row> = self.rows.iter().filter(|row| !quiet(row)).collect();
        let fits = shown.len() <= rows;
        if !fits {
            shown.sort_by_key(|row| match row.step {
                StepState::Failed => 0,
                StepState::Pending if !row.word.is_empty() => 1,
                StepState::Pending => 2,
                StepState::Superseded | StepState::Done => 3,
            });
            shown.truncate(rows.saturating_sub(1));
        }
        let drawn = shown.iter().map(|row| {
            let at = if row.step == StepState::Pending {
                now
            } else {
                row.changed
            };
            line(row, at, name, Some(columns), palette)
        });
        let mut lines: Vec<String> = head.into_iter().chain(drawn).collect();
        if !fits {
            let done = self
                .rows
                .iter()
                .filter(|row| row.step != StepState::Pending)
                .count();
            lines.push(format!(
                "… {done} of {} done",
                count(self.rows.len(), "unit")
            ));
        }
        lines
    }

    fn name_width(&self) -> usize {
        self.rows
            .iter()
            .map(|row| width(&row.unit))
            .max()
            .unwrap_or(0)
            .min(32)
    }
}

/// "web  running    0.3 s  pid 4242".
fn line(row: &Row, at: Duration, name: usize, columns: Option<usize>, palette: Palette) -> String {
    let word = if row.word.is_empty() { "…" } else { row.word };
    let head = format!(
        "{}  {}  {}",
        pad(&row.unit, name, false),
        pad(word, 8, false),
        pad(&duration(at), 6, true)
    );
    let note = escape(&row.note);
    let Some(columns) = columns else {
        return format!("{head}  {note}").trim_end().to_owned();
    };
    if width(&head) > columns {
        return truncate(&head, columns).into_owned();
    }
    let style = match (row.step, row.word) {
        (StepState::Failed, _) | (_, "failed" | "killed" | "ended") => Style::Bad,
        (StepState::Done, _) => Style::Good,
        _ => Style::Busy,
    };
    let note = truncate(&note, columns.saturating_sub(width(&head) + 2));
    let gap = if note.is_empty() { "" } else { "  " };
    format!(
        "{}  {}  {}{gap}{note}",
        pad(&row.unit, name, false),
        palette.paint(style, pad(word, 8, false)),
        pad(&duration(at), 6, true),
    )
}

#[cfg(test)]
mod tests;
