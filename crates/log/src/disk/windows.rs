use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What the name of a file ends in that is removed and still open somewhere.
const GONE: &str = ".gone";

/// The right that FlushFileBuffers asks for.
const GENERIC_WRITE: u32 = 0x4000_0000;

/// Up to as many bytes as there is room for; 0 at the end and beyond it.
///
/// This moves the file's cursor, as nothing of ours looks at that.
pub fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(bytes, offset)
}

/// Fills `bytes`, or fails with `UnexpectedEof`.
pub fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_read(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                bytes = &mut bytes[n..];
                offset += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `bytes`.
pub fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = &bytes[n..];
                offset += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes a directory, and those above it. Who may read it is inherited from the home's own list.
pub fn make_private_directory(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)
}

/// Who may read a new file is inherited from its directory.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Whether the file has lost its name. A handle alone does not tell: one that waits for its last handle
/// to be closed still counts its link, but nobody can open it by name any more.
pub fn is_removed(_: &File, path: &Path) -> io::Result<bool> {
    Ok(!path.exists())
}

/// Opens a file for `sync_data`, which is refused to those who may only read.
pub fn to_sync(path: &Path) -> io::Result<File> {
    OpenOptions::new().access_mode(GENERIC_WRITE).open(path)
}

/// NTFS writes a file's name through together with the file ([`to_sync`]); a directory cannot be flushed
/// by itself.
pub fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes a file's name at once, also while readers hold it open: those go on reading.
///
/// A file that is open may be renamed (all who open it share that right) but its own name, once it is
/// removed, would be in the way until the last of them has closed it.
pub fn remove(path: &Path) -> io::Result<()> {
    let mut gone = path.as_os_str().to_owned();
    gone.push(GONE);
    let gone = PathBuf::from(gone);
    match std::fs::rename(path, &gone) {
        // Whoever does not share the right (a virus scanner, for a moment) is in the way of both.
        Err(_) => std::fs::remove_file(path),
        Ok(()) => {
            // If it does not go now it does so with the next tidying.
            let _ = std::fs::remove_file(&gone);
            Ok(())
        }
    }
}

/// Removes what [`remove`] had to leave.
pub fn remove_left(dir: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if name.to_str().is_some_and(|name| name.ends_with(GONE)) {
            // Still open: next time.
            let _ = std::fs::remove_file(dir.join(name));
        }
    }
    Ok(())
}
