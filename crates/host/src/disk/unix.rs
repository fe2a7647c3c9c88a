use std::fs::{Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;

/// The permissions of a file.
pub(crate) fn mode(meta: &Metadata) -> u32 {
    meta.permissions().mode() & 0o7777
}

/// Whether somebody may execute it.
pub(crate) fn executable(meta: &Metadata) -> bool {
    mode(meta) & 0o111 != 0
}

/// Whether this process could remove it.
pub(crate) fn may_remove(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    Ok(rustix::fs::access(parent, rustix::fs::Access::WRITE_OK)?)
}

/// Somebody has this FIFO open for reading.
pub(crate) fn has_reader(fifo: &Path) -> bool {
    use rustix::fs::{Mode, OFlags, open};
    // Without a reader this fails with ENXIO (fifo(7)).
    open(
        fifo,
        OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .is_ok()
}

/// Makes a folder.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

/// Makes a link.
pub(crate) fn link(target: &Path, path: &Path) -> io::Result<()> {
    symlink(target, path)
}

/// Writes a file so that there is always one of the two, whole, also after a loss of power.
pub(crate) fn replace(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Managers leave names that begin with a dot alone.
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        file.write_all(text)?;
        // The umask took bits away.
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().inspect_err(|_| {
        // Perhaps it was never made.
        let _ = std::fs::remove_file(&beside);
    })
}
