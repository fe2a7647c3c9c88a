//! Commands that are run around a unit's runs, and how it reads its configuration again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Command, Signal};

/// A command that abide runs on behalf of a unit: with its variables, directory and user, its output
/// in the unit's log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hook {
    /// What to execute.
    pub command: Command,
    /// It is killed then, and counts as failed.
    pub timeout: Duration,
}

/// When a hook is run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum HookKind {
    /// Before each spawn; if it fails, the start has failed, and the restart policy says what follows.
    /// Cancelled by a stop or a restart.
    BeforeStart,
    /// When a run is ready. Holds up nothing; not run again by a daemon that comes after.
    AfterStart,
    /// Before the steps of a stop or a restart, in time of its own; the stop then has all of its. Not after
    /// a crash, and not where abide ends a program that failed (not ready in time, missed beats, unhealthy):
    /// it hangs, and is wanted back soon. Cancelled when the main process ends meanwhile. If it fails, the
    /// stop goes on.
    BeforeStop,
    /// When a run and all its processes are gone, however it ended, before the next one begins; also when
    /// `before_start` failed or the program could not be executed (as `ExecStopPost=` of
    /// systemd.service(5)). Never cancelled.
    AfterStop,
    /// When a run ended that nobody asked to end and that was no success; after `after_stop`. Holds up
    /// nothing. Run again, once, by the daemon that comes after one that died before it was over.
    OnFailure,
    /// When abide has given up on the unit; its last run's `on_failure` was begun before. Holds up nothing;
    /// run again as `on_failure` is.
    OnGiveUp,
    /// When the unit became unhealthy (`on_unhealthy = "…"`). Holds up nothing; run again as `on_failure` is.
    OnUnhealthy,
}

impl HookKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::BeforeStart,
        Self::AfterStart,
        Self::BeforeStop,
        Self::AfterStop,
        Self::OnFailure,
        Self::OnGiveUp,
        Self::OnUnhealthy,
    ];

    /// The key in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BeforeStart => "before_start",
            Self::AfterStart => "after_start",
            Self::BeforeStop => "before_stop",
            Self::AfterStop => "after_stop",
            Self::OnFailure => "on_failure",
            Self::OnGiveUp => "on_give_up",
            Self::OnUnhealthy => "on_unhealthy",
        }
    }
}

impl std::fmt::Display for HookKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A unit's hooks: of each kind a list that is run in order until one fails.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Hooks(pub Vec<(HookKind, Hook)>);

impl Hooks {
    /// Those of one kind, in order.
    pub fn of(&self, kind: HookKind) -> impl Iterator<Item = &Hook> {
        self.0
            .iter()
            .filter_map(move |(of, hook)| (*of == kind).then_some(hook))
    }

    /// The longest that those of one kind may take together; `None`: there are none.
    #[must_use]
    pub fn time(&self, kind: HookKind) -> Option<Duration> {
        self.of(kind)
            .map(|hook| hook.timeout)
            .reduce(Duration::saturating_add)
    }
}

/// How a unit reads its configuration again without a restart. Reads from a plain signal, too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "ReloadText")]
pub struct Reload {
    /// What to do.
    pub action: ReloadAction,
    /// The program says `RELOADING=1` and then `READY=1` on its notify socket (`Type=notify-reload` of
    /// systemd.service(5)); without this, it is reloaded when the action is done.
    pub confirm: bool,
    /// For the action and the confirmation; later it has failed, and the unit runs on.
    pub within: Duration,
}

/// How a unit is told to read its configuration again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadAction {
    /// A signal to the main process.
    Signal(Signal),
    /// A command, run as a hook is; it finds the main process in `MAINPID`.
    Command(Command),
}

/// As versions without `confirm` wrote it, or as now.
#[derive(Deserialize)]
#[serde(untagged)]
enum ReloadText {
    Signal(Signal),
    Reload {
        action: ReloadAction,
        confirm: bool,
        within: Duration,
    },
}

impl From<ReloadText> for Reload {
    fn from(text: ReloadText) -> Self {
        match text {
            ReloadText::Signal(signal) => Self::signal(signal),
            ReloadText::Reload {
                action,
                confirm,
                within,
            } => Self {
                action,
                confirm,
                within,
            },
        }
    }
}

impl Reload {
    /// How long a reload may take where nothing else is said.
    pub const WITHIN: Duration = Duration::from_secs(30);

    /// This signal, unconfirmed.
    #[must_use]
    pub fn signal(signal: Signal) -> Self {
        Self {
            action: ReloadAction::Signal(signal),
            confirm: false,
            within: Self::WITHIN,
        }
    }
}
