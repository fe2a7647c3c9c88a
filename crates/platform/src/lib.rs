//! Everything that guarding asks of an operating system: start a program and know how it ended, hold
//! what must not vanish, find and end every process of a run, measure it.
//!
//! One capability a folder; in it one file (or folder) an operating system, the same item names in
//! each, `cfg` only in the parent `mod.rs`. What a system cannot do is answered with a reason,
//! never with a pretended success.
//!
//! Architecture invariant: nothing here decides. When to start, stop or restart is the core's business.

pub mod absent;
pub mod access;
pub mod account;
pub mod clock;
pub mod control;
pub mod event_log;
pub mod executable;
pub mod exit;
pub mod fault;
pub mod file;
pub mod handle;
pub mod identity;
pub mod keeper;
pub mod limits;
pub mod listen;
pub mod lock;
pub mod logon;
pub mod machine;
pub mod memory;
pub mod naming;
pub mod notify;
pub mod pipe;
pub mod poll;
pub mod private;
pub mod random;
pub mod readiness;
pub mod registry;
pub mod service_control;
pub mod service_manager;
pub mod signals;
pub mod spawn;
pub mod stop;
pub mod terminal;
pub mod text;
pub mod timer;
pub mod tree;
pub mod usage;

#[cfg(unix)]
mod kernel_file;
#[cfg(windows)]
mod win32;

pub use handle::{Borrowed, Handle, Lend};
