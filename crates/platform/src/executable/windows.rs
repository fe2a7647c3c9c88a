use std::fs::File;
use std::io::{self, Read};
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::path::{Path, PathBuf};

use super::NotExecutable;

/// A file that can be executed here, open: so long nobody replaces it.
#[derive(Debug)]
pub struct Executable {
    file: File,
    path: PathBuf,
}

impl Executable {
    /// Opens and looks at it; nothing is executed. `path` must be absolute.
    ///
    /// # Errors
    /// [`NotExecutable`].
    pub fn open(path: &Path) -> Result<Self, NotExecutable> {
        let meta = std::fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NotExecutable::Missing,
            _ => NotExecutable::Io(error),
        })?;
        if meta.is_dir() {
            return Err(NotExecutable::NoFile("a directory"));
        }
        let mut file = File::open(path).map_err(NotExecutable::Io)?;
        let mut head = [0; 2];
        let read = file.read(&mut head).map_err(NotExecutable::Io)?;
        // What every program of this system begins with.
        if head.get(..read) != Some(b"MZ") {
            return Err(NotExecutable::Format);
        }
        let path = std::fs::canonicalize(path).map_err(NotExecutable::Io)?;
        Ok(Self { file, path })
    }

    /// Where it lay when it was opened, links followed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Never: only programs are taken.
    #[must_use]
    pub fn is_script(&self) -> bool {
        false
    }

    /// It is the very file that this process runs.
    #[must_use]
    pub fn is_own(&self) -> bool {
        own().is_ok_and(|(own, _)| std::fs::canonicalize(own).is_ok_and(|own| own == self.path))
    }

    /// A name under which a child of this process can execute just this file, for as long as this is open.
    #[must_use]
    pub fn held_path(&self) -> PathBuf {
        self.path.clone()
    }
}

impl AsHandle for Executable {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.file.as_handle()
    }
}

/// The file that this process runs, and whether its name still leads to it: what runs keeps its name here,
/// unless it was renamed.
///
/// # Errors
/// Those of GetModuleFileName.
pub fn own() -> io::Result<(PathBuf, bool)> {
    let path = std::env::current_exe()?;
    let there = path.exists();
    Ok((path, there))
}
