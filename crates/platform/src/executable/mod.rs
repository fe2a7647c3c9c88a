//! The file that a process runs, and one that it is to be replaced by: held open, so that what was looked
//! at is what is executed, whatever becomes of its name.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{Executable, own};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{Executable, of_process, own};
#[cfg(windows)]
pub(crate) use windows::{hold, note_own, path_of};

use std::path::PathBuf;

/// Why a file cannot be executed in place of ours. Reads after "cannot upgrade to PATH: it".
#[derive(Debug, thiserror::Error)]
pub enum NotExecutable {
    /// There is none of this name.
    #[error("is not there")]
    Missing,
    /// It cannot be reached.
    #[error("cannot be opened: {}", crate::exit::errno_text(.0.raw_os_error().unwrap_or(0)))]
    Io(std::io::Error),
    /// Something else has the name.
    #[error("is {0}, not a program")]
    NoFile(&'static str),
    /// Nobody may execute it.
    #[error("is not executable; `chmod +x {path}`", path = .0.display())]
    Mode(PathBuf),
    /// It belongs to another kind of machine.
    #[error("is built for another kind of machine ({theirs}; this one is {ours})")]
    Machine {
        /// What it is built for.
        theirs: String,
        /// What this process is built for.
        ours: &'static str,
    },
    /// It has no form that this system executes.
    #[error("is neither a program of this system nor a script")]
    Format,
}
