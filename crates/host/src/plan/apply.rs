//! Writing what a plan says, so that it can be taken back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{File, Plan};
use crate::Error;
use crate::disk;

/// What was there before.
enum Before {
    /// Nothing.
    Nothing,
    /// A file, with its mode.
    File(Vec<u8>, u32),
    /// A link.
    Link(PathBuf),
}

/// A plan that was written, and everything that it replaced, in the order in which that was done.
pub(crate) struct Applied {
    undo: Vec<(PathBuf, Before)>,
    made: Vec<PathBuf>,
}

/// `path` below `root`.
pub(crate) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

impl Plan {
    /// Writes files and links below `root`. What was written is taken back if not all could be.
    pub(crate) fn write(&self, root: &Path) -> Result<Applied, Error> {
        let mut applied = Applied {
            undo: Vec::new(),
            made: Vec::new(),
        };
        match applied.write(self, root) {
            Ok(()) => Ok(applied),
            Err(error) => Err(error.half_done(applied.take_back())),
        }
    }
}

impl Applied {
    fn write(&mut self, plan: &Plan, root: &Path) -> Result<(), Error> {
        for directory in &plan.directories {
            self.directory(&below(root, directory))?;
        }
        for file in &plan.files {
            self.file(&below(root, &file.path), file)?;
        }
        for link in &plan.links {
            let path = below(root, &link.path);
            self.remember(&path)?;
            self.parent(&path)?;
            disk::remove_if_there(&path).map_err(|e| Error::file("replace", &path, e))?;
            disk::link(&link.target, &path).map_err(|e| Error::file("make the link", &path, e))?;
        }
        for path in &plan.removed {
            let path = below(root, path);
            self.remember(&path)?;
            disk::remove_if_there(&path).map_err(|e| Error::file("remove", &path, e))?;
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, file: &File) -> Result<(), Error> {
        self.remember(path)?;
        self.parent(path)?;
        disk::replace(path, file.text.as_bytes(), file.mode)
            .map_err(|e| Error::file("write", path, e))
    }

    fn remember(&mut self, path: &Path) -> Result<(), Error> {
        let read = |e| Error::file("read", path, e);
        let before = match fs::symlink_metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Before::Nothing,
            Err(e) => return Err(read(e)),
            Ok(meta) if meta.is_symlink() => Before::Link(fs::read_link(path).map_err(read)?),
            Ok(meta) => Before::File(fs::read(path).map_err(read)?, disk::mode(&meta)),
        };
        self.undo.push((path.to_owned(), before));
        Ok(())
    }

    fn parent(&mut self, path: &Path) -> Result<(), Error> {
        match path.parent() {
            Some(parent) => self.directory(parent),
            None => Ok(()),
        }
    }

    /// Makes a directory and those above it, and remembers which it made.
    fn directory(&mut self, path: &Path) -> Result<(), Error> {
        if path.is_dir() {
            return Ok(());
        }
        self.parent(path)?;
        disk::create_directory(path).map_err(|e| Error::file("make the directory", path, e))?;
        self.made.push(path.to_owned());
        Ok(())
    }

    /// Makes everything as it was. Returns what could not be, and why.
    pub(crate) fn take_back(self) -> Vec<String> {
        let mut left = Vec::new();
        for (path, before) in self.undo.into_iter().rev() {
            let done = match before {
                Before::Nothing => disk::remove_if_there(&path),
                Before::File(text, mode) => disk::replace(&path, &text, mode),
                Before::Link(target) => {
                    disk::remove_if_there(&path).and_then(|()| disk::link(&target, &path))
                }
            };
            if let Err(error) = done {
                left.push(format!("{}: {error}", path.display()));
            }
        }
        for directory in self.made.iter().rev() {
            match fs::remove_dir(directory) {
                // Somebody else has put something there meanwhile, or what is in it could not be removed.
                Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                Err(error) => left.push(format!("{}: {error}", directory.display())),
                Ok(()) => {}
            }
        }
        left
    }
}
