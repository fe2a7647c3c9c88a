//! What a daemon that yields leaves to the one after it, whichever that turns out to be: `state/upgrade.json`.
//! It is no part of the state: without it an event is missing, and nothing else.

use std::io;
use std::path::{Path, PathBuf};

use abide_model::{Operation, Wall};
use serde::{Deserialize, Serialize};

/// See the module. Fields are only ever added, each with a serde default.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Note {
    /// The version that yields.
    pub from: String,
    /// The version that it yields to.
    pub to: String,
    /// The file of that one.
    pub executable: PathBuf,
    /// Since when nothing is decided.
    pub since: Wall,
    /// Operations that have ended, so that who waits for one hears how.
    #[serde(default)]
    pub ended: Vec<Operation>,
}

impl Note {
    /// Leaves it.
    ///
    /// # Errors
    /// Those of writing a file.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let temporary = path.with_extension("new");
        std::fs::write(&temporary, serde_json::to_vec(self)?)?;
        abide_platform::file::replace(&temporary, path)
    }

    /// Finds it. `None`: there is none, or none that can be read.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read(path).ok()?;
        match serde_json::from_slice(&text) {
            Ok(note) => Some(note),
            Err(error) => {
                tracing::warn!(%error, "the note of an upgrade is not understood");
                None
            }
        }
    }
}
