//! The control API: HTTP on the home's socket, and on TCP where `listen` is set.
//!
//! ```text
//!  home/abide.sock ──┐                    ┌── reads ──► Board, EventLog, segments of logs
//!                    ├─► guard ─► router ─┤
//!  127.0.0.1:PORT  ──┘                    └── asks ───► Handle ──► driver ──► operation
//! ```
//!
//! It has a thread and a single-threaded runtime of its own; files are read on threads that exist
//! only meanwhile. A panic ends that thread's work and not the daemon: the API is started again,
//! and an event says so. Not starting it at all is the safe mode.
//!
//! Architecture invariant: nothing here waits for a client while it holds something that the driver
//! needs. What a slow client has not read is bounded: a few chunks of its own.

mod auth;
mod beat;
mod body;
mod brief;
mod commands;
mod config;
mod daemon;
mod document;
mod doors;
mod error;
mod events;
mod extract;
mod followers;
mod listeners;
mod listing;
mod logs;
mod metrics;
mod operations;
mod remote;
mod server;
mod socket;
mod spec;
mod stall;
mod status;
mod thread;
mod tidying;
mod times;
mod units;
mod upgrade;
mod usage;

pub use auth::Peer;
pub use document::{document, routes};
pub use doors::{Door, Doors};
pub use thread::{Api, ApiEnd};
pub(crate) use times::rfc3339;

use std::sync::Arc;

use tokio::sync::watch;

use crate::assist::Assistants;
use crate::capture::Capture;
use crate::handle::Handle;
use crate::home::Home;

/// What the API is given.
#[derive(Clone)]
pub struct ApiConfig {
    /// Where socket, token and logs lie.
    pub home: Home,
    /// The driver, the board and the events.
    pub handle: Handle,
    /// Counts lost output and wakes whoever follows a log; without it nothing is counted, and
    /// followers see only what is there.
    pub capture: Option<Capture>,
    /// Runs the hook `on_silent`; without it there is none.
    pub assistants: Option<Assistants>,
    /// Sockets that were listened on before.
    pub doors: Doors,
    /// Called on the API's thread when it has ended for good: all answers are given.
    pub ended: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl std::fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiConfig")
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

/// What the routes share.
#[derive(Clone)]
struct Context {
    config: ApiConfig,
    sampler: Arc<usage::Sampler>,
    followers: followers::Followers,
    listeners: Arc<listeners::Listeners>,
    suggestions: Arc<beat::Suggestions>,
    reports: Arc<crate::report::Tally>,
    remotes: Arc<crate::monitor::Remotes>,
    /// What this machine calls itself.
    machine: Arc<str>,
    /// Held while configuration is read and applied: one at a time.
    configuring: Arc<tokio::sync::Mutex<()>>,
    /// True when the API ends: whoever follows something stops.
    ending: watch::Receiver<bool>,
}

impl Context {
    fn handle(&self) -> &Handle {
        &self.config.handle
    }

    /// Waits until the API ends.
    async fn ended(&self) {
        let mut ending = self.ending.clone();
        // An error: the sender is gone, which is the end as well.
        let _ = ending.wait_for(|ending| *ending).await;
    }

    fn board(&self) -> &Arc<crate::board::Board> {
        self.config.handle.board()
    }
}
