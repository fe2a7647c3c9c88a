//! Writing down what goes into the core and what comes out, so that a real run can be replayed into
//! it: on when `ABIDE_RECORD` names a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use abide_core::recording::Line;

/// A recording under way. For finding faults: it writes from the driver, which otherwise never does.
pub struct Recorder {
    file: BufWriter<File>,
}

impl Recorder {
    /// Begins a recording, if the environment asks for one. Each daemon appends to the file; its
    /// first line says with what it began.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn from_environment() -> io::Result<Option<Self>> {
        let Some(path) = std::env::var_os("ABIDE_RECORD") else { return Ok(None) };
        let file = File::options().create(true).append(true).open(&path).map_err(|e| {
            io::Error::new(e.kind(), format!("open {} (ABIDE_RECORD): {e}", path.display()))
        })?;
        Ok(Some(Self { file: BufWriter::new(file) }))
    }

    /// Adds a line.
    pub fn write(&mut self, line: &Line) {
        let written = serde_json::to_writer(&mut self.file, line)
            .map_err(io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"))
            .and_then(|()| self.file.flush());
        if let Err(error) = written {
            tracing::error!(%error, "cannot write the recording");
        }
    }
}
