//! Events in words.

use abide_model::{Event, EventKind};

/// What happened, as a line for people: "web: exit 1 after 0.2 s".
#[must_use]
pub fn describe(event: &Event) -> String {
    let what = match &event.kind {
        EventKind::Added => "added".into(),
        EventKind::Changed => "its settings changed".into(),
        EventKind::Removed => "removed".into(),
        EventKind::Started { pid } => format!("started as process {pid}"),
        EventKind::Ready => "ready".into(),
        EventKind::Exited { reason, .. } => reason.clone(),
        EventKind::RestartScheduled { delay_ms, attempt } => {
            format!("restart {attempt} in {}", seconds(*delay_ms))
        }
        EventKind::CrashLooping => "keeps crashing".into(),
        EventKind::Stable => "is stable again".into(),
        EventKind::Failed { reason } => format!("given up: {reason}"),
        EventKind::Stopping { reason } => format!("stopping: {reason}"),
        EventKind::Stopped => "stopped".into(),
        EventKind::Killed { reason } => format!("killed: {reason}"),
        EventKind::Waiting { reason } => format!("waits: {reason}"),
        EventKind::HeartbeatMissed { missed } => format!("missed {missed} heartbeats in a row"),
        EventKind::Adopted { pid } => format!("found alive as process {pid}"),
        EventKind::LogLost { bytes, reason } => {
            format!("output is being lost, {bytes} bytes so far: {reason}")
        }
        EventKind::LogResumed { bytes } => {
            format!("output is kept again; {bytes} bytes were lost")
        }
        EventKind::LimitUnsupported { limit, reason } => {
            format!("the limit {limit} cannot be had here: {reason}")
        }
        EventKind::DaemonStarted { version, pid } => {
            format!("abide {version} started as process {pid}")
        }
        EventKind::DaemonRecovered { pid, adopted } => {
            format!("the daemon came back as process {pid} and found {adopted} runs alive")
        }
        EventKind::DaemonStopping => "the daemon goes down".into(),
        EventKind::Reloaded { file } => format!("read {file} again"),
        EventKind::ReloadFailed { file, reason } => {
            format!("cannot read {file} again: {reason}; everything goes on as it was")
        }
        EventKind::Warning { text } => text.clone(),
    };
    match &event.unit {
        Some(unit) => format!("{unit}: {what}"),
        None => what,
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
