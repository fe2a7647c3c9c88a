//! The kinds by name, and how much each matters: one table for filters, colours, alerts and the page on
//! events in the documentation.

use serde::{Deserialize, Serialize};

use super::EventKind;
use crate::ExitStatus;

/// How much an event matters.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The ordinary course of things.
    #[default]
    Info,
    /// Something is well, or well again.
    Good,
    /// Something is not as it should be, and abide deals with it.
    Warning,
    /// Something is wrong that a person should know of.
    Error,
}

impl EventKind {
    /// The names of all kinds, in the order of the enum. New ones are added right before the last: the place
    /// is the kind's number in the system's logs.
    pub const NAMES: [&str; 52] = [
        "added",
        "changed",
        "removed",
        "started",
        "ready",
        "exited",
        "restart_scheduled",
        "crash_looping",
        "stable",
        "failed",
        "stopping",
        "stopped",
        "killed",
        "waiting",
        "heartbeat_missed",
        "healthy",
        "unhealthy",
        "hook_done",
        "hook_failed",
        "unit_reloading",
        "unit_reloaded",
        "unit_reload_failed",
        "self_stopping",
        "main_changed",
        "connection",
        "process_stopped",
        "process_continued",
        "notify_refused",
        "out_of_memory",
        "rolling_halted",
        "remote_silent",
        "remote_back",
        "adopted",
        "log_lost",
        "log_resumed",
        "limit_unsupported",
        "daemon_started",
        "daemon_recovered",
        "daemon_stopping",
        "upgraded",
        "upgrade_failed",
        "keeper_renewed",
        "reloaded",
        "reload_failed",
        "warning",
        "system_log_away",
        "system_log_back",
        "system_log_lost",
        "stop_report",
        "session_changed",
        "power_changed",
        "unknown",
    ];

    /// Its name in the stream.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.entry().0
    }

    /// How much it matters. An end with code 0 is in order; whether another one was asked for, only the
    /// event before it (`stopping`) tells.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.entry().1
    }

    /// Its number in the system's logs: its place in [`Self::NAMES`], from 1 on, and 0 for one without a name. It
    /// stays, as the name does.
    #[must_use]
    pub fn number(&self) -> u16 {
        let mut named = (1..).zip(Self::NAMES);
        match (self, named.find(|(_, name)| *name == self.name())) {
            (Self::Unknown, _) | (_, None) => 0,
            (_, Some((number, _))) => number,
        }
    }

    fn entry(&self) -> (&'static str, Severity) {
        match self {
            Self::Added => ("added", Severity::Info),
            Self::Changed => ("changed", Severity::Info),
            Self::Removed => ("removed", Severity::Info),
            Self::Started { .. } => ("started", Severity::Info),
            Self::Ready => ("ready", Severity::Good),
            Self::Exited {
                status: ExitStatus::Code(0),
                ..
            } => ("exited", Severity::Info),
            Self::Exited { .. } => ("exited", Severity::Warning),
            Self::RestartScheduled { .. } => ("restart_scheduled", Severity::Warning),
            Self::CrashLooping => ("crash_looping", Severity::Error),
            Self::Stable => ("stable", Severity::Good),
            Self::Failed { .. } => ("failed", Severity::Error),
            Self::Stopping { .. } => ("stopping", Severity::Info),
            Self::Stopped => ("stopped", Severity::Info),
            Self::Killed { .. } => ("killed", Severity::Error),
            Self::Waiting { .. } => ("waiting", Severity::Info),
            Self::HeartbeatMissed { .. } => ("heartbeat_missed", Severity::Warning),
            Self::Healthy => ("healthy", Severity::Good),
            Self::Unhealthy { .. } => ("unhealthy", Severity::Error),
            Self::HookDone { .. } => ("hook_done", Severity::Info),
            Self::HookFailed { .. } => ("hook_failed", Severity::Error),
            Self::UnitReloading => ("unit_reloading", Severity::Info),
            Self::UnitReloaded => ("unit_reloaded", Severity::Good),
            Self::UnitReloadFailed { .. } => ("unit_reload_failed", Severity::Error),
            Self::SelfStopping => ("self_stopping", Severity::Info),
            Self::MainChanged { .. } => ("main_changed", Severity::Info),
            Self::Connection => ("connection", Severity::Info),
            Self::ProcessStopped { .. } => ("process_stopped", Severity::Warning),
            Self::ProcessContinued => ("process_continued", Severity::Good),
            Self::NotifyRefused { .. } => ("notify_refused", Severity::Warning),
            Self::OutOfMemory { .. } => ("out_of_memory", Severity::Error),
            Self::RollingHalted { .. } => ("rolling_halted", Severity::Error),
            Self::RemoteSilent { .. } => ("remote_silent", Severity::Error),
            Self::RemoteBack { .. } => ("remote_back", Severity::Good),
            Self::Adopted { .. } => ("adopted", Severity::Info),
            Self::LogLost { .. } => ("log_lost", Severity::Error),
            Self::LogResumed { .. } => ("log_resumed", Severity::Good),
            Self::LimitUnsupported { .. } => ("limit_unsupported", Severity::Warning),
            Self::DaemonStarted { .. } => ("daemon_started", Severity::Info),
            Self::DaemonRecovered { .. } => ("daemon_recovered", Severity::Warning),
            Self::DaemonStopping => ("daemon_stopping", Severity::Info),
            Self::Upgraded { .. } => ("upgraded", Severity::Good),
            Self::UpgradeFailed { .. } => ("upgrade_failed", Severity::Error),
            Self::KeeperRenewed { .. } => ("keeper_renewed", Severity::Info),
            Self::Reloaded { .. } => ("reloaded", Severity::Info),
            Self::ReloadFailed { .. } => ("reload_failed", Severity::Error),
            Self::Warning { .. } => ("warning", Severity::Warning),
            Self::SystemLogAway { .. } => ("system_log_away", Severity::Warning),
            Self::SystemLogBack { .. } => ("system_log_back", Severity::Good),
            Self::SystemLogLost { .. } => ("system_log_lost", Severity::Error),
            // That it had to be killed said the event `killed`.
            Self::StopReport { .. } => ("stop_report", Severity::Info),
            Self::SessionChanged { .. } => ("session_changed", Severity::Info),
            Self::PowerChanged { .. } => ("power_changed", Severity::Info),
            Self::Unknown => ("unknown", Severity::Info),
        }
    }
}
