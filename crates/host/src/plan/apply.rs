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
        fs::create_dir(path).map_err(|e| Error::file("make the directory", path, e))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Link;

    fn tree(root: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![root.to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).expect("a directory").flatten() {
                let path = entry.path();
                let name = path
                    .strip_prefix(root)
                    .expect("below")
                    .display()
                    .to_string();
                let kind = entry.file_type().expect("a type");
                if kind.is_dir() {
                    open.push(path);
                    found.push(format!("{name}/"));
                } else if kind.is_symlink() {
                    let target = fs::read_link(&path).expect("a link");
                    found.push(format!("{name} -> {}", target.display()));
                } else {
                    found.push(format!(
                        "{name}: {}",
                        fs::read_to_string(&path).expect("text")
                    ));
                }
            }
        }
        found.sort();
        found
    }

    fn plan() -> Plan {
        Plan {
            files: vec![File {
                path: "/etc/one".into(),
                text: "new".into(),
                mode: 0o600,
            }],
            links: vec![Link {
                path: "/etc/wants/one".into(),
                target: "../one".into(),
            }],
            removed: vec!["/etc/old".into()],
            directories: vec!["/var/log/one".into()],
            ..Plan::default()
        }
    }

    #[test]
    fn what_was_written_can_be_taken_back() {
        let place = tempfile::tempdir().expect("a directory");
        let root = place.path();
        fs::create_dir(root.join("etc")).expect("mkdir");
        fs::write(root.join("etc/one"), "old").expect("write");
        disk::link(Path::new("elsewhere"), &root.join("etc/old")).expect("link");
        let before = tree(root);
        let applied = plan().write(root).expect("it is written");
        assert_eq!(
            tree(root),
            [
                "etc/",
                "etc/one: new",
                "etc/wants/",
                "etc/wants/one -> ../one",
                "var/",
                "var/log/",
                "var/log/one/",
            ]
        );
        let meta = fs::metadata(root.join("etc/one")).expect("there");
        assert_eq!(disk::mode(&meta), 0o600);
        assert!(applied.take_back().is_empty());
        assert_eq!(tree(root), before);
    }

    #[test]
    fn what_cannot_be_taken_back_is_said() {
        let place = tempfile::tempdir().expect("a directory");
        let root = place.path();
        fs::create_dir(root.join("etc")).expect("mkdir");
        fs::write(root.join("etc/one"), "old").expect("write");
        let applied = plan().write(root).expect("it is written");
        fs::remove_file(root.join("etc/one")).expect("removed");
        fs::create_dir_all(root.join("etc/one/in the way")).expect("mkdir");
        let left = applied.take_back();
        assert_eq!(left.len(), 1);
        assert!(left[0].contains("etc/one: "), "{left:?}");
    }

    #[test]
    fn what_fails_half_way_leaves_nothing() {
        let place = tempfile::tempdir().expect("a directory");
        let root = place.path();
        fs::create_dir(root.join("etc")).expect("mkdir");
        // Where the link's directory should be there is a file.
        fs::write(root.join("etc/wants"), "in the way").expect("write");
        let before = tree(root);
        let Err(error) = plan().write(root) else {
            panic!("it was written");
        };
        assert!(error.to_string().contains("etc/wants"), "{error}");
        assert_eq!(tree(root), before);
    }
}
