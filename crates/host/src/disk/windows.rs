use std::fs::Metadata;
use std::io;
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

/// Writes a file.
pub(crate) fn replace(path: &Path, text: &[u8], _mode: u32) -> io::Result<()> {
    std::fs::write(path, text)
}
