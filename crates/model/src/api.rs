//! The bodies of the control API: what the CLI and the daemon say to each other over HTTP.
//!
//! Times in answers are RFC 3339 in UTC. What is not known is null, never absent. In requests,
//! an unknown field is an error, so that a misspelt one is not silently ignored.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ActualState, DesiredState, EventKind, Health, Mono, Operation, OperationKind, OperationState,
    OperationStep, Rolling, RollingProgress, Severity, Signal,
};

/// The header that names the daemon's version in every answer.
pub const VERSION_HEADER: &str = "abide-version";

/// `GET /v1/daemon`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DaemonStatus {
    /// abide's version.
    pub version: String,
    /// The build of that version, where it was known when it was built.
    #[serde(default)]
    pub build: Option<String>,
    /// The file that the daemon runs; null: its name is not known.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub executable: Option<PathBuf>,
    /// That name leads to another file by now, or to none.
    #[serde(default)]
    pub executable_replaced: bool,
    /// The daemon's process.
    pub pid: u32,
    /// The keeper's process.
    pub keeper_pid: Option<u32>,
    /// The home that it serves.
    #[schema(value_type = String)]
    pub home: PathBuf,
    /// When this daemon process began.
    pub started_at: String,
    /// It goes down.
    pub stopping: bool,
    /// How many times the keeper brought the daemon back since the keeper began.
    pub recoveries: u32,
    /// How this daemon came back after the one before had died, in words; null: none had died.
    #[serde(default)]
    pub recovered: Option<String>,
    /// TCP addresses that it listens on.
    pub listen: Vec<String>,
    /// How many units it keeps.
    pub units: u64,
    /// How many of them are in which state.
    pub states: BTreeMap<String, u64>,
    /// Configuration files that it was given and remembers.
    #[schema(value_type = Vec<String>)]
    pub sources: Vec<PathBuf>,
    /// The number of the last event.
    pub last_event: u64,
    /// Beats for services that are not known here, refused since this daemon process began.
    #[serde(default)]
    pub beats_foreign: u64,
    /// The reports to a monitor; null: there is no `[report]`.
    #[serde(default)]
    pub report: Option<ReportStatus>,
    /// The system logs that are sent to.
    #[serde(default)]
    pub system_logs: Vec<SystemLogStatus>,
}

/// One of `system_logs` of [`DaemonStatus`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SystemLogStatus {
    /// Where it is, as it is configured.
    pub to: String,
    /// Messages that it took, since this daemon process began.
    pub sent: u64,
    /// Bytes of output that were deleted before they could be sent.
    pub lost_bytes: u64,
    /// Events and single messages that were lost; of segments whose size is not known, each counts as one.
    pub lost_messages: u64,
    /// When it took one last.
    pub last_at: Option<String>,
    /// Why it takes none right now; null: it does, as far as is known.
    pub away: Option<String>,
}

/// `report` of [`DaemonStatus`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReportStatus {
    /// Scheme, host and port of where they go.
    pub to: String,
    /// Messages that arrived, since this daemon process began.
    pub sent: u64,
    /// Messages that did not.
    pub failed: u64,
    /// When one arrived last.
    pub last_at: Option<String>,
    /// Why the last one did not arrive.
    pub last_error: Option<String>,
}

/// The body of every answer with a status of 400 or more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// A word for programs: `no_such_unit`, `invalid_config`, `unauthorized`, …
    pub error: String,
    /// What cannot be done, and why: a lowercase fragment that reads after "cannot" or "error: ".
    pub message: String,
    /// The way out, where it is not in the message.
    pub help: Option<String>,
    /// `invalid_config`: every mistake, rendered with file, line, column and caret (plain text).
    pub diagnostics: Option<String>,
}

/// What can be done to units.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Want them up.
    Start,
    /// Want them down.
    Stop,
    /// Stop, then start.
    Restart,
    /// Have them read their configuration again.
    Reload,
    /// Clear `failed` and counters.
    Reset,
    /// Send a signal to the main process.
    Signal,
    /// Come up with the daemon.
    Enable,
    /// Do not come up with the daemon.
    Disable,
    /// Stop and forget.
    Remove,
}

impl Verb {
    /// The word in the URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Reset => "reset",
            Self::Signal => "signal",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Remove => "remove",
        }
    }
}

/// `POST /v1/command`: one verb for several patterns at once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRequest {
    /// What to do.
    pub command: Verb,
    /// Names, globs, `GROUP:*`, `all`, or the bare name of units that have instances.
    #[schema(min_items = 1, max_items = 1000)]
    pub patterns: Vec<String>,
    /// `signal`: which one (`SIGHUP`, `hup`, `1`).
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub signal: Option<Signal>,
    /// `restart`: a few at a time, and only while that goes well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolling: Option<RollingRequest>,
}

/// Restart a few units at a time, the next ones only while that goes well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollingRequest {
    /// How many are restarted first (the canaries), in percent of all, 1 to 100; at least one unit.
    #[serde(default = "RollingRequest::first")]
    #[schema(minimum = 1, maximum = 100)]
    pub first: u8,
    /// How long the canaries must stay up before the others follow, in milliseconds.
    #[serde(default = "RollingRequest::hold_ms")]
    pub hold_ms: u64,
}

impl RollingRequest {
    /// The share of canaries that is meant when none is given.
    #[must_use]
    pub fn first() -> u8 {
        5
    }

    /// The hold that is meant when none is given: a run of this length counts as stable.
    #[must_use]
    pub fn hold_ms() -> u64 {
        10_000
    }

    /// What the daemon is asked for.
    ///
    /// # Errors
    /// The percentage is none.
    pub fn plan(self) -> Result<Rolling, String> {
        if !(1..=100).contains(&self.first) {
            return Err(format!("first is {}, and must be 1 to 100", self.first));
        }
        Ok(Rolling {
            first: self.first,
            hold: std::time::Duration::from_millis(self.hold_ms),
        })
    }
}

/// `POST /v1/units/{name}/signal`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// Which one (`SIGHUP`, `hup`, `1`).
    #[schema(value_type = String)]
    pub signal: Signal,
}

/// `POST /v1/up`: make the daemon agree with these files.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpRequest {
    /// Absolute paths of configuration files. Empty: those that the daemon remembers, read again.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub files: Vec<PathBuf>,
    /// The caller's environment, as far as `inherit` names it; more does no harm.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Only say what would change; the answer is a [`Plan`].
    #[serde(default)]
    pub dry_run: bool,
    /// What runs and was changed is restarted a few at a time; if that does not go well, all of it is
    /// brought back to what it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolling: Option<RollingRequest>,
}

/// `POST /v1/run`: guard one command. The text is the one-unit configuration file that the daemon
/// writes into the home's `units/` and loads like any other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// The unit's full name.
    pub name: String,
    /// A configuration file that holds this one unit, as TOML; paths in it absolute.
    pub config: String,
    /// Change the unit if there is one of that name. Else a taken name is refused with 409.
    #[serde(default)]
    pub replace: bool,
    /// The caller's environment, as far as `inherit` names it.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Only say what would change; the answer is a [`Plan`].
    #[serde(default)]
    pub dry_run: bool,
}

/// `POST /v1/down`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DownRequest {
    /// Absolute path: stop and forget that file's units. Null: stop everything, then daemon and keeper.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub file: Option<PathBuf>,
}

/// `POST /v1/upgrade`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeRequest {
    /// Absolute path of the executable that is to be the daemon.
    #[schema(value_type = String)]
    pub binary: PathBuf,
    /// The keeper is to execute it, too, also if its own version is the same.
    #[serde(default)]
    pub keeper: bool,
}

/// The answer to `POST /v1/upgrade`: the new daemon is prepared, and the old one leaves. How it went says
/// the first event `upgraded` or `upgrade_failed` after `last_event`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Upgrading {
    /// The version before, with its build where that is known.
    pub from: String,
    /// The version that is to be.
    pub to: String,
    /// The file, links followed.
    #[schema(value_type = String)]
    pub executable: PathBuf,
    /// It is the very file that the daemon before runs.
    pub same_file: bool,
    /// The number of the last event before.
    pub last_event: u64,
}

/// `POST /v1/scale`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleRequest {
    /// The unit's name without an instance: `web`, `shop:web`.
    pub unit: String,
    /// How many instances there should be, 1000 at most.
    pub instances: u32,
}

/// An [`Operation`] as the API shows it: the answer to every command, and of
/// `GET /v1/operations/{id}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct OperationView {
    /// Its number, for `GET /v1/operations/{id}`.
    pub id: u64,
    /// What was asked.
    pub kind: OperationKind,
    /// When.
    pub since: String,
    /// How far it is.
    pub state: OperationState,
    /// What there is to do for each unit concerned.
    pub steps: Vec<OperationStep>,
    /// Where its units are restarted a few at a time: how far that is.
    #[serde(default)]
    pub rolling: Option<RollingView>,
}

/// How far a rolling operation is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RollingView {
    /// How many units are restarted.
    pub units: u32,
    /// How many of them come first and are held.
    pub canaries: u32,
    /// How many were restarted and found good.
    pub done: u32,
    /// The canaries are up, and must stay so for this much longer.
    pub hold_ms: Option<u64>,
    /// It was halted: why, and what was done about it.
    pub halted: Option<String>,
}

impl RollingView {
    /// Shows `progress` at `now`.
    #[must_use]
    pub fn new(progress: &RollingProgress, now: Mono) -> Self {
        Self {
            units: u32::try_from(progress.units.len()).unwrap_or(u32::MAX),
            canaries: progress.canaries,
            done: progress.done,
            hold_ms: progress
                .hold_until
                .map(|until| u64::try_from(until.since(now).as_millis()).unwrap_or(u64::MAX)),
            halted: progress.halted.clone(),
        }
    }
}

impl OperationView {
    /// Shows `operation` at `now`; `since` is its time as RFC 3339.
    #[must_use]
    pub fn new(operation: &Operation, since: String, now: Mono) -> Self {
        Self {
            id: operation.id.0,
            kind: operation.kind,
            since,
            state: operation.state,
            steps: operation.steps.clone(),
            rolling: operation
                .rolling
                .as_ref()
                .map(|progress| RollingView::new(progress, now)),
        }
    }
}

/// What `up` would change.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// One for each unit of the files and each that would go, in the order of their names.
    pub changes: Vec<PlanChange>,
}

/// What `up` would do to one unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlanChange {
    /// Full name.
    pub unit: String,
    /// What would be done.
    pub action: PlanAction,
    /// `change`, `restart`: which settings differ.
    pub fields: Vec<PlanField>,
}

/// What `up` would do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanAction {
    /// Add it, and start it if it is enabled.
    Add,
    /// Take over settings; its process goes on.
    Change,
    /// Take over settings and restart it.
    Restart,
    /// Stop and forget it.
    Remove,
    /// Nothing: it is not touched.
    Unchanged,
}

/// One setting that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlanField {
    /// Its key.
    pub key: String,
    /// What holds now; null: not set.
    pub from: Option<String>,
    /// What would hold; null: not set.
    pub to: Option<String>,
}

/// `GET /v1/units/{name}/why`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// Full name.
    pub unit: String,
    /// Its state.
    pub state: ActualState,
    /// Why it is in this state, one sentence each, the nearest cause first.
    pub because: Vec<String>,
    /// What would change it, one sentence each.
    pub would_change: Vec<String>,
}

/// `GET /v1/units/{name}/spec`: the resolved spec, and where each value came from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SpecAnswer {
    /// Full name.
    pub unit: String,
    /// One line for people.
    pub description: Option<String>,
    /// Each setting that has a value, in the order of the documentation.
    pub settings: Vec<Setting>,
    /// What a reader should know: the file changed since it was loaded, or is gone.
    pub note: Option<String>,
}

/// One resolved setting.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Setting {
    /// Its key in the configuration, dotted for tables.
    pub key: String,
    /// Its value, as it would stand in a configuration file.
    pub value: String,
    /// Where it came from, in words: `/etc/app.toml:12`, `/etc/app.toml:3 [defaults]`, `built in`.
    /// Null: not known (see the note).
    pub origin: Option<String>,
    /// Nobody wrote it: it is a default.
    pub built_in: bool,
}

/// One event of `GET /v1/events`; the tag `event` says which, and which fields follow.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// The version of the stream's form: 1. Kinds and fields are added without changing it.
    #[serde(default = "first_version")]
    pub v: u32,
    /// Grows by one within a home.
    pub seq: u64,
    /// When.
    pub at: String,
    /// Which unit, if it is about one.
    pub unit: Option<String>,
    /// Which run, if it is about one.
    pub run: Option<u64>,
    /// How much it matters.
    #[serde(default)]
    pub severity: Severity,
    /// The same in words, for people.
    pub text: String,
    /// What.
    #[serde(flatten, serialize_with = "beside_its_words")]
    pub kind: EventKind,
}

/// A warning is nothing but words, which are the event's `text` already: the same key twice in one
/// object is no JSON that others would read.
fn beside_its_words<S: serde::Serializer>(kind: &EventKind, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(tag = "event", rename = "warning")]
    struct Warning {}
    match kind {
        EventKind::Warning { .. } => Warning {}.serialize(to),
        kind => kind.serialize(to),
    }
}

/// Daemons that did not say it wrote this one.
fn first_version() -> u32 {
    1
}

/// `POST /v1/heartbeat`: a beat. Only its arrival counts; everything but `service` may be left out,
/// and what is of another kind than expected, or not known, is passed over.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct BeatRequest {
    /// The unit's full name, or its name without the group if only one unit has it.
    #[serde(deserialize_with = "lenient::name")]
    pub service: String,
    /// The sender's clock, in seconds since 1970; for the drift that `status` shows.
    #[serde(default, deserialize_with = "lenient::value")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<f64>,
    /// The machine that it runs on, in beats from other machines.
    #[serde(default, deserialize_with = "lenient::value")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What is, as its own abide says.
    #[serde(default, deserialize_with = "lenient::value")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ActualState>,
    /// What is wanted, as its own abide says.
    #[serde(default, deserialize_with = "lenient::value")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<DesiredState>,
    /// What checks and beats say there.
    #[serde(default, deserialize_with = "lenient::value")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Up and ready.
    #[serde(default, deserialize_with = "lenient::value")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Restarts that its abide did by itself.
    #[serde(default, deserialize_with = "lenient::value")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u64>,
    /// Its main process there.
    #[serde(default, deserialize_with = "lenient::value")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// What senders of beats are forgiven.
mod lenient {
    use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny};

    /// A text, or a whole number: some programs number their services.
    pub(super) fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "`service` must be a text")]
        enum Name {
            Text(String),
            Number(u64),
        }
        Ok(match Name::deserialize(from)? {
            Name::Text(text) => text,
            Name::Number(number) => number.to_string(),
        })
    }

    /// A value of this kind; anything else is none.
    pub(super) fn value<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: DeserializeOwned,
    {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Value<T> {
            Known(T),
            Other(IgnoredAny),
        }
        Ok(match Value::<T>::deserialize(from)? {
            Value::Known(value) => Some(value),
            Value::Other(_) => None,
        })
    }
}

/// The answer to a beat that was taken.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BeatAnswer {
    /// The unit; `HOST/NAME` for a service of another machine that said its host.
    pub service: String,
    /// The sender's clock minus the daemon's, where the beat had a time.
    pub drift_ms: Option<i64>,
}

/// The answer to an array of beats. If none was taken, the status is that of the first refusal.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct BeatsAnswer {
    /// How many were taken.
    pub taken: u64,
    /// Each that was not.
    pub refused: Vec<BeatRefusal>,
}

/// One beat of an array that was not taken.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BeatRefusal {
    /// Its place in the array, from 0.
    pub index: u64,
    /// What it named.
    pub service: Option<String>,
    /// As in every answer of 400 or more.
    pub error: String,
    /// What cannot be done, and why.
    pub message: String,
    /// The way out, where it is not in the message.
    pub help: Option<String>,
}

/// How log lines are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// The program's bytes and nothing else.
    #[default]
    Raw,
    /// `2026-01-01T00:00:00.000Z web | line`.
    Human,
    /// `2026-01-01T00:00:00.000000000Z stdout F line`, as container runtimes write it.
    Cri,
    /// One [`LogLine`] as JSON per line.
    Json,
}

/// One line of a log in the format `json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// When its first byte was captured, with nanoseconds.
    pub time: String,
    /// Which unit.
    pub unit: String,
    /// `stdout` or `stderr`; with combined streams always `stdout`.
    pub stream: String,
    /// The line without its newline; what is not UTF-8 is shown as U+FFFD.
    pub line: String,
    /// The line's bytes in base64, where `line` is not exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// The newline is still missing, or the line comes in pieces.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_says_its_words_once_and_is_read_again() {
        let view = EventView {
            v: crate::EVENTS_VERSION,
            severity: Severity::Warning,
            seq: 1,
            at: "2026-01-01T00:00:00.000Z".into(),
            unit: Some("web".into()),
            run: None,
            text: "web: it reports an error".into(),
            kind: EventKind::Warning {
                text: "it reports an error".into(),
            },
        };
        let text = serde_json::to_string(&view).expect("it is JSON");
        assert_eq!(text.matches("\"text\"").count(), 1, "{text}");
        let again: EventView = serde_json::from_str(&text).expect("it is read");
        assert_eq!(again.text, view.text);
        assert!(matches!(again.kind, EventKind::Warning { .. }));
    }
}
