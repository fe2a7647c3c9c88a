//! What scenarios stand on: a home of its own for each, the real `abide` binary in it, and the
//! certainty that every process that belongs to the home is gone at the end, also after a failure.
//!
//! Scenarios are in `tests/scenarios/`, one file each; programs that they guard are in `src/bin/`.
//! Nothing here sleeps to synchronise: [`wait::until`] looks for a condition until a deadline.

pub mod api;
pub mod binary;
pub mod home;
pub mod processes;
pub mod skip;
pub mod wait;

pub use api::Api;
pub use home::{Finished, Home};
