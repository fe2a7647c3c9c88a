//! The processes that abide starts of itself: keeper, daemon, helpers. They are recognised by their arguments,
//! before clap sees them.

#[cfg(unix)]
mod role;
#[cfg(unix)]
pub use role::{Role, enter};

#[cfg(windows)]
mod absent;
#[cfg(windows)]
pub use absent::enter;
