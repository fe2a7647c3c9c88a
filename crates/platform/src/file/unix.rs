use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::fstat;

use crate::handle::Handle;

/// Tells a file from another one that has taken its name.
#[must_use]
pub fn number(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Both are of one file.
#[must_use]
pub fn is_same(one: &Handle, other: &Handle) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

/// Gives a file the name of another one, whose readers go on with what they have opened (rename(2)).
///
/// # Errors
/// Those of the call; then both are as they were.
pub fn replace(new: &Path, name: &Path) -> io::Result<()> {
    std::fs::rename(new, name)
}
