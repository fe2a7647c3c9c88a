//! Files with modes, and links.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{create_directory, executable, has_reader, link, may_remove, mode, replace};

#[cfg(not(unix))]
mod windows;
#[cfg(not(unix))]
pub(crate) use windows::{
    create_directory, executable, has_reader, link, may_remove, mode, replace,
};

use std::fs;
use std::io;
use std::path::Path;

/// Removes a file or a link.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
