//! The bytes of one series from a place on, as they come.

use std::path::{Path, PathBuf};

use abide_model::Wall;

use crate::segment::Segment;
use crate::series::{Position, list};
use crate::{ReadError, Stream};

/// A cursor that gives bytes and not lines, and holds none of them: for those who want little memory.
/// Reads files: use it on a thread that may block.
#[derive(Debug)]
pub struct Tail {
    dir: PathBuf,
    stream: Stream,
    /// The segment that is read, or the lowest that may be next.
    number: u64,
    segment: Option<Segment>,
    /// The next byte of it to read.
    offset: u64,
    /// Bytes from there on that nobody wants.
    skip: u64,
}

impl Tail {
    /// From `skip` bytes behind a place that was once the end of the series, or its beginning. They need not
    /// be there yet.
    #[must_use]
    pub fn new(dir: &Path, stream: Stream, from: Option<Position>, skip: u64) -> Self {
        Self {
            dir: dir.to_owned(),
            stream,
            number: from.map_or(0, |at| at.segment),
            segment: None,
            offset: from.map_or(0, |at| at.offset),
            skip,
        }
    }

    /// From the first bytes that were taken at this time or later.
    ///
    /// # Errors
    /// The directory, or a segment in it, is there and cannot be read.
    pub fn since(dir: &Path, stream: Stream, time: Wall) -> Result<Self, ReadError> {
        let mut tail = Self::new(dir, stream, None, 0);
        for number in list(dir, stream)? {
            let Some(mut segment) = Segment::open(dir, stream, number)? else {
                continue;
            };
            tail.number = number;
            if segment.modified() >= time {
                tail.offset = segment.offset_since(time)?;
                break;
            }
            tail.offset = segment.len()?;
        }
        Ok(tail)
    }

    /// Appends what comes next, at most `want` bytes; 0: nothing is there now, ask again after something
    /// was written.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn read(&mut self, want: usize, out: &mut Vec<u8>) -> Result<usize, ReadError> {
        loop {
            if self.segment.is_none() {
                let Some(segment) = self.open_from(self.number)? else {
                    return Ok(0);
                };
                self.enter(segment);
            }
            let read = self.read_here(want, out)?;
            if read > 0 {
                return Ok(read);
            }
            let Some(next) = self.open_from(self.number + 1)? else {
                return Ok(0);
            };
            // What was written before the next one was made, after we last looked.
            let read = self.read_here(want, out)?;
            if read > 0 {
                return Ok(read);
            }
            self.enter(next);
        }
    }

    fn enter(&mut self, segment: Segment) {
        if segment.number != self.number {
            self.offset = 0;
            if self.segment.is_none() && self.number > 0 {
                // The place to begin at is gone, and with it what was to be left out.
                self.skip = 0;
            }
        }
        self.number = segment.number;
        self.segment = Some(segment);
    }

    fn read_here(&mut self, want: usize, out: &mut Vec<u8>) -> Result<usize, ReadError> {
        let Some(segment) = &mut self.segment else {
            return Ok(0);
        };
        if self.skip > 0 {
            let there = segment.len()?.saturating_sub(self.offset);
            let step = self.skip.min(there);
            self.offset += step;
            self.skip -= step;
        }
        let read = segment.read_at(self.offset, want, out)?;
        self.offset += read as u64;
        Ok(read)
    }

    /// The first segment that is there with this number or a higher one.
    fn open_from(&self, number: u64) -> Result<Option<Segment>, ReadError> {
        // Usually it is this very one, and the directory need not be read.
        if number > 0
            && let Some(segment) = Segment::open(&self.dir, self.stream, number)?
        {
            return Ok(Some(segment));
        }
        if self.segment.is_some() && self.is_there(self.number) {
            return Ok(None);
        }
        for number in list(&self.dir, self.stream)?
            .into_iter()
            .filter(|&n| n >= number)
        {
            if let Some(segment) = Segment::open(&self.dir, self.stream, number)? {
                return Ok(Some(segment));
            }
        }
        Ok(None)
    }

    fn is_there(&self, number: u64) -> bool {
        use crate::layout::{Kind, path};
        [Kind::Plain, Kind::Packed]
            .iter()
            .any(|&kind| path(&self.dir, self.stream, number, kind).exists())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Kind, path};

    fn write(dir: &Path, number: u64, bytes: &str) {
        let path = path(dir, Stream::Out, number, Kind::Plain);
        std::fs::write(path, bytes).expect("written");
    }

    fn rest(tail: &mut Tail) -> String {
        let mut out = Vec::new();
        while tail.read(3, &mut out).expect("it can be read") > 0 {}
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_comes_after_a_place_is_read_over_the_ends_of_segments() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        write(dir, 3, "old, then new ");
        let at = Position {
            segment: 3,
            offset: 3,
        };
        // ", then " was on its way at that time.
        let mut tail = Tail::new(dir, Stream::Out, Some(at), 7);
        assert_eq!(rest(&mut tail), "new ");
        assert_eq!(rest(&mut tail), "");
        write(dir, 3, "old, then new line");
        write(dir, 4, "s\nmore\n");
        assert_eq!(rest(&mut tail), "lines\nmore\n");
        write(dir, 9, "gap\n");
        crate::disk::remove(&path(dir, Stream::Out, 4, Kind::Plain)).expect("removed");
        assert_eq!(rest(&mut tail), "gap\n");
    }

    #[test]
    fn bytes_to_be_left_out_may_come_later() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        let mut tail = Tail::new(dir, Stream::Out, None, 5);
        assert_eq!(rest(&mut tail), "");
        write(dir, 1, "old");
        assert_eq!(rest(&mut tail), "");
        write(dir, 2, "-\nnew\n");
        // Two bytes of the second segment are still among them.
        assert_eq!(rest(&mut tail), "new\n");
    }
}
