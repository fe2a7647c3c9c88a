//! One stream, and one pass of its pump.

use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use abide_log::{Position, Writer};
use abide_model::{LogSpec, WhenFull};
use abide_platform::Handle;
use abide_platform::pipe::{self, Place, Slot, USUAL_SIZE};

use super::super::pass::{FAIR, Gap, Passed, Reached, Wish, wall};
use super::super::unit::Unit;
use super::super::{StreamMark, StreamSpec, held};
use super::slots::{Keeper, number};

/// All segments are taken to be on one device.
const DEVICE: u64 = 1;

/// Where output goes that nobody keeps: it is only taken.
pub struct Sink;

impl Sink {
    pub fn open() -> io::Result<Self> {
        Ok(Self)
    }
}

/// A pipe, and the segments that it leads to.
pub struct Stream {
    pub unit: Arc<Unit>,
    pub stream: abide_log::Stream,
    pub dir: PathBuf,
    /// Its reading end. Anybody may empty it into nothing; only the pass takes from it for the segment.
    pub fifo: Arc<Handle>,
    /// Bytes that it has room for.
    pub size: AtomicUsize,
    /// Held for as long as a pass takes, which is for ever on a hung disk: never wait for it.
    pump: Mutex<Pump>,
    /// Where the segments end: read by those who must not wait.
    reached: Mutex<Reached>,
    /// Held while something is taken from the pipe, which no disk can block.
    flow: Mutex<Flow>,
}

/// What is at the pipe's end.
#[derive(Default)]
struct Flow {
    /// What was thrown away and is not told of in the log yet.
    gap: Option<Box<Gap>>,
    /// So many bytes, the first ones in the pipe, are in the slot of the pass.
    flight: u64,
    /// They are not in the pipe any more.
    taken: bool,
}

struct Pump {
    writer: Option<Box<Writer>>,
    /// The highest segment number that was in use.
    number: u64,
    /// What the daemon before was moving is at its place.
    settled: bool,
    /// To be told of in the log, before what is in the slot.
    gap: Option<Box<Gap>>,
}

impl Stream {
    pub fn new(unit: Arc<Unit>, spec: StreamSpec, size: usize) -> Self {
        let pump = Pump {
            writer: None,
            number: 0,
            settled: false,
            gap: None,
        };
        Self {
            unit,
            stream: spec.stream,
            dir: spec.dir,
            fifo: spec.fifo,
            size: AtomicUsize::new(size),
            pump: Mutex::new(pump),
            reached: Mutex::default(),
            flow: Mutex::default(),
        }
    }

    /// A program holds nothing of it.
    pub fn for_program(&self) -> io::Result<Option<Arc<Handle>>> {
        Ok(None)
    }

    pub fn started(&self, _: Option<u32>, _: &Keeper) {}

    /// An earlier daemon may have left something on its way.
    pub fn has_left(&self) -> bool {
        true
    }

    /// What is on its way is in files.
    pub fn on_its_way(&self) -> Option<Arc<Handle>> {
        None
    }

    pub fn forget(&self, _: &Keeper) {}

    pub fn begin(&self) {}

    /// Nothing is on its way. To be asked while there is no pass.
    pub fn is_quiet(&self) -> bool {
        pipe::available(&*self.fifo).is_ok_and(|bytes| bytes == 0)
    }

    /// Where this stream is at. Does not wait for a disk. What moves while this looks may be counted as not
    /// written yet.
    pub fn mark(&self) -> StreamMark {
        let at = held(&self.reached).at;
        // A pipe that cannot be asked holds nothing that could be told of.
        let pending = pipe::available(&*self.fifo).unwrap_or(0);
        StreamMark {
            stream: self.stream,
            at,
            pending,
        }
    }

    /// Moves what is there into segments. May block for as long as the disk does.
    ///
    /// An error leaves in the pipe what could not be moved: the next pass goes on there.
    pub fn pass(&self, wish: Wish, keeper: &Keeper) -> (Passed, io::Result<()>) {
        let (mut passed, mut pump) = (Passed::default(), held(&self.pump));
        let result = self.pump(&mut pump, &mut passed, keeper);
        if let Some(writer) = &pump.writer {
            pump.number = writer.number();
        }
        let quiet = wish.rest && passed.bytes == 0;
        if result.is_err() || !wish.keep_open || quiet {
            pump.writer = None;
        }
        passed.open = pump.writer.is_some();
        passed.room = USUAL_SIZE as u64;
        (passed, result)
    }

    /// Throws away what is in the pipe, if that is full; returns the bytes.
    pub fn make_room(&self, _: &Sink, reason: &str) -> io::Result<u64> {
        let mut flow = held(&self.flow);
        if !pipe::is_full(&*self.fifo)? {
            return Ok(0);
        }
        let bytes = pipe::discard(&*self.fifo)?;
        // What is in the slot is on its way to its segment.
        let kept = if flow.taken { 0 } else { flow.flight };
        flow.taken = flow.flight > 0;
        let lost = bytes.saturating_sub(kept);
        if lost > 0 {
            self.miss(&mut flow, lost, reason);
        }
        Ok(lost)
    }

    fn miss(&self, flow: &mut Flow, bytes: u64, reason: &str) {
        if self.unit.when_full() == WhenFull::Drop {
            let gap = flow.gap.get_or_insert_default();
            gap.bytes += bytes;
            if gap.reason != reason {
                reason.clone_into(&mut gap.reason);
            }
        }
    }

    fn pump(&self, pump: &mut Pump, passed: &mut Passed, keeper: &Keeper) -> io::Result<()> {
        if !pump.settled {
            self.settle(pump, passed, keeper)?;
            pump.settled = true;
        }
        let spec = self.unit.spec();
        while passed.bytes < FAIR && pipe::available(&*self.fifo)? > 0 {
            let mut slot = keeper.lease()?;
            let moved = self.batch(pump, &mut slot, &spec, passed);
            if slot.left().is_some() {
                // It was written, and could not be taken from the pipe.
                keeper.put_back(slot);
                pump.settled = false;
            } else {
                keeper.free(slot);
            }
            if moved? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Finishes what the daemon before was moving.
    fn settle(&self, pump: &mut Pump, passed: &mut Passed, keeper: &Keeper) -> io::Result<()> {
        while let Some(mut slot) = keeper.left(self.unit.id, self.stream) {
            let result = self.finish(pump, &mut slot, passed);
            if result.is_err() {
                keeper.put_back(slot);
                return result;
            }
            keeper.free(slot);
        }
        Ok(())
    }

    fn finish(&self, pump: &mut Pump, slot: &mut Slot, passed: &mut Passed) -> io::Result<()> {
        let Some(left) = slot.left() else {
            return Ok(());
        };
        let writer = self.writer(pump, passed)?;
        let offset = if left.place.segment == writer.number() {
            left.place.offset
        } else {
            // Its segment is gone.
            writer.offset()
        };
        write(writer.file(), slot.bytes(), offset).map_err(|(_, error)| error)?;
        writer.advance(writer.offset().max(offset + left.length as u64));
        let _flow = held(&self.flow);
        slot.settle(&*self.fifo)
    }

    fn writer<'a>(&self, pump: &'a mut Pump, passed: &mut Passed) -> io::Result<&'a mut Writer> {
        passed.device = Some(DEVICE);
        let writer = match pump.writer.take() {
            Some(writer) => writer,
            None => {
                let writer = Writer::open(&self.dir, self.stream, pump.number, wall())?;
                Box::new(writer)
            }
        };
        Ok(pump.writer.insert(writer))
    }

    /// Moves what is in the pipe to the segment, as much as slot and segment take.
    fn batch(
        &self,
        pump: &mut Pump,
        slot: &mut Slot,
        spec: &LogSpec,
        passed: &mut Passed,
    ) -> io::Result<u64> {
        let writer = self.writer(pump, passed)?;
        passed.sealed |= writer.prepare(spec, wall())?;
        passed.first.get_or_insert(writer.number());
        let room = writer.room(spec);
        let peeked = {
            let mut flow = held(&self.flow);
            let peeked = slot.peek(&*self.fifo, room)? as u64;
            (flow.flight, flow.taken) = (peeked, false);
            if peeked > 0 && flow.gap.is_some() {
                pump.gap = flow.gap.take();
            }
            peeked
        };
        if peeked == 0 {
            return Ok(0);
        }
        let (moved, result) = match self.write(pump, slot) {
            Ok(()) => (peeked, Ok(())),
            Err((moved, error)) => (moved, Err(error)),
        };
        self.landed(slot, peeked, moved)?;
        if moved > 0 {
            self.advance(pump, moved);
            passed.bytes += moved;
            self.unit.wrote(moved);
        }
        result.map(|()| moved)
    }

    /// Writes what is in the slot behind what there is; else how much of it was written.
    fn write(&self, pump: &mut Pump, slot: &mut Slot) -> Result<(), (u64, io::Error)> {
        let Some(writer) = &mut pump.writer else {
            return Err((0, io::ErrorKind::NotFound.into()));
        };
        if let Some(gap) = &pump.gap {
            let text = format!(
                "abide: {} bytes are missing here: {}",
                gap.bytes, gap.reason
            );
            let encoding = self.unit.spec().encoding;
            writer.remark(&text, encoding).map_err(|error| (0, error))?;
            pump.gap = None;
        }
        slot.fill(Place {
            unit: self.unit.id.0,
            stream: number(self.stream),
            segment: writer.number(),
            offset: writer.offset(),
        });
        write(writer.file(), slot.bytes(), writer.offset())
    }

    /// So many of the bytes that were peeked are in the segment: takes them from the pipe, if nobody else has.
    fn landed(&self, slot: &mut Slot, peeked: u64, moved: u64) -> io::Result<()> {
        let mut flow = held(&self.flow);
        let taken = std::mem::take(&mut flow.taken);
        flow.flight = 0;
        if taken {
            slot.empty();
            if moved < peeked {
                self.unit.lost.fetch_add(peeked - moved, Ordering::Relaxed);
                self.miss(&mut flow, peeked - moved, "it could not be written");
            }
            return Ok(());
        }
        if moved == 0 {
            slot.empty();
            return Ok(());
        }
        slot.shorten(usize::try_from(moved).unwrap_or(usize::MAX));
        slot.consume(&*self.fifo)
    }

    fn advance(&self, pump: &mut Pump, moved: u64) {
        if let Some(writer) = &mut pump.writer {
            writer.advance(writer.offset() + moved);
            held(&self.reached).at = Some(Position {
                segment: writer.number(),
                offset: writer.offset(),
            });
        }
    }
}

/// Writes to a place; else how much of it was written.
fn write(file: &File, bytes: &[u8], offset: u64) -> Result<(), (u64, io::Error)> {
    let mut done = 0;
    while done < bytes.len() {
        match file.seek_write(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err((done as u64, io::ErrorKind::WriteZero.into())),
            Ok(written) => done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((done as u64, error)),
        }
    }
    Ok(())
}
