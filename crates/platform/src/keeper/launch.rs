use std::ffi::OsString;
use std::path::PathBuf;

/// How a keeper is to be started, and the daemon by it.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The home, absolute. The keeper locks `keeper.lock` in it: two keepers never serve one home.
    pub home: PathBuf,
    /// The daemon's arguments, without the program's name: the same executable is run.
    pub daemon: Vec<OsString>,
}

/// Why a daemon did not become ready. Reads after "cannot".
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The daemon said why.
    #[error("{0}")]
    Refused(String),
    /// It ended and said nothing.
    #[error("start the daemon: it ended before it was ready; {log} says why", log = .log.display())]
    Silent {
        /// Where its messages went.
        log: PathBuf,
    },
    /// It says nothing at all.
    #[error("wait for the daemon any longer: it is not ready after {seconds} s; {log} says why", log = .log.display())]
    Slow {
        /// How long was waited.
        seconds: u64,
        /// Where its messages go.
        log: PathBuf,
    },
    /// The system refused.
    #[error("start the keeper: {0}")]
    Io(#[from] std::io::Error),
}
