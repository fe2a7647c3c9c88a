//! One daemon a home, and never before the last one's half-spawned children are through.
//!
//! The lock is a `flock` on a close-on-exec descriptor. A child that has been cloned and has not yet
//! executed its program still holds it, so that a new daemon cannot begin until each of those has
//! executed or died and all their records are written. (A POSIX lock would not do: it belongs to the
//! process and is not inherited.)
//!
//! On Windows nothing is inherited: a program that was about to be started dies with its job instead.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::acquire_keeper;
#[cfg(target_os = "linux")]
pub use linux::{Lock, acquire, holder, keeper};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::acquire_keeper;
#[cfg(windows)]
pub use windows::{Lock, acquire, holder, keeper};

use std::path::PathBuf;

/// Why a home could not be locked. Reads after "cannot".
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another live daemon has it.
    #[error(
        "use the home {home}: process {pid} already serves it; \
         use another --home, or end that one with `abide down --home {home}`", home = .home.display()
    )]
    Held {
        /// The home.
        home: PathBuf,
        /// The daemon that has it.
        pid: u32,
    },
    /// A child of a daemon that is gone has not executed its program in all the time given.
    #[error(
        "use the home {home}: a program that the last daemon was starting has not been executed yet \
         (a directory or file of it may be on a disk that hangs); wait or end that process", home = .home.display()
    )]
    Busy {
        /// The home.
        home: PathBuf,
    },
    /// The file could not be opened or locked.
    #[error("lock {path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
