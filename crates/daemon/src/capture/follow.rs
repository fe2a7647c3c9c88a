//! Waking those who follow a log.

use std::sync::Arc;

use abide_model::UnitId;
use tokio::sync::Notify;

use super::engine::Engine;
use super::unit::Watcher;

impl Watcher for Notify {
    fn wrote(&self) {
        self.notify_one();
    }
}

/// Wakes a task when units that it follows wrote something. Costs the capture nothing for units
/// that nobody follows.
pub struct Follow {
    pub(super) engine: Arc<Engine>,
    pub(super) notify: Arc<Notify>,
}

impl Follow {
    /// Follow this unit too; once more does no harm. One that is not captured (yet) is not followed: watch it again when it is.
    pub fn watch(&self, unit: UnitId) {
        if let Some(unit) = self.engine.unit(unit) {
            let watcher: Arc<dyn Watcher> = Arc::clone(&self.notify) as _;
            unit.watch(&watcher);
        }
    }

    /// Waits until one of the units wrote something since the last call returned (or since it was
    /// first watched). So: watch, read to the end, wait, read to the end, wait, …
    pub async fn changed(&self) {
        self.notify.notified().await;
    }
}
