use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{OFlags, fcntl_setfl};

use super::End;
use crate::handle::Handle;
use crate::logon::Owner;
use crate::pipe::{available, create_fifo, hold, stage_of, stage_reopened, writer};

/// What a run is started with: it opens ends of its own.
pub type ForRuns = Arc<Handle>;

/// The pipe of one stream. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Output {
    fifo: Arc<Handle>,
}

impl Output {
    /// Makes it in `dir`, or puts one right that lies there. `owner` is the unit's user and group. May block.
    ///
    /// # Errors
    /// Those of [`create_fifo`] and [`hold`].
    pub fn make(dir: &Path, name: &str, owner: Option<&Owner>) -> io::Result<Self> {
        let path = dir.join(name);
        create_fifo(&path, owner.copied())?;
        let fifo = Arc::new(hold(&path)?);
        Ok(Self { fifo })
    }

    /// What of it lies in `dir` although nobody holds it, where somebody may still be writing to it.
    ///
    /// # Errors
    /// Those of [`hold`]. That there is none is no error.
    pub fn left(dir: &Path, name: &str) -> io::Result<Vec<(End, Handle)>> {
        match hold(&dir.join(name)) {
            Ok(fifo) => Ok(vec![(End::Reader, fifo)]),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Of the ends that somebody held. `None`: it is not whole.
    #[must_use]
    pub fn of(ends: Vec<(End, Handle)>) -> Option<Self> {
        let mut readers = ends.into_iter().filter(|(end, _)| *end == End::Reader);
        let (_, fifo) = readers.next()?;
        let fifo = Arc::new(fifo);
        Some(Self { fifo })
    }

    /// What is to be held of it.
    pub fn ends(&self) -> impl Iterator<Item = (End, &Handle)> {
        std::iter::once((End::Reader, &*self.fifo))
    }

    /// Where output is taken from.
    #[must_use]
    pub fn reader(&self) -> &Arc<Handle> {
        &self.fifo
    }

    /// What a run is started with ([`crate::spawn::Order::fifos`]).
    #[must_use]
    pub fn for_runs(&self) -> ForRuns {
        Arc::clone(&self.fifo)
    }

    /// For a command on behalf of the unit.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn writer(&self) -> io::Result<Handle> {
        writer(self.fifo.as_fd())
    }
}

/// What was on its way when keeper and daemon died at once, and that the program, this process, still has.
/// `None`: nothing was, and its stage can be had again.
///
/// # Errors
/// It cannot be asked whether something is in it.
pub fn left_with(program: u32, place: u8) -> io::Result<Option<Handle>> {
    let taken = stage_of(program, place);
    // What has to be opened anew is kept even if it is empty: the next one would not be the program's.
    let keep = taken.is_err();
    // Where nobody lets us look, nothing can be had.
    let Ok(Some(stage)) = taken.or_else(|_| stage_reopened(program, place)) else {
        return Ok(None);
    };
    let empty = !keep && available(stage.as_fd())? == 0;
    Ok((!empty).then_some(stage))
}

/// Whether this process, which is no child of ours, lets us have what it has open.
#[must_use]
pub fn lets_stages_be_taken(process: u32) -> bool {
    stage_of(process, 0).is_ok()
}

/// Takes what the pipe holds now, at most so many bytes, without waiting for more.
///
/// # Errors
/// Those of read(2).
pub fn take_now(reader: Handle, at_most: usize) -> io::Result<Vec<u8>> {
    fcntl_setfl(&reader, OFlags::NONBLOCK)?;
    let mut bytes = Vec::new();
    let taken = File::from(reader)
        .take(at_most as u64)
        .read_to_end(&mut bytes);
    match taken {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(bytes),
    }
}
