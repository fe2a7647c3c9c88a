//! Keeping in the foreground: for a person, or for whatever manager of services started this process.
//!
//! On Linux that is the keeper and nothing else: what a manager is told the daemon says to its socket. On Windows the
//! keeper's process is the service of the Service Control Manager, if that started it:
//!
//! ```text
//!   SCM ── controls ──► threads of this process ── ask ──► the keeper, on the first thread ──► daemon
//!    ▲                          ▲                                                                │
//!    ╰──────── status ──────────┴────────────── a pipe, with the words of sd_notify(3) ◄─────────╯
//! ```

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::Manager;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::Manager;
