//! How it stands with the system logs, for whoever asks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_model::Wall;

/// What became of what was for the system logs, by where it goes. Since this daemon began.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<String, Standing>>);

/// What is known of one system log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// Messages that it took.
    pub sent: u64,
    /// Bytes of output that were deleted before they could be sent.
    pub lost_bytes: u64,
    /// Events and single messages that were lost.
    pub lost_messages: u64,
    /// When it took one last.
    pub last: Option<Wall>,
    /// Why it takes none right now.
    pub away: Option<String>,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All, by where they go.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Standing> {
        self.lock().clone()
    }

    /// Changes what is known of one; returns what is known then.
    pub(super) fn note(&self, to: &str, change: impl FnOnce(&mut Standing)) -> Standing {
        let mut all = self.lock();
        match all.get_mut(to) {
            Some(standing) => {
                change(standing);
                standing.clone()
            }
            None => {
                let standing = all.entry(to.to_owned()).or_default();
                change(standing);
                standing.clone()
            }
        }
    }

    pub(super) fn forget(&self, to: &str) {
        self.lock().remove(to);
    }
}
