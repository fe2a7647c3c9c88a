//! How many may follow logs and events at once.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{Answer, ApiError};

/// Answers that may be under way without an end. Each holds a connection, a task and some buffers.
const MAX: usize = 64;

/// Counts them.
#[derive(Clone, Debug)]
pub(super) struct Followers(Arc<Semaphore>);

impl Followers {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX)))
    }

    /// A place; it is free again when it is dropped.
    pub(super) fn enter(&self) -> Answer<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_followers",
                format!("{MAX} clients read logs or events already; end one of them"),
            )
        })
    }
}
