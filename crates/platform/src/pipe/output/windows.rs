use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::End;
use crate::handle::Handle;
use crate::pipe::{Pipe, available, create, writer};

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
    pub fn make(_dir: &Path, _name: &str, _owner: Option<(u32, u32)>) -> io::Result<Self> {
        let Pipe { reader, writer } = create()?;
        Ok(Self {
            reader: Arc::new(reader),
            writer: Arc::new(writer),
        })
    }

    /// What of it lies in a folder although nobody holds it: nothing.
    ///
    /// # Errors
    /// None here.
    pub fn left(_dir: &Path, _name: &str) -> io::Result<Vec<(End, Handle)>> {
        Ok(Vec::new())
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
    pub fn for_runs(&self) -> &Arc<Handle> {
        &self.writer
    }

    /// For a command on behalf of the unit.
    ///
    /// # Errors
    /// Those of [`writer`].
    pub fn writer(&self) -> io::Result<Handle> {
        writer(&*self.writer)
    }
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
