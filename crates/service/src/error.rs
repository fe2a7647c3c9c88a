//! How a service ends that does not end well.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Any error, as `?` makes it.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Why a service ended badly, or could not begin. The manager sees a failure, not a clean stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The body returned this error. Exit code 1, or that of a [`Failure`].
    #[error("{}", chain(&**.0))]
    Body(BoxError),
    /// The body panicked. Exit code 101, as of any Rust program.
    #[error("panicked: {0}")]
    Panicked(String),
    /// What the library itself needs cannot be had: threads, a pipe for signals, the Service Control Manager.
    #[error("cannot start to listen for requests: {0}")]
    Start(#[source] io::Error),
    /// A service runs already: a process is one at a time.
    #[error("cannot run a second service in one process: the first has not ended")]
    Busy,
}

impl RunError {
    /// The exit code for this error: see the variants; 1 where they say nothing else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Body(error) => error
                .downcast_ref::<Failure>()
                .map_or(1, |failure| failure.code),
            Self::Panicked(_) => 101,
            _ => 1,
        }
    }
}

impl From<&RunError> for ExitCode {
    fn from(error: &RunError) -> Self {
        Self::from(error.exit_code())
    }
}

/// An error that says which exit code the program is to end with.
///
/// ```
/// use abide_service::Failure;
///
/// fn read_configuration() -> Result<(), Failure> {
///     // EX_CONFIG of sysexits.h: a manager may be told not to try again.
///     Err(Failure::new(78, "no configuration"))
/// }
/// # assert_eq!(read_configuration().unwrap_err().to_string(), "no configuration");
/// ```
#[derive(Debug)]
pub struct Failure {
    code: u8,
    cause: BoxError,
}

impl Failure {
    /// `code` is 1 to 255; 0, which would be no failure, becomes 1.
    pub fn new(code: u8, cause: impl Into<BoxError>) -> Self {
        Self {
            code: code.max(1),
            cause: cause.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// The error and what caused it, in one line; a cause that the text before it ends with is not
/// told twice.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_its_exit_code_and_its_whole_cause() {
        let inner = io::Error::other("disk full");
        let error = RunError::Body(Failure::new(75, inner).into());
        assert_eq!(error.exit_code(), 75);
        assert_eq!(error.to_string(), "disk full");
        assert_eq!(RunError::Body("no".into()).exit_code(), 1);
        assert_eq!(RunError::Body(Failure::new(0, "no").into()).exit_code(), 1);
        assert_eq!(RunError::Panicked("no".into()).exit_code(), 101);
    }
}
