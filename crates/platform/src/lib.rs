//! Everything that guarding asks of an operating system: start a program and know how it ended, hold
//! what must not vanish, find and end every process of a run, measure it.
//!
//! One capability a folder; in it one file (or folder) an operating system, the same item names in
//! each, `cfg` only in the parent `mod.rs`. What a system cannot do is answered with a reason,
//! never with a pretended success.
//!
//! Architecture invariant: nothing here decides. When to start, stop or restart is the core's business.

pub mod account;
pub mod clock;
pub mod control;
pub mod exit;
pub mod fault;
pub mod handle;
pub mod identity;
pub mod keeper;
pub mod limits;
pub mod lock;
pub mod naming;
pub mod notify;
pub mod pipe;
pub mod private;
pub mod random;
pub mod spawn;
pub mod terminal;
pub mod timer;
pub mod tree;
pub mod usage;

// There by the nature of Unix, or not there on Windows yet: docs/decisions/0029 has their counterparts.
#[cfg(unix)]
pub mod executable;
#[cfg(unix)]
mod kernel_file;
#[cfg(unix)]
pub mod listen;
#[cfg(unix)]
pub mod memory;
#[cfg(unix)]
pub mod signals;

pub use handle::{Borrowed, Handle, Lend};

#[cfg(windows)]
pub mod stop;
#[cfg(windows)]
mod win32;
