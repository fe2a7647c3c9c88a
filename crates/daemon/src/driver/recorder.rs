//! Writing down what goes into the core and what comes out, so that a real run can be replayed into
//! it (`abide_core::recording::replay`): on when `ABIDE_RECORD` names a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use abide_core::recording::Line;

/// A recording under way: one JSON line each. Each daemon writes a file of its own: the name has the
/// daemon's process id after it, since a recording is of one supervisor.
///
/// For finding faults: it writes from the driver, which otherwise never touches a disk.
pub struct Recorder {
    file: BufWriter<File>,
}

impl Recorder {
    /// Begins a recording, if the environment asks for one.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn from_environment() -> io::Result<Option<Self>> {
        let Some(mut path) = std::env::var_os("ABIDE_RECORD") else {
            return Ok(None);
        };
        path.push(format!(".{}", std::process::id()));
        let file = BufWriter::new(File::create(&path)?);
        Ok(Some(Self { file }))
    }

    /// Adds a line. One that the daemon's death cuts short is the last, and is to be left out.
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
