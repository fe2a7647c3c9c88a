//! What abide looks at to know whether a program lives, and what it does about it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A readiness check.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Not ready by then: the run is ended and counts as a failure.
    pub within: Duration,
    /// How to find out.
    pub probe: ProbeKind,
}

/// How to find out whether a program is ready. The driver's business; the core only hears the answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// A TCP connection to `host:port` is accepted.
    Tcp(String),
    /// A GET is answered as wanted.
    Http(HttpProbe),
    /// This command ends with 0.
    Exec(Vec<String>),
    /// This file exists, and is newer than the run's start.
    File(PathBuf),
    /// The program says `READY=1` on its notify socket (sd_notify(3)).
    Notify,
    /// The program writes a newline to this descriptor, which it finds open (s6's `notification-fd`).
    Fd(u32),
    /// A line of its output matches this regular expression.
    Log(String),
}

/// A GET of an `http://` URL, and the answers that are good. Reads from a plain URL, too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "HttpProbeText")]
pub struct HttpProbe {
    /// `http://host[:port]/path`.
    pub url: String,
    /// Inclusive ranges of good statuses; empty: 200 to 399.
    pub status: Vec<(u16, u16)>,
    /// A regular expression that the body must match somewhere in its first 64 KiB.
    pub body: Option<String>,
}

/// As versions before the match of status and body wrote it, or as now.
#[derive(Deserialize)]
#[serde(untagged)]
enum HttpProbeText {
    Url(String),
    Probe {
        url: String,
        #[serde(default)]
        status: Vec<(u16, u16)>,
        #[serde(default)]
        body: Option<String>,
    },
}

impl From<HttpProbeText> for HttpProbe {
    fn from(text: HttpProbeText) -> Self {
        match text {
            HttpProbeText::Url(url) => Self::get(url),
            HttpProbeText::Probe { url, status, body } => Self { url, status, body },
        }
    }
}

impl HttpProbe {
    /// Any status of 200 to 399 will do.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            status: Vec::new(),
            body: None,
        }
    }

    /// The status is a good one.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        match &*self.status {
            [] => (200..400).contains(&status),
            ranges => ranges
                .iter()
                .any(|&(low, high)| (low..=high).contains(&status)),
        }
    }
}

/// A health check: rounds of probes while the program runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HealthCheck {
    /// All must succeed for a round to be good; the first that fails gives the reason.
    pub probes: Vec<HealthProbe>,
    /// From the beginning of one round to the beginning of the next.
    pub every: Duration,
    /// How long one round may take.
    pub timeout: Duration,
    /// So many bad rounds in a row, and the unit is unhealthy.
    pub misses: u32,
    /// For so long after the unit is ready bad rounds do not count; the first good one ends it.
    pub grace: Duration,
    /// What follows.
    pub on_unhealthy: OnUnhealthy,
}

/// One thing to look at in a round.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthProbe {
    /// A TCP connection to `host:port` is accepted.
    Tcp(String),
    /// A GET is answered as wanted.
    Http(HttpProbe),
    /// This command ends with 0.
    Exec(Vec<String>),
    /// The program has written something within this time.
    Silence(Duration),
    /// The whole tree uses at most so many bytes of memory.
    Memory(u64),
}

/// What follows when a unit becomes unhealthy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnhealthy {
    /// The run is ended and counts as a failure: backoff and give-up hold.
    #[default]
    Restart,
    /// It is shown.
    Mark,
    /// It is shown, and the hook `on_unhealthy` is run, once for each time that it becomes unhealthy.
    Command,
}

/// Beats that a program owes: `misses` intervals of `every` without one, and it is restarted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The interval.
    pub every: Duration,
    /// How many may be missed; the last one missed restarts the unit.
    pub misses: u32,
    /// Touching this file is a beat, too; relative to the unit's directory.
    #[serde(default)]
    pub file: Option<PathBuf>,
}

/// Whose messages on a unit's notify socket are taken (`NotifyAccess=` of systemd.service(5)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyAccess {
    /// The main process's.
    #[default]
    Main,
    /// The main process's, and those of the unit's hooks and reload command.
    Exec,
    /// Those of every process of the unit.
    All,
}
