//! The Service Control Manager of Windows, as whoever administers services asks it. Numbers are Windows's own
//! (winsvc.h): what they mean to abide is the caller's business. Errors carry Windows's number for them.
//!
//! Linux has no counterpart in this crate: its managers are spoken to by programs and files.

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{
    Configuration, Recovery, RunState, change, configuration, control, create, delayed, delete,
    dependents, description, non_crash, preshutdown, privileges, recovery, set_delayed,
    set_description, set_non_crash, set_preshutdown, set_privileges, set_recovery, set_sid, sid,
    start, state, wait_for_process,
};
