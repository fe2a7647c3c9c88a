use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use abide_model::EnvironmentSpec;

use super::Found;

/// Splits a line into words as a shell does, except that `#` begins no comment: a command is not a
/// script, and an argument that vanishes is worse than one too many. `None`: a quote is not closed.
pub fn split(line: &str) -> Option<Vec<String>> {
    // NUL was refused before, so it can stand for `#` meanwhile.
    let words = shlex::split(&line.replace('#', "\0"))?;
    Some(
        words
            .into_iter()
            .map(|word| word.replace('\0', "#"))
            .collect(),
    )
}

/// A name with a `/` in it.
pub fn is_path(program: &str) -> bool {
    program.contains('/')
}

/// The unit's own, or the one that it is started with if it sets none.
pub fn search_path(environment: &EnvironmentSpec) -> &str {
    environment
        .get("PATH")
        .unwrap_or(EnvironmentSpec::DEFAULT_PATH)
}

/// The folders of a PATH; `None`: it is not known which.
pub fn folders(path: &str) -> Option<Vec<PathBuf>> {
    let folders = path.split(':').filter(|folder| !folder.is_empty());
    Some(folders.map(PathBuf::from).collect())
}

/// That one.
pub fn files(file: &Path) -> Vec<PathBuf> {
    vec![file.to_owned()]
}

/// What a file is.
pub fn look(file: &Path) -> Found {
    match std::fs::metadata(file) {
        // The unit's user may see it.
        Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => Found::Yes,
        Err(_) => Found::No,
        Ok(data) if data.is_dir() => Found::Directory,
        Ok(data) if data.permissions().mode() & 0o111 == 0 => Found::NotExecutable,
        Ok(_) => Found::Yes,
    }
}

/// Whether it is a socket.
pub fn is_socket(there: &Metadata) -> bool {
    there.file_type().is_socket()
}
