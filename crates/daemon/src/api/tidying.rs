//! Memory is given back when the last connection has been over for a moment.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use abide_platform::memory;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

/// So long without a connection is the end of a burst.
const QUIET: Duration = Duration::from_secs(1);
/// Not more often than this, so that a client that asks every second does not find everything put away.
const APART: Duration = Duration::from_secs(10);

/// Waits for use, then for its end, then gives back what it needed; for ever. Sets no timer while nobody
/// uses the API.
pub(super) async fn after_use(used: Arc<Notify>) -> Infallible {
    let mut earliest = Instant::now();
    loop {
        used.notified().await;
        let latest = earliest.max(Instant::now()) + APART;
        sleep_until(earliest).await;
        // With use that never pauses, too.
        while Instant::now() < latest && timeout(QUIET, used.notified()).await.is_ok() {}
        memory::release();
        earliest = Instant::now() + APART;
    }
}
