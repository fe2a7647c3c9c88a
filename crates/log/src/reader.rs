//! Reading several units' lines in the order of their times.

use std::path::PathBuf;

use abide_model::UnitName;

use crate::{Line, Query, Source};

/// A line and whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The unit that wrote it.
    pub unit: UnitName,
    /// What it wrote.
    pub line: Line,
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("read {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A compressed segment is not what it was when it was written.
    #[error("read {path}: it is damaged ({reason}); the other segments can still be read")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The lines of one or several units, merged by time. Reads files: use it on a thread that may block.
pub struct Reader {
    query: Query,
    sources: Vec<Source>,
}

impl Reader {
    /// Prepares the reading; with `query.last` it finds the place to begin at.
    ///
    /// # Errors
    /// A file or directory is there and cannot be read.
    pub fn open(sources: Vec<Source>, query: Query) -> Result<Self, ReadError> {
        Ok(Self { query, sources })
    }

    /// One unit more, from its end on; for units that appear while their logs are followed.
    pub fn add(&mut self, source: Source) {
        self.sources.push(source);
    }

    /// The next line. `None`: there is none now; when following, ask again after something was written.
    ///
    /// # Errors
    /// A segment cannot be read; the next call goes on after it.
    pub fn next_line(&mut self) -> Result<Option<Record>, ReadError> {
        let path = self
            .sources
            .first()
            .map(|s| s.dir.clone())
            .unwrap_or_default();
        let _ = &self.query;
        Err(ReadError::Io {
            path,
            source: std::io::Error::other("not built yet"),
        })
    }
}
