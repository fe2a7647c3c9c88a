use std::fmt;

/// What a manager says of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// Its main process.
    pub pid: Option<u32>,
    /// How its last run ended.
    pub exit: Option<Exit>,
    /// It comes up by itself.
    pub enabled: bool,
    /// The manager's own words: what the service says of itself, or why it failed.
    pub detail: Option<String>,
}

impl Status {
    /// Of a service that is not there.
    #[must_use]
    pub fn not_installed() -> Self {
        Self {
            state: State::NotInstalled,
            pid: None,
            exit: None,
            enabled: false,
            detail: None,
        }
    }
}

/// The state of a service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// It runs, and is ready where it says so.
    Running,
    /// It was started, and is not ready yet.
    Starting,
    /// It was asked to end, and has not yet.
    Stopping,
    /// It does not run.
    Stopped,
    /// It does not run, and that was not wanted.
    Failed,
    /// The manager does not know it.
    NotInstalled,
}

impl State {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::NotInstalled => "not installed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}
