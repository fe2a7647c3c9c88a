//! A program that cannot live: it came up, and ended while one was still looking.

use std::fmt::Write as _;

use abide_model::ActualState;

use super::Context;
use crate::client::Query;
use crate::failure::Failure;
use crate::render::line::LogLine;
use crate::render::progress::Death;
use crate::term::escape;

/// How many of its last lines are shown.
const LINES: usize = 8;

/// An error with each program's last words, if there are such programs.
///
/// # Errors
/// That error.
pub(super) async fn report_deaths(context: &Context<'_>, deaths: &[Death]) -> Result<(), Failure> {
    let mut died = Vec::new();
    for death in deaths {
        // A oneshot that came to its end did what it was started for.
        let unit = context.client.unit(&death.unit).await;
        if unit.is_ok_and(|unit| unit.state == ActualState::Exited) {
            continue;
        }
        died.push(death);
    }
    let Some(first) = died.first() else {
        return Ok(());
    };
    let mut text = String::new();
    for (n, death) in died.iter().take(5).enumerate() {
        if n > 0 {
            text.push('\n');
        }
        // Writing to a String cannot fail, here and below.
        let _ = write!(
            text,
            "{} started, but ended: {}",
            death.unit,
            escape(&death.reason)
        );
        for line in last_lines(context, &death.unit, LINES).await {
            let _ = write!(text, "\n  | {line}");
        }
    }
    if died.len() > 5 {
        let _ = write!(text, "\nand {} more", died.len() - 5);
    }
    let home = context.client.home();
    Err(Failure::new(text).help(format!(
        "`{}` says what happens next; `{}` shows more",
        home.hint(&format!("why {}", first.unit)),
        home.hint(&format!("logs {}", first.unit)),
    )))
}

/// A unit's last lines, safe to show. Empty when they cannot be had: they are an extra.
pub(super) async fn last_lines(context: &Context<'_>, unit: &str, n: usize) -> Vec<String> {
    let query = Query::new("/v1/logs")
        .with("pattern", unit)
        .with("lines", n)
        .with("format", "json");
    let Ok(mut lines) = context.client.logs(&query).await else {
        return Vec::new();
    };
    let mut bytes = Vec::new();
    while let Ok(Some(batch)) = lines.next().await {
        bytes.extend_from_slice(&batch);
    }
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter_map(|json| serde_json::from_slice::<LogLine>(json).ok());
    lines
        .map(|line| {
            let text = line.text.strip_suffix('\r').unwrap_or(&line.text);
            escape(text).into_owned()
        })
        .collect()
}
