//! ```text
//!   keeper ──line (message pipe)── daemon ──makes──► runs
//!     │ holds, by Key: process and job of each run, pipe ends, whatever else it is given
//!     └ waits for: its daemon's end, a message, the next start
//! ```
//!
//! A handle passes from one process to the other in two steps: whoever has it puts a duplicate into the
//! other process, which both have the right to, and then tells its number there in a frame. So what was
//! told is held, whatever becomes of the teller; one that dies between the two steps leaves a number that
//! nobody knows, until that process ends.
//!
//! There is nothing to reap: how a process ended can be read as long as somebody has a handle to it, and
//! the keeper has one of each run, from before its first instruction until [`Link::taken`]. So the table of
//! runs is made of the handles when a daemon asks for it, and [`super::KeeperEvent::Exit`] is never told:
//! a daemon waits for the processes itself, by [`crate::identity::Handle`] ([`main_process`]).
//!
//! Nothing else is half done when a daemon dies: a run's process dies with its job until the keeper has it
//! ([`crate::spawn`]).

mod asked;
mod channel;
mod handles;
mod hold;
pub(crate) mod kept;
mod link;
mod process;
mod start;
mod successor;

pub use asked::{ask, happened};
pub use kept::main_process;
pub use link::{KeeperSocket, Link, tell_starter};
pub use start::{Kept, Starting, be_keeper, become_keeper, enter, hand_over, start_detached};
pub use successor::Successor;

/// The first argument of a keeper; then home, number of the starter's pipe, number of a handing-over
/// daemon's line (`-`: none), and the daemon's arguments.
const KEEPER: &str = "__keeper";

/// The daemon's end of the line, as the number of a handle.
const KEEPER_FD: &str = "ABIDE_KEEPER_FD";
/// The keeper's process, with the right to put handles into it, as the number of a handle.
const KEEPER_PROCESS: &str = "ABIDE_KEEPER_PROCESS";
/// Where "ready", or why not, is written to, as the number of a handle.
const READY_FD: &str = "ABIDE_READY_FD";
/// Set for a daemon that is to take over from another one.
const SUCCESSOR: &str = "ABIDE_SUCCESSOR";
/// Set when the last daemons died quickly.
const SAFE_MODE: &str = "ABIDE_SAFE_MODE";
