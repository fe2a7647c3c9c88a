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
        EventKind::Healthy => "healthy".into(),
        EventKind::Unhealthy { reason } => format!("unhealthy: {reason}"),
        EventKind::HookDone { hook } => format!("{hook} is done"),
        EventKind::HookFailed { hook, reason } => format!("{hook} failed: {reason}"),
        EventKind::UnitReloading => "reads its configuration again".into(),
        EventKind::UnitReloaded => "reloaded".into(),
        EventKind::UnitReloadFailed { reason } => {
            format!("not reloaded: {reason}; it runs on")
        }
        EventKind::SelfStopping => "says that it is about to end".into(),
        EventKind::MainChanged { pid } => format!("process {pid} is its main process now"),
        EventKind::Connection => "somebody connects to it".into(),
        EventKind::ProcessStopped { signal } => {
            format!("its main process is stopped by {signal} and does nothing")
        }
        EventKind::ProcessContinued => "its main process goes on".into(),
        EventKind::NotifyRefused { reason } => format!("a notification was refused: {reason}"),
        EventKind::OutOfMemory { killed, limit } => match limit {
            Some(limit) => format!("out of memory at its limit of {limit} bytes: {killed} killed"),
            None => format!("the machine is out of memory: {killed} killed"),
        },
        EventKind::RollingHalted { reason } => format!("the rolling restart was halted: {reason}"),
        EventKind::RemoteSilent {
            service,
            host,
            missed,
        } => format!(
            "{} is silent: {missed} beats missed",
            remote(service, host.as_deref())
        ),
        EventKind::RemoteBack { service, host } => {
            format!("{} reports again", remote(service, host.as_deref()))
        }
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
        EventKind::Upgraded {
            from,
            to,
            kept,
            took_ms,
            ..
        } => format!(
            "abide {from} → {to}: {kept} {} kept, took {took_ms} ms",
            if *kept == 1 { "run" } else { "runs" }
        ),
        EventKind::UpgradeFailed {
            from, to, reason, ..
        } => format!("cannot upgrade to abide {to}: {reason}; abide {from} goes on"),
        EventKind::KeeperRenewed { version } => {
            format!("the keeper executes the new abide, too (its version {version})")
        }
        EventKind::Reloaded { file } => format!("read {file} again"),
        EventKind::ReloadFailed { file, reason } => {
            format!("cannot read {file} again: {reason}; everything goes on as it was")
        }
        EventKind::Warning { text } => text.clone(),
        EventKind::Unknown => "something that this version of abide has no word for".into(),
    };
    match &event.unit {
        Some(unit) => format!("{unit}: {what}"),
        None => what,
    }
}

fn remote(service: &str, host: Option<&str>) -> String {
    match host {
        Some(host) => format!("{host}/{service}"),
        None => service.to_owned(),
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
