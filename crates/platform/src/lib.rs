//! Everything that guarding asks of an operating system: start a program and know how it ended, hold
//! what must not vanish, find and end every process of a run, measure it.
//!
//! One capability a folder; in it one file (or folder) an operating system, the same item names in
//! each, `cfg` only in the parent `mod.rs`. What a system cannot do is answered with a reason,
//! never with a pretended success.
//!
//! Architecture invariant: nothing here decides. When to start, stop or restart is the core's business.

pub mod clock;
pub mod executable;
pub mod exit;
pub mod fault;
pub mod identity;
pub mod keeper;
mod kernel_file;
pub mod limits;
pub mod listen;
pub mod lock;
pub mod memory;
pub mod notify;
pub mod pipe;
pub mod signals;
pub mod spawn;
pub mod timer;
pub mod tree;
pub mod usage;
