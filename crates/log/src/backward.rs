//! The lines of one series from the last to the first, for "the last N".
//!
//! Goes back in blocks that begin with a line; the lines of a block are found by reading it forward,
//! so that times, pieces and ends of lines mean the same in both directions.

use std::path::PathBuf;

use abide_model::Wall;

use crate::segment::Segment;
use crate::series::{Position, Series, list};
use crate::{Line, ReadError, Source, Stream, Text};

/// How far the first step goes back; each further one goes twice as far, up to the last.
const FIRST_STEP: u64 = 4 << 10;
const LAST_STEP: u64 = 64 << 10;

/// A line's place and time.
pub type Found = (Wall, Position);

/// Goes through a series backward.
pub struct Backward {
    dir: PathBuf,
    stream: Stream,
    text: Text,
    /// The segments that are not behind us, lowest first.
    numbers: Vec<u64>,
    /// The last segment that was looked into.
    open: Option<Segment>,
    /// Lines before this place are still to come; `None` at first: all of them.
    end: Option<Position>,
    /// Behind the last line there was.
    tail: Option<Position>,
    /// What was found in the block in hand, in the order of the file.
    found: Vec<Found>,
    step: u64,
    /// Lines before it are not wanted: segments that were last written before it are not looked into.
    since: Option<Wall>,
    /// An incomplete last line counts.
    open_line: bool,
}

impl Backward {
    pub fn new(
        source: &Source,
        stream: Stream,
        since: Option<Wall>,
        open_line: bool,
    ) -> Result<Self, ReadError> {
        Ok(Self {
            dir: source.dir.clone(),
            stream,
            text: source.text,
            numbers: list(&source.dir, stream)?,
            open: None,
            end: None,
            tail: None,
            found: Vec::new(),
            step: FIRST_STEP,
            since,
            open_line,
        })
    }

    /// The next line back that `matches`.
    pub fn next(&mut self, matches: &dyn Fn(&Line) -> bool) -> Result<Option<Found>, ReadError> {
        while self.found.is_empty() {
            let Some(start) = self.block_start()? else {
                return Ok(None);
            };
            self.read_block(start, matches)?;
            self.end = Some(start);
            self.step = (self.step * 2).min(LAST_STEP);
        }
        Ok(self.found.pop())
    }

    /// Behind the last line there was, once a line was asked for; `None` if there was nothing.
    pub fn tail(&self) -> Option<Position> {
        self.tail
    }

    /// The beginning of a line about a step before `end`; `None`: there is nothing before `end`.
    fn block_start(&mut self) -> Result<Option<Position>, ReadError> {
        // The segment that holds the byte before `end`.
        let mut end = self.end.map(|end| end.offset).filter(|&offset| offset > 0);
        if end.is_none() && self.end.is_some() {
            self.numbers.pop();
        }
        let (number, end) = loop {
            let Some(&number) = self.numbers.last() else {
                return Ok(None);
            };
            let length = match end.take() {
                Some(offset) => offset,
                None => self.length(number)?,
            };
            if length > 0 {
                break (number, length);
            }
            self.numbers.pop();
        };
        if self.is_too_old(number)? {
            return Ok(None);
        }
        let mut step = self.step;
        loop {
            let from = end.saturating_sub(step);
            if from == 0 && self.begins_a_line()? {
                return Ok(Some(Position {
                    segment: number,
                    offset: 0,
                }));
            }
            let window = self.window(number, from, end)?;
            // A newline as the last byte ends a line of which the block would hold nothing.
            let newline = self.text.newline().len();
            let before_last = &window[..window.len().saturating_sub(1)];
            if let Some(at) = self.text.find_newline(before_last) {
                return Ok(Some(Position {
                    segment: number,
                    offset: from + (at + newline) as u64,
                }));
            }
            if from == 0 {
                return self.start_in_earlier_segment().map(Some);
            }
            step *= 2;
        }
    }

    /// The beginning of the line that goes on at the beginning of the last of `numbers`.
    fn start_in_earlier_segment(&mut self) -> Result<Position, ReadError> {
        loop {
            self.numbers.pop();
            let number = self.numbers.last().copied().unwrap_or_default();
            let mut end = self.length(number)?;
            while end > 0 {
                let from = end.saturating_sub(LAST_STEP);
                let window = self.window(number, from, end)?;
                if let Some(at) = self.text.find_last_newline(&window) {
                    return Ok(Position {
                        segment: number,
                        offset: from + (at + self.text.newline().len()) as u64,
                    });
                }
                end = from;
            }
            if self.begins_a_line()? {
                return Ok(Position {
                    segment: number,
                    offset: 0,
                });
            }
        }
    }

    /// Whether the last of `numbers` begins with a line, and not with the rest of one.
    fn begins_a_line(&mut self) -> Result<bool, ReadError> {
        let numbers = self.numbers.clone();
        for pair in numbers.windows(2).rev() {
            // What came before is gone.
            if pair[0] + 1 != pair[1] {
                break;
            }
            let length = self.length(pair[0])?;
            if length > 0 {
                let newline = self.text.newline();
                let from = length.saturating_sub(newline.len() as u64);
                return Ok(self.window(pair[0], from, length)? == newline);
            }
            // An empty one (somebody truncated it) says nothing: the line may have begun before it.
        }
        Ok(true)
    }

    fn is_too_old(&mut self, number: u64) -> Result<bool, ReadError> {
        let Some(since) = self.since else {
            return Ok(false);
        };
        Ok(self
            .segment(number)?
            .is_some_and(|segment| segment.modified() < since))
    }

    fn segment(&mut self, number: u64) -> Result<Option<&mut Segment>, ReadError> {
        if self
            .open
            .as_ref()
            .is_none_or(|segment| segment.number != number)
        {
            self.open = Segment::open(&self.dir, self.stream, number)?;
        }
        Ok(self.open.as_mut())
    }

    fn length(&mut self, number: u64) -> Result<u64, ReadError> {
        self.segment(number)?.map_or(Ok(0), |segment| segment.len())
    }

    fn window(&mut self, number: u64, from: u64, end: u64) -> Result<Vec<u8>, ReadError> {
        let size = (end - from) as usize;
        let mut window = Vec::with_capacity(size);
        if let Some(segment) = self.segment(number)? {
            while window.len() < size {
                let at = from + window.len() as u64;
                if segment.read_at(at, size - window.len(), &mut window)? == 0 {
                    break;
                }
            }
        }
        Ok(window)
    }

    fn read_block(
        &mut self,
        start: Position,
        matches: &dyn Fn(&Line) -> bool,
    ) -> Result<(), ReadError> {
        let mut series = Series::at(&self.dir, self.stream, self.text, LAST_STEP as usize, start);
        while let Some(placed) = series.next_line()? {
            if self.end.is_some_and(|end| placed.at >= end) {
                return Ok(());
            }
            if matches(&placed.line) {
                self.found.push((placed.line.time, placed.at));
            }
        }
        if self.end.is_none() {
            self.tail = series.position();
            if self.open_line
                && let Some(placed) = series.flush()?
                && matches(&placed.line)
            {
                self.found.push((placed.line.time, placed.at));
            }
        }
        Ok(())
    }
}
