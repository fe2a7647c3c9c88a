use std::fs::File;
use std::io::{self, Read};
use std::os::windows::io::AsHandle;
use std::path::Path;
use std::sync::Arc;

use super::End;
use crate::handle::Handle;
use crate::identity::{self, Probe, Record};
use crate::logon::Owner;
use crate::pipe::{Pipe, available, create, is_written_to, writer};
use crate::win32::{put_into, take_out_of};

/// The stream that is the first one of a run; the other one's is the second.
const STANDARD_OUTPUT: &str = "out";

/// What a run is started with: it writes to one end, and holds both.
pub type ForRuns = Output;

/// The pipe of one stream. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Output {
    reader: Arc<Handle>,
    writer: Arc<Handle>,
}

impl Output {
    /// Makes it. It does not lie in a folder, and whose it is does not matter: its ends are handed on.
    ///
    /// # Errors
    /// Those of [`create`].
    pub fn make(_dir: &Path, _name: &str, _owner: Option<&Owner>) -> io::Result<Self> {
        let Pipe { reader, writer } = create()?;
        Ok(Self {
            reader: Arc::new(reader),
            writer: Arc::new(writer),
        })
    }

    /// What of it the program of the unit's last run still has, by the record in `dir`, although nobody else holds
    /// it. Nothing: it has ended, or has closed one of them.
    ///
    /// # Errors
    /// Those of reading the record.
    pub fn left(dir: &Path, name: &str) -> io::Result<Vec<(End, Handle)>> {
        let Some(record) = Record::read(&dir.join("record"))? else {
            return Ok(Vec::new());
        };
        let place = usize::from(name != STANDARD_OUTPUT);
        let Some((reader, writer)) = record.outputs.get(place) else {
            return Ok(Vec::new());
        };
        let Probe::Alive(program) = identity::probe(&record) else {
            return Ok(Vec::new());
        };
        let both = take_out_of(&program, *reader).and_then(|reader| {
            let writer = take_out_of(&program, *writer)?;
            Ok(vec![(End::Reader, reader), (End::Writer, writer)])
        });
        Ok(both.ok().filter(|ends| is_pipe(ends)).unwrap_or_default())
    }

    /// Puts both ends into a program, for [`Self::left`]; the numbers they have there.
    ///
    /// # Errors
    /// Those of DuplicateHandle.
    pub(crate) fn put_into(&self, program: &impl AsHandle) -> io::Result<(u64, u64)> {
        let reader = put_into(program, &*self.reader)?;
        Ok((reader, put_into(program, &*self.writer)?))
    }

    /// Where a program writes to.
    pub(crate) fn for_program(&self) -> &Handle {
        &self.writer
    }

    /// Of the ends that somebody held. `None`: it is not whole.
    #[must_use]
    pub fn of(ends: Vec<(End, Handle)>) -> Option<Self> {
        let (mut reader, mut writer) = (None, None);
        for (end, handle) in ends {
            match end {
                End::Reader => reader = Some(Arc::new(handle)),
                End::Writer => writer = Some(Arc::new(handle)),
            }
        }
        Some(Self {
            reader: reader?,
            writer: writer?,
        })
    }

    /// What is to be held of it.
    pub fn ends(&self) -> impl Iterator<Item = (End, &Handle)> {
        [(End::Reader, &*self.reader), (End::Writer, &*self.writer)].into_iter()
    }

    /// Where output is taken from.
    #[must_use]
    pub fn reader(&self) -> &Arc<Handle> {
        &self.reader
    }

    /// What a run is started with ([`crate::spawn::Order::fifos`]).
    #[must_use]
    pub fn for_runs(&self) -> ForRuns {
        self.clone()
    }

    /// For a command on behalf of the unit.
    ///
    /// # Errors
    /// Those of [`writer`].
    pub fn writer(&self) -> io::Result<Handle> {
        writer(&*self.writer)
    }
}

/// A program that has closed a handle may have something else there.
fn is_pipe(ends: &[(End, Handle)]) -> bool {
    ends.iter().all(|(end, handle)| match end {
        End::Reader => available(handle).is_ok(),
        End::Writer => is_written_to(handle),
    })
}

/// What of a stream's output a program still holds when keeper and daemon died at once: nothing, what was on its
/// way lies in a file.
///
/// # Errors
/// None here.
pub fn left_with(_program: u32, _place: u8) -> io::Result<Option<Handle>> {
    Ok(None)
}

/// There are no stages.
#[must_use]
pub fn lets_stages_be_taken(_process: u32) -> bool {
    false
}

/// Windows has no such limit, and no such signal.
pub fn ignore_file_size_signal() {}

/// Takes what the pipe holds now, at most so many bytes, without waiting for more.
///
/// # Errors
/// Those of PeekNamedPipe and ReadFile.
pub fn take_now(reader: Handle, at_most: usize) -> io::Result<Vec<u8>> {
    let there = match available(&reader) {
        // Nobody has its other end, and nothing is left in it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        other => other?,
    };
    let mut bytes = vec![0; at_most.min(usize::try_from(there).unwrap_or(at_most))];
    File::from(reader).read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use abide_model::{RunId, UnitId};

    use super::*;

    #[test]
    fn what_nobody_else_holds_is_had_from_the_program_as_long_as_that_lives() {
        let place = tempfile::tempdir().expect("a directory");
        // Waits for its standard input, and ends when that does.
        let mut program = Command::new("cmd.exe")
            .args(["/d", "/c", "set /p x="])
            .stdin(Stdio::piped())
            .spawn()
            .expect("it starts");
        let process = identity::Handle::open(program.id()).expect("it lives");
        let outputs = ["out", "err"].map(|name| {
            let output = Output::make(place.path(), name, None).expect("made");
            let mut writer = File::from(output.writer().expect("a writer"));
            writer.write_all(name.as_bytes()).expect("written");
            output.put_into(&program).expect("put there")
        });
        let path = place.path().join("record");
        let (unit, run) = (UnitId(1), RunId(1));
        Record::write(&path, unit, run, &process.identity(), 0, &outputs).expect("written");
        for name in ["out", "err"] {
            let left = Output::left(place.path(), name).expect("looked for");
            let output = Output::of(left).expect("it is whole");
            let reader = output.reader().try_clone().expect("a duplicate");
            assert_eq!(take_now(reader, 100).expect("taken"), name.as_bytes());
        }
        // Something else by now.
        let swapped = outputs.map(|(reader, writer)| (writer, reader));
        Record::write(&path, unit, run, &process.identity(), 0, &swapped).expect("written");
        assert_eq!(
            Output::left(place.path(), "out").expect("looked for").len(),
            0
        );
        drop(program.stdin.take());
        program.wait().expect("it ends");
        Record::write(&path, unit, run, &process.identity(), 0, &outputs).expect("written");
        assert_eq!(
            Output::left(place.path(), "out").expect("looked for").len(),
            0
        );
    }
}
