use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::process::geteuid;

use super::refused;

/// Makes a folder, and those above it, for this user alone (0700). One that is there stays as it is.
///
/// # Errors
/// Those of mkdir(2).
pub fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Refuses a folder that somebody else owns, or that others may write to.
///
/// # Errors
/// Why, after "cannot", and the way out.
pub fn check_directory(path: &Path) -> io::Result<()> {
    let meta = std::fs::metadata(path)?;
    let me = geteuid().as_raw();
    if meta.uid() != me {
        let owner = meta.uid();
        let why =
            format!("it belongs to user {owner}, and this is user {me}; choose another --home");
        return Err(refused(path, &why));
    }
    if meta.permissions().mode() & 0o022 != 0 {
        return Err(refused(
            path,
            "others may write to it; `chmod go-w` it or choose another --home",
        ));
    }
    Ok(())
}

/// A new file that only this user may read (0600).
///
/// # Errors
/// Those of open(2); `AlreadyExists` if there is one.
pub fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Makes a file readable by its owner alone.
///
/// # Errors
/// Those of fchmod(2).
pub fn restrict_file(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o600))
}
