//! One stream, and one pass of its pump.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use abide_log::{Position, Writer};
use abide_model::{LogSpec, WhenFull};
use abide_platform::fault::point;
use abide_platform::pipe;

use super::super::pass::{FAIR, Gap, Lease, Passed, Reached, Wish, wall};
use super::super::unit::Unit;
use super::super::{StreamMark, StreamSpec, held};
use super::stage::{Keeper, Stage};

/// Where output goes that nobody keeps.
pub struct Sink(OwnedFd);

impl Sink {
    pub fn open() -> io::Result<Self> {
        Ok(Self(
            OpenOptions::new().write(true).open("/dev/null")?.into(),
        ))
    }
}

/// A FIFO, its stage, and the segments they lead to.
pub struct Stream {
    pub unit: Arc<Unit>,
    pub stream: abide_log::Stream,
    pub dir: PathBuf,
    /// Anybody may empty it into nothing; only the pass fills the stage from it.
    pub fifo: Arc<OwnedFd>,
    /// Touched by the pass alone: while a disk hangs, its lock is held.
    pub stage: Stage,
    /// Bytes that FIFO and stage should each have room for; applied by the next pass.
    pub size: AtomicUsize,
    /// Held for as long as a pass takes, which is for ever on a hung disk: never wait for it.
    pump: Mutex<Pump>,
    /// Where the segments end, and what is on its way there: read by those who must not wait.
    reached: Mutex<Reached>,
    /// What was thrown out of the FIFO and is not told of in the log yet. Held while the FIFO is emptied in
    /// either direction, which no disk can block: so the place of a gap is known.
    gap: Mutex<Option<Box<Gap>>>,
}

struct Pump {
    writer: Option<Box<Writer>>,
    /// The highest segment number that was in use.
    number: u64,
    /// Bytes in the stage; `None`: whatever is there, if one is here.
    staged: Option<u64>,
    /// What FIFO and stage have room for.
    size: usize,
    /// The last pass found the FIFO (nearly) full.
    was_full: bool,
    /// To be told of in the log, before what the stage holds.
    gap: Option<Box<Gap>>,
}

impl Stream {
    pub fn new(unit: Arc<Unit>, spec: StreamSpec, size: usize) -> Self {
        let stream = spec.stream;
        let pump = Pump {
            writer: None,
            number: 0,
            staged: None,
            size: pipe::USUAL_SIZE,
            was_full: false,
            gap: None,
        };
        Self {
            stage: Stage::new(unit.id, stream, spec.stage),
            unit,
            stream,
            dir: spec.dir,
            fifo: spec.fifo,
            size: AtomicUsize::new(size),
            pump: Mutex::new(pump),
            reached: Mutex::default(),
            gap: Mutex::default(),
        }
    }

    /// For a run that is about to be started to hold too. To be followed by [`Stream::started`].
    pub fn for_program(&self) -> io::Result<Option<Arc<OwnedFd>>> {
        let stage = self.stage.for_program(self.size.load(Ordering::Relaxed))?;
        Ok(Some(stage))
    }

    /// This process has what is on its way from now on; `None`: none has.
    pub fn started(&self, program: Option<u32>, keeper: &Keeper) {
        self.stage.started(program, keeper);
    }

    /// An earlier daemon may have left something on its way. To be asked before the first pass.
    pub fn has_left(&self) -> bool {
        self.on_its_way().is_some()
    }

    /// What is on its way.
    pub fn on_its_way(&self) -> Option<Arc<OwnedFd>> {
        self.stage.here()
    }

    /// The stream is no more.
    pub fn forget(&self, keeper: &Keeper) {
        self.stage.forget(keeper);
    }

    /// Nothing is on its way. To be asked while there is no pass.
    pub fn is_quiet(&self) -> bool {
        let empty = |fifo| pipe::available(fifo).is_ok_and(|bytes| bytes == 0);
        self.stage.here().is_none() && empty(self.fifo.as_fd())
    }

    /// Where this stream is at. Does not wait for a disk: asks the FIFO, never the stage, whose lock is
    /// held while a disk hangs. What moves while this looks may be counted as not written yet.
    pub fn mark(&self) -> StreamMark {
        let reached = *held(&self.reached);
        // A FIFO that cannot be asked holds nothing that could be told of.
        let pending = pipe::available(self.fifo.as_fd()).unwrap_or(0);
        StreamMark {
            stream: self.stream,
            at: reached.at,
            pending: reached.staged + pending,
        }
    }

    /// Moves what is there into segments. May block for as long as the disk does.
    ///
    /// An error leaves in the stage and the FIFO what could not be moved: the next pass goes on there.
    pub fn pass(&self, wish: Wish, keeper: &Keeper) -> (Passed, io::Result<()>) {
        let (mut passed, mut pump) = (Passed::default(), held(&self.pump));
        let result = self.pump(&mut pump, &mut passed, wish.lease, keeper);
        if let Some(writer) = &pump.writer {
            pump.number = writer.number();
        }
        let quiet = wish.rest && passed.bytes == 0;
        if result.is_err() || !wish.keep_open || quiet {
            pump.writer = None;
        }
        if pump.staged == Some(0) && (quiet || wish.lease != Lease::Keep) {
            self.stage.let_go(self.unit.program(), keeper);
        }
        passed.open = pump.writer.is_some();
        passed.staged = self.stage.is_on_loan();
        passed.room = pump.size as u64;
        (passed, result)
    }

    /// Throws away what is in the FIFO, if that is full; returns the bytes.
    pub fn make_room(&self, sink: &Sink, reason: &str) -> io::Result<u64> {
        let mut gap = held(&self.gap);
        let fifo = self.fifo.as_fd();
        if !pipe::is_full(fifo)? {
            return Ok(0);
        }
        let bytes = pipe::discard(fifo, sink.0.as_fd())?;
        if bytes > 0 && self.unit.when_full() == WhenFull::Drop {
            let gap = gap.get_or_insert_default();
            gap.bytes += bytes;
            if gap.reason != reason {
                reason.clone_into(&mut gap.reason);
            }
        }
        Ok(bytes)
    }

    /// Fills the empty stage. What was thrown away before that came before it.
    fn fill(&self, pump: &mut Pump, stage: &OwnedFd) -> io::Result<u64> {
        let mut gap = held(&self.gap);
        let staged = pipe::fill(self.fifo.as_fd(), stage.as_fd())?;
        if staged > 0 && gap.is_some() {
            pump.gap = gap.take();
        }
        Ok(staged)
    }

    fn pump(
        &self,
        pump: &mut Pump,
        passed: &mut Passed,
        lease: Lease,
        keeper: &Keeper,
    ) -> io::Result<()> {
        let mut stage = self.stage.here();
        let mut staged = match (pump.staged, &stage) {
            (Some(staged), _) => staged,
            (None, Some(stage)) => pipe::available(stage.as_fd())?,
            (None, None) => 0,
        };
        self.staged(pump, staged);
        if staged == 0 {
            self.resize(pump, stage.as_deref());
        }
        let spec = self.unit.spec();
        loop {
            if stage.is_none() && pipe::available(self.fifo.as_fd())? > 0 {
                let (leased, left) = self.lease(pump, lease, keeper)?;
                staged = left;
                stage = Some(leased);
            }
            let Some(stage) = &stage else {
                pump.was_full = false;
                return Ok(());
            };
            let filled = staged == 0;
            if filled {
                staged = self.fill(pump, stage)?;
                point("capture.filled");
            }
            self.staged(pump, staged);
            if staged == 0 {
                pump.was_full = false;
                return Ok(());
            }
            let batch = staged;
            while staged > 0 {
                let moved = self.batch(pump, stage, &spec, staged, passed)?;
                // 0: somebody else emptied the stage; nothing of ours does.
                staged = if moved == 0 { 0 } else { staged - moved };
                self.staged(pump, staged);
            }
            let full = batch * 2 >= pump.size as u64;
            passed.busy |= full && pump.was_full;
            pump.was_full = full;
            // Less than a full pipe was all there was; if not, we are called again at once. What was left in
            // the stage tells nothing of the FIFO behind it.
            if (filled && !full) || passed.bytes >= FAIR {
                return Ok(());
            }
        }
    }

    /// A stage, and what is in it: nothing, unless a daemon died before it could take it from a program that
    /// outlived it and a keeper.
    fn lease(&self, pump: &Pump, lease: Lease, keeper: &Keeper) -> io::Result<(Arc<OwnedFd>, u64)> {
        let few = lease == Lease::No;
        let stage = self.stage.lease(self.unit.program(), few, keeper)?;
        let left = pipe::available(stage.as_fd())?;
        if left == 0 && pipe::size(stage.as_fd())? != pump.size {
            // What cannot be resized works as it is.
            let _ = pipe::set_size(stage.as_fd(), pump.size);
        }
        Ok((stage, left))
    }

    fn staged(&self, pump: &mut Pump, staged: u64) {
        pump.staged = Some(staged);
        let mut reached = held(&self.reached);
        reached.staged = staged;
        if let Some(writer) = &pump.writer {
            reached.at = Some(Position {
                segment: writer.number(),
                offset: writer.offset(),
            });
        }
    }

    /// Moves staged bytes to the segment, as many as it still takes.
    fn batch(
        &self,
        pump: &mut Pump,
        stage: &OwnedFd,
        spec: &LogSpec,
        staged: u64,
        passed: &mut Passed,
    ) -> io::Result<u64> {
        let now = wall();
        if pump.writer.is_none() {
            let writer = Writer::open(&self.dir, self.stream, pump.number, now)?;
            passed.device = Some(writer.file().metadata()?.dev());
            pump.writer = Some(Box::new(writer));
        }
        let Some(writer) = &mut pump.writer else {
            return Ok(0);
        };
        passed.sealed |= writer.prepare(spec, now)?;
        passed.first.get_or_insert(writer.number());
        if let Some(gap) = &pump.gap {
            let text = format!(
                "abide: {} bytes are missing here: {}",
                gap.bytes, gap.reason
            );
            writer.remark(&text, spec.encoding)?;
            pump.gap = None;
        }
        let mut offset = writer.offset();
        let limit = staged.min(writer.room(spec));
        let moved = match pipe::drain(stage.as_fd(), writer.file(), &mut offset, limit) {
            // The limit for the size of a file is lower than our own: the next segment has room.
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge && writer.offset() > 0 => {
                writer.seal(now)?;
                passed.sealed = true;
                return self.batch(pump, stage, spec, staged, passed);
            }
            other => other?,
        };
        point("capture.drained");
        writer.advance(offset);
        passed.bytes += moved;
        self.unit.wrote(moved);
        Ok(moved)
    }

    /// Gives the FIFO the room that it should have when nobody writes yet.
    pub fn begin(&self) {
        let mut pump = held(&self.pump);
        // An earlier daemon may have made it larger.
        pump.size = pipe::size(self.fifo.as_fd()).unwrap_or(pump.size);
        self.resize(&mut pump, None);
    }

    /// Gives FIFO and stage the room they should have. A pipe that cannot be resized works as it is:
    /// it may hold more than the new size, or the user has no room for larger ones.
    fn resize(&self, pump: &mut Pump, stage: Option<&OwnedFd>) {
        let size = self.size.load(Ordering::Relaxed);
        if size != pump.size {
            let set =
                |fd: &OwnedFd| pipe::set_size(fd.as_fd(), size).or_else(|_| pipe::size(fd.as_fd()));
            match stage.map_or(Ok(0), set).and_then(|_| set(&self.fifo)) {
                Ok(now) => pump.size = now,
                Err(error) => tracing::debug!(unit = %self.unit.name, %error, "pipe not resized"),
            }
            self.size.store(pump.size, Ordering::Relaxed);
        }
    }
}
