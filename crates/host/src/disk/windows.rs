use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::path::Path;

/// There are no modes here.
pub(crate) fn mode(_meta: &Metadata) -> u32 {
    0o755
}

/// What may be executed is told by the name.
pub(crate) fn executable(_meta: &Metadata) -> bool {
    true
}

/// Told by the attempt.
pub(crate) fn may_remove(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// There are no FIFOs here.
pub(crate) fn has_reader(_fifo: &Path) -> bool {
    false
}

/// No manager of Windows has services by links.
pub(crate) fn link(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a folder that only administrators and the system may look into and write to.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    abide_platform::private::create_machine_directory(path)
}

/// Writes a file so that there is always one of the two, whole. Who may read it follows from its folder.
pub(crate) fn replace(path: &Path, text: &[u8], _mode: u32) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = File::create_new(&beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        drop(file);
        abide_platform::file::replace(&beside, path)
    };
    write().inspect_err(|_| {
        // Perhaps it was never made.
        let _ = std::fs::remove_file(&beside);
    })
}
