//! What is known of services of other machines, on the disk of the home.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::machine::{MAX_REMOTES, Saved};

/// Larger than all that is ever written: names, hosts and numbers of [`MAX_REMOTES`].
const MAX_FILE: u64 = MAX_REMOTES as u64 * 1024;

/// The whole file. Fields are only ever added.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    remotes: Vec<Saved>,
}

/// What was written; nothing if there is no file.
///
/// # Errors
/// It cannot be read or understood.
pub fn read(path: &Path) -> io::Result<Vec<Saved>> {
    let length = match std::fs::metadata(path) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    if length > MAX_FILE {
        return Err(io::Error::other(format!("it has {length} bytes")));
    }
    let content: Content = serde_json::from_slice(&std::fs::read(path)?)?;
    Ok(content.remotes)
}

/// Replaces the file in one step; without anything to write it goes away.
///
/// # Errors
/// The disk takes nothing.
pub fn write(path: &Path, remotes: Vec<Saved>) -> io::Result<()> {
    if remotes.is_empty() {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let text = serde_json::to_vec(&Content { remotes })?;
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, text)?;
    abide_platform::file::replace(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 0.1.0 writes it.
    const WRITTEN: &str = r#"{"remotes":[{"service":"web","host":"a","at":1767225600000000000,"drift_ms":-3,"state":"running","state_since":1767225500000000000,"desired":"up","health":"healthy","ready":true,"restarts":2,"pid":7,"silent":true}]}"#;

    #[test]
    fn what_was_written_is_read_back_also_from_earlier_versions() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("remotes.json");
        assert!(read(&path).expect("nothing").is_empty());
        std::fs::write(&path, WRITTEN).expect("write");
        let saved = read(&path).expect("read");
        assert_eq!(saved[0].key.to_string(), "a/web");
        assert!(saved[0].silent && saved[0].said.restarts == 2);
        write(&path, saved.clone()).expect("write");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), WRITTEN);
        assert_eq!(read(&path).expect("read"), saved);
        std::fs::write(&path, "{").expect("write");
        assert!(read(&path).is_err());
        write(&path, Vec::new()).expect("removed");
        assert!(!path.exists());
    }
}
