//! Writing down what goes into the core and what comes out, so that a real run can be replayed into
//! it (`abide_core::recording::replay`): on when `ABIDE_RECORD` names a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use abide_core::recording::Line;

/// A recording under way: one JSON line each. Daemons of one home append to one file; each begins
/// with the line of its supervisor's beginning.
///
/// For finding faults: it writes from the driver, which otherwise never touches a disk.
pub struct Recorder {
    file: BufWriter<File>,
}

impl Recorder {
    /// Begins a recording, if the environment asks for one.
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub fn from_environment() -> io::Result<Option<Self>> {
        let Some(path) = std::env::var_os("ABIDE_RECORD") else {
            return Ok(None);
        };
        let file = File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        // The daemon before may have died in the middle of a line.
        let mut last = *b"\n";
        let length = file.metadata()?.len();
        if length > 0 {
            abide_log::disk::read_exact_at(&file, &mut last, length - 1)?;
        }
        let mut file = BufWriter::new(file);
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
        Ok(Some(Self { file }))
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
