//! Why something could not be done with a service.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::manager::Kind;

/// Why not. Reads after "cannot".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting of the service is wrong; nothing was written.
    #[error("{0}")]
    Invalid(String),
    /// There is no service of this name.
    #[error("find a service called {name}: {manager} knows none; `install` makes one")]
    NotInstalled {
        /// Which.
        name: String,
        /// Whom was asked.
        manager: Kind,
    },
    /// The name belongs to a service that was not made by this library.
    #[error("take the name {name}: {what}; choose another name")]
    Foreign {
        /// Which.
        name: String,
        /// What is there, and where.
        what: String,
    },
    /// A right is missing.
    #[error("{action}: {right} is needed; {how}")]
    AccessDenied {
        /// What was to be done.
        action: String,
        /// Which right.
        right: &'static str,
        /// How to get it.
        how: String,
    },
    /// It was not done in time. What was begun may still happen.
    #[error("wait for {action} any longer: it was not done within {} s{}", within.as_secs_f32(), detail(state))]
    TimedOut {
        /// What.
        action: String,
        /// How long was waited.
        within: Duration,
        /// The state then, if it is known.
        state: String,
    },
    /// No manager that we know runs here.
    #[error("find a service manager: {why}; {advice}")]
    NoManager {
        /// What is here instead.
        why: String,
        /// What to do.
        advice: String,
    },
    /// This manager cannot do that.
    #[error("{what} with {manager}: {why}")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// Of whom.
        manager: Kind,
        /// Why not.
        why: String,
    },
    /// The service was started, and ended, or did not come up.
    #[error("{action}: {why}")]
    NotUp {
        /// What was to be done.
        action: String,
        /// What became of it.
        why: String,
    },
    /// A program of the manager said no.
    #[error("run `{command}`: {output}")]
    Failed {
        /// What was run.
        command: String,
        /// What it said.
        output: String,
    },
    /// Something failed half-way, and not all that had been done could be taken back.
    #[error("{error}; what had been done before could not all be taken back: {}", left.join("; "))]
    HalfDone {
        /// What failed first.
        error: Box<Self>,
        /// What is left, and why.
        left: Vec<String>,
    },
    /// A file could not be written, read or removed.
    #[error("{action} {path}: {source}", path = .path.display())]
    File {
        /// What was to be done with it.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn detail(state: &str) -> String {
    if state.is_empty() {
        String::new()
    } else {
        format!(" ({state})")
    }
}

impl Error {
    /// It failed, and this is left of what was done before.
    pub(crate) fn half_done(self, left: Vec<String>) -> Self {
        if left.is_empty() {
            return self;
        }
        Self::HalfDone {
            error: Box::new(self),
            left,
        }
    }

    /// A file operation failed; without the right to it, that is what is said.
    pub(crate) fn file(action: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::PermissionDenied {
            return Self::AccessDenied {
                action: format!("{action} {}", path.display()),
                right: "the right to write there",
                how: "run it as root (`sudo`), or make it a service of your own with `--user`"
                    .to_owned(),
            };
        }
        Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
