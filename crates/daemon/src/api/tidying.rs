//! The API's part in giving memory back when its last connection has been over for a moment.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use abide_platform::memory;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::handle::Handle;

/// So long without a connection is the end of a burst. Shorter than what the driver waits for, so that the
/// driver is the last to work.
const QUIET: Duration = Duration::from_millis(300);
/// With use that never pauses, this often.
const APART: Duration = Duration::from_secs(10);

/// Waits for use, then for its end, then gives this thread's stack back and has the driver do the rest; for
/// ever. Sets no timer while nobody uses the API.
pub(super) async fn after_use(used: Arc<Notify>, handle: Handle) -> Infallible {
    loop {
        used.notified().await;
        let latest = Instant::now() + APART;
        while Instant::now() < latest && timeout(QUIET, used.notified()).await.is_ok() {}
        memory::release_stack();
        handle.used();
    }
}
