//! How a run ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{RunId, Signal, Wall, ntstatus};

/// What is known of the end of a run's main process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// It called exit with this code.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// Which one.
        #[cfg_attr(feature = "api", schema(value_type = String))]
        signal: Signal,
        /// It left a core dump.
        core: bool,
    },
    /// It never ran: what could not be done, in words.
    SpawnFailed(String),
    /// It ended while nobody could see it (keeper and daemon were both gone).
    Unknown,
}

/// Exit codes and signals that count as a success. By default code 0.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SuccessExit {
    /// Exit codes.
    pub codes: Vec<i32>,
    /// Signals.
    pub signals: Vec<Signal>,
}

impl Default for SuccessExit {
    fn default() -> Self {
        Self {
            codes: vec![0],
            signals: Vec::new(),
        }
    }
}

/// The class of an exit: what restart tables map to an action.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitClass {
    /// A code or signal that the spec counts as success.
    Success,
    /// Another exit code.
    Failure,
    /// A signal nobody asked for.
    Signal,
    /// Could not be started.
    SpawnFailed,
    /// Was ready too late, or missed its beats: abide ended it.
    Unresponsive,
    /// Nobody saw how.
    Unknown,
}

impl ExitStatus {
    /// The class of this exit under `success`.
    #[must_use]
    pub fn class(&self, success: &SuccessExit) -> ExitClass {
        match self {
            Self::Code(code) if success.codes.contains(code) => ExitClass::Success,
            Self::Code(_) => ExitClass::Failure,
            Self::Signal { signal, .. } if success.signals.contains(signal) => ExitClass::Success,
            Self::Signal { .. } => ExitClass::Signal,
            Self::SpawnFailed(_) => ExitClass::SpawnFailed,
            Self::Unknown => ExitClass::Unknown,
        }
    }
}

/// "exit 1", "exit 0xC0000005 (access violation)", "killed by SIGSEGV (core dumped)", "could not be
/// started: …".
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) if ntstatus::is_status(*code) => {
                write!(f, "exit {code:#010X}")?;
                match ntstatus::words(*code) {
                    Some(words) => write!(f, " ({words})"),
                    None => Ok(()),
                }
            }
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal {
                signal,
                core: false,
            } => write!(f, "killed by {signal}"),
            Self::Signal { signal, core: true } => write!(f, "killed by {signal} (core dumped)"),
            Self::SpawnFailed(why) => write!(f, "could not be started: {why}"),
            Self::Unknown => write!(f, "exit status unknown"),
        }
    }
}

/// The end of a unit's last run, as `status` shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LastExit {
    /// How it ended.
    pub status: ExitStatus,
    /// When abide learnt of it.
    pub at: Wall,
    /// Which run.
    pub run: RunId,
    /// How long it had run, in nanoseconds of the clock that counts suspended time.
    pub ran_for: std::time::Duration,
    /// In words: the status, and why abide ended it if abide did ("stopped by hand: killed by SIGTERM").
    pub reason: String,
    /// It ended while neither keeper nor daemon was there, so what it wrote last may be missing from its log.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub output_may_be_lost: bool,
}
