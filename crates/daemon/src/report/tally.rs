//! How the reports fare.

use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_model::Wall;

/// Shared with whoever asks.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Option<Standing>>);

/// What is known of the reports to one monitor.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// Where they go: scheme, host and port. The path may be a secret.
    pub to: String,
    /// Messages that arrived.
    pub sent: u64,
    /// Messages that did not.
    pub failed: u64,
    /// When one arrived last.
    pub last: Option<Wall>,
    /// Why the last one did not arrive.
    pub error: Option<String>,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Option<Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it stands; `None`: nothing is reported.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        self.lock().clone()
    }

    pub(super) fn start(&self, to: String) {
        let mut standing = self.lock();
        match &mut *standing {
            Some(same) if same.to == to => {}
            other => {
                *other = Some(Standing {
                    to,
                    ..Standing::default()
                });
            }
        }
    }

    pub(super) fn stop(&self) {
        *self.lock() = None;
    }

    pub(super) fn count(&self, arrived: bool) {
        if let Some(standing) = &mut *self.lock() {
            if arrived {
                standing.sent += 1;
                standing.last = Some(abide_platform::clock::now().wall);
            } else {
                standing.failed += 1;
            }
        }
    }

    /// A round arrived; true: the one before had not.
    pub(super) fn works(&self) -> bool {
        self.lock()
            .as_mut()
            .is_some_and(|standing| standing.error.take().is_some())
    }

    /// A round did not arrive; true: the one before had.
    pub(super) fn fails(&self, why: &str) -> bool {
        self.lock()
            .as_mut()
            .is_some_and(|standing| standing.error.replace(why.to_owned()).is_none())
    }
}
