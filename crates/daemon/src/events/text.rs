//! Events in words.

use abide_model::{Died, Event, EventKind, ExitStatus, PowerEvent, SessionEvent};

/// What happened, as a line for people: "web: exit 1 after 0.2 s".
#[must_use]
pub fn describe(event: &Event) -> String {
    let what = in_words(&event.kind);
    match &event.unit {
        Some(unit) => format!("{unit}: {what}"),
        None => what,
    }
}

/// What happened, without saying to which unit.
#[must_use]
pub fn in_words(kind: &EventKind) -> String {
    match kind {
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
        EventKind::DaemonRecovered { .. } => recovered(kind),
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
        EventKind::SystemLogAway { to, reason } => {
            format!("the system log {to} cannot be reached: {reason}; what is for it waits")
        }
        EventKind::SystemLogBack { to } => format!("the system log {to} is there again"),
        EventKind::SystemLogLost {
            to,
            bytes,
            messages,
            reason,
        } => format!(
            "not sent to the system log {to} and lost, so far: {bytes} bytes of output, {messages} messages: {reason}"
        ),
        EventKind::StopReport { report } => report.to_string(),
        EventKind::SessionChanged { change, session } => of_session(*change, *session),
        EventKind::PowerChanged { change } => of_power(*change),
        EventKind::Unknown => "something that this version of abide has no word for".into(),
    }
}

fn of_session(change: SessionEvent, session: u32) -> String {
    match change {
        SessionEvent::Logon => format!("somebody logged on, in session {session}"),
        SessionEvent::Logoff => format!("somebody logged off, in session {session}"),
        SessionEvent::Lock => format!("session {session} was locked"),
        SessionEvent::Unlock => format!("session {session} was unlocked"),
        SessionEvent::ConsoleConnect => format!("session {session} has the console now"),
        SessionEvent::ConsoleDisconnect => format!("session {session} has the console no more"),
        SessionEvent::RemoteConnect => {
            format!("somebody connected to session {session} from another machine")
        }
        SessionEvent::RemoteDisconnect => {
            format!("the connection from another machine to session {session} ended")
        }
        other => format!("session {session}: number {} of WTS", other.number()),
    }
}

fn of_power(change: PowerEvent) -> String {
    match change {
        PowerEvent::Suspend => "the machine is about to sleep".into(),
        PowerEvent::Resume => "the machine has woken up".into(),
        PowerEvent::ResumeByPerson => "somebody woke the machine up".into(),
        PowerEvent::Status => "the machine's mains or battery changed".into(),
        other => format!("the machine's power: number {} of PBT", other.number()),
    }
}

/// "the daemon was killed by SIGKILL at …; it came back as process 4180 and adopted 3 runs; 1 ended meanwhile".
fn recovered(kind: &EventKind) -> String {
    let EventKind::DaemonRecovered {
        pid,
        adopted,
        died,
        died_at,
        died_by,
        last_seen_at,
        deaths,
        ended,
        ended_unknown,
        output_may_be_lost,
    } = kind
    else {
        return String::new();
    };
    let seen = match last_seen_at {
        Some(at) => format!(" and was last seen at {at}"),
        None => String::new(),
    };
    let mut text = match (died, died_at, died_by) {
        (Died::Daemon, Some(at), Some(how @ ExitStatus::Code(_))) => {
            format!("the daemon ended with {how} at {at}")
        }
        (Died::Daemon, Some(at), Some(how)) => format!("the daemon was {how} at {at}"),
        (Died::Daemon, Some(at), None) => format!("the daemon died at {at}"),
        (Died::Daemon, None, _) => format!("the daemon died{seen}"),
        (Died::Keeper, ..) => match last_seen_at {
            Some(at) => format!("the keeper died at about {at}, and a new one took over"),
            None => "the keeper died, and a new one took over".to_owned(),
        },
        (Died::Both, ..) => match last_seen_at {
            Some(at) => format!("keeper and daemon died after {at}, when they were last seen"),
            None => "keeper and daemon died".to_owned(),
        },
        (Died::Machine, ..) => match last_seen_at {
            Some(at) => format!("the machine was restarted after {at}, when abide was last seen"),
            None => "the machine was restarted".to_owned(),
        },
    };
    if *deaths > 1 {
        text.push_str(&format!(
            ", and {} after it before one was ready",
            deaths - 1
        ));
    }
    let runs = if *adopted == 1 { "run" } else { "runs" };
    text.push_str(&format!(
        "; the daemon came back as process {pid} and adopted {adopted} {runs}"
    ));
    if *ended > 0 {
        text.push_str(&format!("; {ended} ended meanwhile"));
        if *ended_unknown > 0 {
            text.push_str(&format!(", how is unknown of {ended_unknown}"));
        }
        if *output_may_be_lost > 0 {
            text.push_str(&format!(
                "; what {} wrote last may be lost",
                if output_may_be_lost == ended {
                    "they".to_owned()
                } else {
                    format!("{output_may_be_lost} of them")
                }
            ));
        }
    }
    text
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
