//! Folders and files that belong to one user: whoever can write to a home can make its daemon run anything.
//!
//! On Linux by mode bits. On Windows by an access list with the owner, the administrators and the system,
//! which what is made in the folder inherits.

use std::io;
use std::path::Path;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{check_directory, create_directory, create_file, restrict_file};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{Descriptor, Owned, may_add, owner_of, who_may_read};
#[cfg(windows)]
pub use windows::{check_directory, create_directory, create_file, restrict_file};
#[cfg(windows)]
pub use windows::{check_directory_for, create_machine_directory, give_to_machine};

/// A refusal that reads after "cannot".
fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::other(format!("use {}: {why}", path.display()))
}
