//! A unit's FIFOs: made once, held by the keeper, kept over runs and daemons. And how its stages, which
//! the capture makes and lets go of, come to the keeper.

use std::io;
use std::path::{Path, PathBuf};

use abide_log::Stream;
use abide_model::{Streams as Wanted, UnitId};
use abide_platform::keeper::{KeeperSocket, Key};
use abide_platform::logon::Owner;
use abide_platform::pipe::{End, ForRuns, Output};
use abide_platform::{Borrowed, Handle};

use crate::capture::Holder;

/// `Key::kind` of a FIFO, or of the end of a pipe that is read.
pub const FIFO: u32 = 1;
/// `Key::kind` of a stage pipe.
pub const STAGE: u32 = 2;
/// `Key::kind` of the socket that beats come to.
pub const BEATS: u32 = 3;

/// `Key::kind` of a unit's notify socket.
pub const NOTIFY: u32 = 4;
/// `Key::kind` of a listening socket.
pub const LISTENER: u32 = 5;
/// `Key::kind` of a descriptor that a unit left here.
pub const STORED: u32 = 6;
/// `Key::kind` of the pipe over which a run says that it is ready.
pub const READY_PIPE: u32 = 7;

/// `Key::kind` of the socket that the API listens on in the home.
pub const API_SOCKET: u32 = 8;
/// `Key::kind` of a TCP socket that the API listens on.
pub const API_TCP: u32 = 9;

/// `Key::kind` of the end of a pipe that programs write to, where that is another handle.
pub const WRITER: u32 = 10;

/// `Key::kind` of what has a run's standard input go on, as long as somebody holds it.
pub const INPUT: u32 = 11;

/// The streams that a spec asks for.
pub fn wanted(streams: Wanted) -> &'static [Stream] {
    match streams {
        Wanted::Combined => &[Stream::Out],
        Wanted::Split => &[Stream::Out, Stream::Err],
    }
}

/// The place of a stream among those of a unit.
pub fn place(stream: Stream) -> u8 {
    match stream {
        Stream::Out => 0,
        Stream::Err => 1,
    }
}

/// The keeper's key of a unit's descriptor.
pub fn key(kind: u32, unit: UnitId, stream: Stream) -> Key {
    Key {
        kind,
        unit: unit.0,
        sub: place(stream).into(),
    }
}

/// The keeper's key of an end of a stream's pipe.
pub fn end_key(end: End, unit: UnitId, stream: Stream) -> Key {
    let kind = match end {
        End::Reader => FIFO,
        End::Writer => WRITER,
    };
    key(kind, unit, stream)
}

/// The pipes of one unit, open for holding.
pub struct Streams {
    /// The pipe of each stream.
    pub outputs: Vec<(Stream, Output)>,
}

impl Streams {
    /// Whether these are the streams that a spec asks for.
    pub fn fit(&self, streams: Wanted) -> bool {
        self.outputs
            .iter()
            .map(|(stream, _)| *stream)
            .eq(wanted(streams).iter().copied())
    }

    /// What a run needs, which opens ends of its own.
    pub fn held(&self) -> Vec<ForRuns> {
        let outputs = self.outputs.iter();
        outputs.map(|(_, output)| output.for_runs()).collect()
    }

    /// What the keeper holds of them.
    pub fn ends(&self, unit: UnitId) -> impl Iterator<Item = (Key, &Handle)> {
        self.outputs.iter().flat_map(move |(stream, output)| {
            let ends = output.ends();
            ends.map(move |(end, handle)| (end_key(end, unit, *stream), handle))
        })
    }

    /// Write ends for a command on behalf of the unit: its stdout, and its stderr if that is apart.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn writers(&self) -> io::Result<(Option<Handle>, Option<Handle>)> {
        let mut outputs = self.outputs.iter();
        let mut next = || {
            let output = outputs.next();
            output.map(|(_, output)| output.writer()).transpose()
        };
        Ok((next()?, next()?))
    }
}

/// Holds the capture's stages, without a way through the driver; and the folder of its slots, where it has those
/// instead.
pub struct Stages(pub KeeperSocket, pub PathBuf);

impl Holder for Stages {
    fn hold(&self, unit: UnitId, stream: Stream, stage: Borrowed<'_>) -> io::Result<()> {
        self.0.hold(key(STAGE, unit, stream), stage)
    }

    fn release(&self, unit: UnitId, stream: Stream) -> io::Result<()> {
        self.0.release(key(STAGE, unit, stream))
    }

    fn slots(&self) -> Option<&Path> {
        Some(&self.1)
    }
}

/// A pipe, freshly made.
pub struct Made {
    /// Of which stream.
    pub stream: Stream,
    /// It.
    pub output: Output,
}

/// Makes the pipes of a unit; `dir` (`run/UNIT`) is where they lie if they have names. May block: runs as a job.
///
/// # Errors
/// What could not be made, in words.
pub fn make(dir: &Path, streams: Wanted, owner: Option<&Owner>) -> Result<Vec<Made>, String> {
    abide_log::disk::make_private_directory(dir)
        .map_err(|e| format!("create {}: {e}", dir.display()))?;
    wanted(streams)
        .iter()
        .map(|&stream| {
            let name = stream.name();
            let output = Output::make(dir, name, owner)
                .map_err(|e| format!("make the FIFO {}: {e}", dir.join(name).display()))?;
            Ok(Made { stream, output })
        })
        .collect()
}
