//! What is measured. One file a measurement; each says what it takes for its result.

pub mod capture;
pub mod crash;
pub mod death;
pub mod idle;
pub mod memory;
pub mod pace;
pub mod restart;
pub mod session;
pub mod status;
pub mod storm;

/// Names for `--only`.
pub const NAMES: &[&str] = &[
    "launch", "memory", "status", "storm", "idle", "crash", "restart", "capture", "halves", "disk",
    "pace", "death",
];
