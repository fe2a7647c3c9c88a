//! The lines of one series, forward, over all its segments and past its present end.

use std::path::{Path, PathBuf};

use abide_model::Wall;

use crate::layout::{self, Kind};
use crate::segment::Segment;
use crate::{Ending, Line, ReadError, Stream, Text};

/// A line is held in memory up to this size; a longer one comes in pieces.
pub const MAX_LINE: usize = 16 << 20;

/// A place in a series. Offsets are those of uncompressed bytes, so compression moves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// The segment's number.
    pub segment: u64,
    /// The byte in it.
    pub offset: u64,
}

/// A line and the place of its first byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Where it begins.
    pub at: Position,
    /// It.
    pub line: Line,
    /// How many bytes it takes in its segments, the newline among them.
    pub length: u64,
}

/// Segments that were not there when it was their turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// From here on something is missing.
    pub from: Position,
    /// The segment that reading goes on with.
    pub to: u64,
}

/// A cursor in a series, for those who must not miss a line: it tells where it is, and what is missing. Reads files: use it on a
/// thread that may block.
///
/// ```text
///   segment 7 … ──────────────┬─ segment 8 ──────────────── …
///                  ▲ head     │          ▲ next byte to read
///                  └──── buffer ─────────┘
/// ```
///
/// The buffer begins with the first byte of a line that was not given out yet. That byte's place and
/// time are looked up while its segment is still open, since the line may go on in the next one.
#[derive(Debug)]
pub struct Series {
    dir: PathBuf,
    stream: Stream,
    text: Text,
    segment: Option<Segment>,
    /// Offset in `segment` of the next byte to read.
    next: u64,
    /// Where to begin, until a segment is open.
    begin: Option<Position>,
    buffer: Vec<u8>,
    /// Bytes at the buffer's front that were given out.
    used: usize,
    /// Bytes behind those in which no newline begins.
    searched: usize,
    /// Place and time of the line at the buffer's front, once it was needed.
    head: Option<(Position, Wall)>,
    /// Bytes up to the next newline belong to a line that began earlier.
    skip_rest: bool,
    /// The segment could not be read: go on with the next.
    broken: bool,
    /// The last segment that could not even be opened.
    unopened: u64,
    /// Not told yet.
    gap: Option<Gap>,
    block: usize,
}

impl Series {
    /// From the first line there is; `block` bytes are read at a time.
    #[must_use]
    pub fn new(dir: &Path, stream: Stream, text: Text, block: usize) -> Self {
        Self {
            dir: dir.to_owned(),
            stream,
            text,
            segment: None,
            next: 0,
            begin: None,
            buffer: Vec::new(),
            used: 0,
            searched: 0,
            head: None,
            skip_rest: false,
            broken: false,
            unopened: 0,
            gap: None,
            block,
        }
    }

    /// From a line's beginning.
    #[must_use]
    pub fn at(dir: &Path, stream: Stream, text: Text, block: usize, position: Position) -> Self {
        Self {
            begin: Some(position),
            ..Self::new(dir, stream, text, block)
        }
    }

    /// From the first line of this time or later.
    ///
    /// A segment that was last written before it is passed over unread, so a clock that was set back
    /// in between may hide lines, but cannot show wrong ones.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn since(
        dir: &Path,
        stream: Stream,
        text: Text,
        block: usize,
        time: Wall,
    ) -> Result<Self, ReadError> {
        let mut series = Self::new(dir, stream, text, block);
        for &number in list(dir, stream)?.iter() {
            let mut segment = match Segment::open(dir, stream, number) {
                Ok(Some(segment)) => segment,
                Ok(None) => continue,
                Err(_) => {
                    // Reading will come to it, and tell.
                    series.begin = Some(Position {
                        segment: number,
                        offset: 0,
                    });
                    return Ok(series);
                }
            };
            if segment.modified() >= time {
                let offset = segment.offset_since(time)?;
                // The batch may begin in the middle of a line: skip to the end of that, which is at
                // once if a newline is before it.
                series.skip_rest = offset > 0;
                series.next = offset.saturating_sub(text.newline().len() as u64);
                series.segment = Some(segment);
                return Ok(series);
            }
            // Lines that come later are in this segment or behind it.
            series.begin = Some(Position {
                segment: number,
                offset: segment.len()?,
            });
        }
        Ok(series)
    }

    /// The next line that is complete. `None`: there is none now; ask again after something was written.
    ///
    /// # Errors
    /// A segment cannot be read; the next call goes on behind it.
    pub fn next_line(&mut self) -> Result<Option<Placed>, ReadError> {
        loop {
            let pending = &self.buffer[self.used..];
            let newline = self.text.newline().len();
            if let Some(found) = self.text.find_newline(&pending[self.searched..]) {
                let length = self.searched + found;
                if self.skip_rest {
                    self.skip_rest = false;
                    self.consume(length + newline);
                    continue;
                }
                return self.take(length, Ending::Newline).map(Some);
            }
            let pending = pending.len();
            // The last bytes may be the beginning of a newline.
            self.searched = pending.saturating_sub(newline - 1);
            if self.skip_rest {
                self.consume(self.searched);
            } else if pending >= MAX_LINE {
                return self.take(MAX_LINE, Ending::Split).map(Some);
            }
            if self.more()? {
                continue;
            }
            let Some(next) = self.following()? else {
                self.release();
                return Ok(None);
            };
            // What was written before the next segment was made, after we last looked.
            if self.more()? {
                continue;
            }
            let gap = match &self.segment {
                Some(segment) if segment.number + 1 != next.number => {
                    let from = Position {
                        segment: segment.number,
                        offset: self.next,
                    };
                    self.gap.get_or_insert(Gap {
                        from,
                        to: next.number,
                    });
                    true
                }
                _ => false,
            };
            if gap && self.skip_rest {
                self.consume(self.buffer.len() - self.used);
            } else if gap && pending > 0 {
                // The line's rest is gone.
                return self.take(pending, Ending::Open).map(Some);
            }
            self.skip_rest &= !gap;
            self.place()?;
            self.segment = Some(next);
            self.next = 0;
            self.broken = false;
        }
    }

    /// The incomplete line at the end, if there is one.
    ///
    /// # Errors
    /// Its time cannot be read.
    pub fn flush(&mut self) -> Result<Option<Placed>, ReadError> {
        let pending = self.buffer.len() - self.used;
        if pending == 0 || self.skip_rest {
            return Ok(None);
        }
        self.take(pending, Ending::Open).map(Some)
    }

    /// What was missing since the last call: before the line that came last.
    pub fn take_gap(&mut self) -> Option<Gap> {
        self.gap.take()
    }

    /// Where the next line begins, or will begin. `None`: there is no segment yet.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        if let Some((at, _)) = self.head {
            return Some(at);
        }
        let pending = (self.buffer.len() - self.used) as u64;
        match &self.segment {
            Some(segment) => Some(Position {
                segment: segment.number,
                offset: self.next - pending,
            }),
            None => self.begin,
        }
    }

    /// Reads on in the current segment; false at its end.
    fn more(&mut self) -> Result<bool, ReadError> {
        if self.segment.is_none() {
            self.segment = self.first()?;
        }
        let Some(segment) = &mut self.segment else {
            return Ok(false);
        };
        if self.broken {
            return Ok(false);
        }
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        // Long lines in long steps, or searching them would copy them again and again.
        let want = self.block.max(self.buffer.len().min(1 << 20));
        match segment.read_at(self.next, want, &mut self.buffer) {
            Ok(got) => {
                self.next += got as u64;
                Ok(got > 0)
            }
            Err(error) => {
                self.broken = true;
                Err(error)
            }
        }
    }

    /// The segment to begin with.
    fn first(&mut self) -> Result<Option<Segment>, ReadError> {
        let begin = self.begin.unwrap_or(Position {
            segment: 0,
            offset: 0,
        });
        let first = self.open_beyond(begin.segment.max(self.unopened + 1) - 1)?;
        if let Some(segment) = &first {
            self.next = if segment.number == begin.segment {
                begin.offset
            } else {
                // Where there was none, the first is 1.
                if self.begin.is_some() && segment.number > begin.segment.max(1) {
                    self.gap = Some(Gap {
                        from: begin,
                        to: segment.number,
                    });
                }
                0
            };
        }
        Ok(first)
    }

    /// The segment behind the current one, if there is one.
    fn following(&mut self) -> Result<Option<Segment>, ReadError> {
        let Some(segment) = &self.segment else {
            return Ok(None);
        };
        let current = segment.number;
        if self.unopened <= current {
            match self.open(current + 1)? {
                Some(next) => return Ok(Some(next)),
                // Usually the current one is the last.
                None if self.is_there(current) => return Ok(None),
                None => {}
            }
        }
        // If it is gone, so may those behind it be; and if all were removed while no daemon ran,
        // numbers began anew.
        let highest = list(&self.dir, self.stream)?.last().copied();
        if highest.is_some_and(|highest| highest < current) {
            self.unopened = 0;
            return self.open_beyond(0);
        }
        self.open_beyond(current.max(self.unopened))
    }

    /// The first segment that is there with a higher number.
    fn open_beyond(&mut self, number: u64) -> Result<Option<Segment>, ReadError> {
        for number in list(&self.dir, self.stream)?
            .into_iter()
            .filter(|&n| n > number)
        {
            if let Some(segment) = self.open(number)? {
                return Ok(Some(segment));
            }
        }
        Ok(None)
    }

    fn open(&mut self, number: u64) -> Result<Option<Segment>, ReadError> {
        let opened = Segment::open(&self.dir, self.stream, number);
        if opened.is_err() {
            self.unopened = number;
        }
        opened
    }

    fn is_there(&self, number: u64) -> bool {
        [Kind::Plain, Kind::Packed]
            .iter()
            .any(|&kind| layout::path(&self.dir, self.stream, number, kind).exists())
    }

    /// Looks up where and when the line at the buffer's front began, while its segment is open.
    fn place(&mut self) -> Result<(), ReadError> {
        let pending = (self.buffer.len() - self.used) as u64;
        if pending > 0
            && self.head.is_none()
            && let Some(segment) = &mut self.segment
        {
            let at = Position {
                segment: segment.number,
                offset: self.next - pending,
            };
            let time = segment.time_at(at.offset);
            // A line whose time cannot be read is still a line.
            self.head = Some((at, time.as_ref().map_or(segment.modified(), |&time| time)));
            time?;
        }
        Ok(())
    }

    fn take(&mut self, length: usize, ending: Ending) -> Result<Placed, ReadError> {
        self.place()?;
        let (at, time) = self.head.unwrap_or((
            Position {
                segment: 0,
                offset: 0,
            },
            Wall(0),
        ));
        let bytes = self.buffer[self.used..self.used + length].to_vec();
        let newline = match ending {
            Ending::Newline => self.text.newline().len(),
            Ending::Split | Ending::Open => 0,
        };
        self.consume(length + newline);
        if ending == Ending::Split {
            // The pieces have their line's time.
            let at = Position {
                offset: at.offset + length as u64,
                ..at
            };
            self.head = Some((at, time));
        }
        Ok(Placed {
            at,
            line: Line {
                time,
                stream: self.stream,
                decoded: self.text.of(&bytes),
                bytes,
                ending,
            },
            length: (length + newline) as u64,
        })
    }

    fn consume(&mut self, length: usize) {
        self.used += length;
        self.searched = 0;
        self.head = None;
    }

    /// Gives the memory back while there is nothing to read.
    fn release(&mut self) {
        if self.used == self.buffer.len() {
            self.buffer = Vec::new();
            self.used = 0;
        }
    }
}

/// The numbers of a series' segments, lowest first.
pub fn list(dir: &Path, stream: Stream) -> Result<Vec<u64>, ReadError> {
    let segments = layout::segments(dir, stream).map_err(|error| ReadError::new(dir, error))?;
    Ok(segments.into_keys().collect())
}
