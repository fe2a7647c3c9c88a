use std::ffi::OsString;
use std::io;

use crate::scm::{Asked, Ending, Said, Settings};

/// There is none: this manager is that of Windows.
#[derive(Debug)]
pub enum Connection {}

/// Never: this manager is that of Windows.
#[must_use]
pub fn started_by_manager() -> bool {
    false
}

/// `None`: this manager is that of Windows.
///
/// # Errors
/// None.
pub fn connect(_settings: Settings) -> io::Result<Option<Connection>> {
    Ok(None)
}

impl Connection {
    /// The arguments that the service was started with.
    #[must_use]
    pub fn arguments(&self) -> &[OsString] {
        match *self {}
    }

    /// Says something of the service.
    pub fn say(&self, _said: Said) {
        match *self {}
    }

    /// Who hears what is asked from now on.
    pub fn listen(&self, _listener: impl FnMut(Asked) + Send + 'static) {
        match *self {}
    }

    /// It has ended.
    pub fn end(&self, _ending: Ending) {
        match *self {}
    }
}
