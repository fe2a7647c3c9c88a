use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Up to as many bytes as there is room for; 0 at the end and beyond it.
pub fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(bytes, offset)
}

/// Fills `bytes`, or fails with `UnexpectedEof`.
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(bytes, offset)
}

/// Writes all of `bytes`.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Makes a directory (mode 0700), and those above it.
pub fn make_private_directory(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// A file that is made this way has mode 0600.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Whether the file has no name left, be there another one of its name or not.
pub fn is_removed(file: &File, _: &Path) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}

/// Opens a file for `sync_data`.
pub fn to_sync(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Writes a directory's names through to the disk.
pub fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Removes a file's name; who holds it open goes on reading.
pub fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

/// Nothing is ever left by [`remove`].
pub fn remove_left(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use abide_model::{LogSpec, Wall};

    use super::write_all_at;
    use crate::{Stream, Writer};

    /// Elsewhere a directory in which somebody has a file open cannot be removed.
    #[test]
    fn a_removed_directory_is_made_again_and_no_number_used_twice() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().join("logs");
        let mut writer = Writer::open(&dir, Stream::Out, 0, Wall(1)).expect("opened");
        std::fs::remove_dir_all(&dir).expect("removed");
        let rotated = writer.prepare(&LogSpec::default(), Wall(2));
        assert!(rotated.expect("prepared"));
        write_all_at(writer.file(), b"f", writer.offset()).expect("written");
        assert_eq!(
            std::fs::read(dir.join("out.00000002.log")).expect("read"),
            b"f"
        );
    }
}
