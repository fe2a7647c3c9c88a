//! The driver: the one task that owns the core.
//!
//! ```text
//!  keeper: exits ─────┐                              ┌──► spawn workers, sweeper, probes
//!  timer, signals ────┤   Input        Effect        ├──► store (journal), events
//!  API: requests ─────┼─────────► core ─────────────►┼──► capture, keeper (descriptors)
//!  workers, store, … ─┘  (poll)                      └──► board (what everybody reads), replies
//! ```
//!
//! It translates and decides nothing. It waits in one place ([`abide_platform::poll`]), and never for a disk, a
//! network, a client or a child: what could block is a job of another thread, whose answer comes
//! back through the [`inbox`].

mod adopt;
mod apply;
mod attend;
mod beats;
mod doors;
mod ending;
mod find;
mod hosting;
mod inbox;
mod input;
mod job;
mod keep;
mod leave;
mod main_process;
mod notify;
mod perform;
mod prepare;
mod publish;
mod ready;
mod recorder;
mod recovery;
mod request;
mod room;
mod run;
mod sockets;
mod start;
mod strangers;
mod streams;
mod system_logs;
mod take_back;
mod tidying;
mod unit;
mod upgrade;
mod versions;
mod watches;
mod write_out;

pub use run::{Daemon, Ended, REQUEST_RELOAD, REQUEST_RESTART};
pub use start::{Options, StartError, Started};
