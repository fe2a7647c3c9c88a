mod hold;
mod inherited;
mod link;
mod socket;
mod start;
mod successor;

use std::io;

use abide_model::{RunId, UnitId};

use crate::identity::Handle;

pub use link::{KeeperSocket, Link, tell_starter};
pub use start::{Starting, become_keeper, enter, hand_over, start_detached};
pub use successor::Successor;

/// The first argument of a keeper; then home, number of the starter's pipe, number of a handing-over
/// daemon's socket (`-`: none), and the daemon's arguments.
const KEEPER: &std::ffi::CStr = c"__keeper";

/// The daemon's end of the socket, as a descriptor number.
const KEEPER_FD: &str = "ABIDE_KEEPER_FD";
/// Where "ready", or why not, is written to, as a descriptor number.
const READY_FD: &str = "ABIDE_READY_FD";
/// Set when the last daemons died quickly.
const SAFE_MODE: &str = "ABIDE_SAFE_MODE";
/// Set for a daemon that is to take over from another one.
const SUCCESSOR: &str = "ABIDE_SUCCESSOR";
/// The table that a keeper left to the file that it executed, as a descriptor number.
const TABLE_FD: &str = "ABIDE_TABLE_FD";

/// The main process of a run, where the keeper holds it so that a daemon can ask it how it ended: not here, where
/// the keeper reaps it and tells.
///
/// # Errors
/// None here.
pub fn main_process(_unit: UnitId, _run: RunId) -> io::Result<Option<Handle>> {
    Ok(None)
}
