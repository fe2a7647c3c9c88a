//! A unit's FIFOs: made once, held by the keeper, kept over runs and daemons. And how its stages, which
//! the capture makes and lets go of, come to the keeper.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use abide_log::Stream;
use abide_model::{Streams as Wanted, UnitId};
use abide_platform::keeper::{KeeperSocket, Key};
use abide_platform::pipe;

use crate::capture::Holder;

/// `Key::kind` of a FIFO.
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

/// The FIFOs of one unit, open for holding.
pub struct Streams {
    /// The FIFO of each stream.
    pub fifos: Vec<(Stream, Arc<OwnedFd>)>,
}

impl Streams {
    /// Whether these are the streams that a spec asks for.
    pub fn fit(&self, streams: Wanted) -> bool {
        self.fifos
            .iter()
            .map(|(stream, _)| *stream)
            .eq(wanted(streams).iter().copied())
    }

    /// What a run needs, which opens ends of its own.
    pub fn held(&self) -> Vec<Arc<OwnedFd>> {
        self.fifos
            .iter()
            .map(|(_, fifo)| Arc::clone(fifo))
            .collect()
    }

    /// Write ends for a command on behalf of the unit: its stdout, and its stderr if that is apart.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn writers(&self) -> io::Result<(Option<OwnedFd>, Option<OwnedFd>)> {
        let mut fifos = self.fifos.iter();
        let mut next = || {
            let fifo = fifos.next();
            fifo.map(|(_, fifo)| pipe::writer(fifo.as_fd())).transpose()
        };
        Ok((next()?, next()?))
    }
}

/// Holds the capture's stages, without a way through the driver.
pub struct Stages(pub KeeperSocket);

impl Holder for Stages {
    fn hold(&self, unit: UnitId, stream: Stream, stage: BorrowedFd<'_>) -> io::Result<()> {
        self.0.hold(key(STAGE, unit, stream), stage)
    }

    fn release(&self, unit: UnitId, stream: Stream) -> io::Result<()> {
        self.0.release(key(STAGE, unit, stream))
    }
}

/// What was on its way when keeper and daemon died at once, and that the program, this process, still has.
/// `None`: nothing was, and its stage can be had again.
///
/// # Errors
/// It cannot be asked whether something is in it.
pub fn stage_with(program: u32, stream: Stream) -> io::Result<Option<OwnedFd>> {
    let taken = pipe::stage_of(program, place(stream));
    // What has to be opened anew is kept even if it is empty: the next one would not be the program's.
    let keep = taken.is_err();
    // Where nobody lets us look, nothing can be had.
    let Ok(Some(stage)) = taken.or_else(|_| pipe::stage_reopened(program, place(stream))) else {
        return Ok(None);
    };
    let empty = !keep && pipe::available(stage.as_fd())? == 0;
    Ok((!empty).then_some(stage))
}

/// A FIFO, freshly made.
pub struct Made {
    /// Which stream.
    pub stream: Stream,
    /// The FIFO.
    pub fifo: Arc<OwnedFd>,
}

/// Makes the FIFOs of a unit in `dir` (`run/UNIT`). May block: runs as a job.
///
/// # Errors
/// What could not be made, in words.
pub fn make(dir: &Path, streams: Wanted, owner: Option<(u32, u32)>) -> Result<Vec<Made>, String> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|e| format!("create {}: {e}", dir.display()))?;
    wanted(streams)
        .iter()
        .map(|&stream| {
            let path = dir.join(stream.name());
            let failed = |e: io::Error| format!("make the FIFO {}: {e}", path.display());
            pipe::create_fifo(&path, owner).map_err(failed)?;
            let fifo = pipe::hold(&path).map_err(failed)?;
            Ok(Made {
                stream,
                fifo: Arc::new(fifo),
            })
        })
        .collect()
}
