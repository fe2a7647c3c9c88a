//! The daemon: it decides. The keeper holds (see `abide_platform::keeper`).
//!
//! Threads: *supervision* (the driver: epoll, the core, nothing else), *capture* (drains output),
//! *API* (an async runtime; a panic ends it and not the daemon), *store* (durable writes), *probes*
//! (readiness), spawn workers and the sweeper; one for each *system log* that is sent to. The driver never blocks: not on a disk, a network, a
//! slow client, a child, nor on a spawn.

pub mod api;
pub mod assist;
pub mod board;
pub mod capture;
pub mod driver;
pub mod events;
pub mod handle;
pub mod home;
pub mod installed;
pub mod monitor;
pub mod probe;
pub mod report;
pub mod store;
pub mod system_log;
pub mod upgrade;

mod serve;

pub use driver::{Options, REQUEST_RELOAD, REQUEST_RESTART};
pub use serve::serve;
