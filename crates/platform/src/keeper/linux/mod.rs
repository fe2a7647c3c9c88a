mod daemon;
mod hold;
mod inherited;
mod link;
mod reap;
mod socket;
mod start;

pub use link::{KeeperSocket, Link, tell_starter};
pub use start::{Starting, become_keeper, enter, hand_over, start_detached};

/// The daemon's end of the socket, as a descriptor number.
const KEEPER_FD: &str = "ABIDE_KEEPER_FD";
/// Where "ready", or why not, is written to, as a descriptor number.
const READY_FD: &str = "ABIDE_READY_FD";
/// Set when the last daemons died quickly.
const SAFE_MODE: &str = "ABIDE_SAFE_MODE";
