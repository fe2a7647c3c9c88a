use std::convert::Infallible;

use crate::keeper::{Launch, LinkError};

/// A daemon's start beside the one that it is to take over from: not there on Windows yet, so there never is
/// one ([`super::Link::upgrade`] says so).
#[derive(Debug)]
pub struct Successor(Infallible);

impl Successor {
    /// `None`: this is a daemon like any other.
    #[must_use]
    pub fn here() -> Option<Self> {
        None
    }

    /// All is done that can be done beside the old daemon.
    ///
    /// # Errors
    /// None: see above.
    pub fn prepared(&self, _: &Launch) -> Result<(), LinkError> {
        match self.0 {}
    }

    /// Blocks until the old daemon is gone.
    ///
    /// # Errors
    /// None: see above.
    pub fn turn(self, _: &Launch) -> Result<(), LinkError> {
        match self.0 {}
    }
}
