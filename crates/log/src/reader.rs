//! Reading several units' lines in the order of their times.

use std::collections::{BinaryHeap, VecDeque};
use std::path::{Path, PathBuf};

use abide_model::{UnitName, Wall};

use crate::backward::Backward;
use crate::series::{Position, Series};
use crate::{Line, Query, Source, Stream};

/// Memory for blocks of all series together, and the bounds for one.
const BLOCKS: usize = 4 << 20;
const BLOCK: (usize, usize) = (4 << 10, 64 << 10);

/// A line and whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The unit that wrote it.
    pub unit: UnitName,
    /// What it wrote.
    pub line: Line,
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("read {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A compressed segment is not what it was when it was written.
    #[error("read {path}: it is damaged ({reason}); the other segments can still be read")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl ReadError {
    pub(crate) fn new(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::InvalidData => Self::Damaged {
                path,
                reason: source.to_string(),
            },
            _ => Self::Io { path, source },
        }
    }
}

/// One series of one unit, and its next line.
struct Lane {
    unit: UnitName,
    series: Series,
    next: Option<Line>,
    /// Nothing more in this round.
    dry: bool,
}

/// The lines of one or several units, merged by time. Reads files: use it on a thread that may block.
///
/// A line comes after those that its own program wrote before it, whatever the clock did; between
/// programs (and between the two series of a unit with split streams) the earlier one comes first.
pub struct Reader {
    query: Query,
    lanes: Vec<Lane>,
    /// Lines that may still be given out.
    left: Option<u64>,
    /// What went wrong while looking for the place to begin.
    troubles: VecDeque<ReadError>,
    block: usize,
}

impl Reader {
    /// Prepares the reading; with `query.last` it finds the place to begin at.
    ///
    /// # Errors
    /// A directory is there and cannot be read.
    pub fn open(sources: Vec<Source>, query: Query) -> Result<Self, ReadError> {
        let block = (BLOCKS / sources.len().max(1) / 2).clamp(BLOCK.0, BLOCK.1);
        // When following, more lines come after those that are counted.
        let left = query.last.filter(|_| !query.follow);
        let mut reader = Self {
            query,
            lanes: Vec::new(),
            left,
            troubles: VecDeque::new(),
            block,
        };
        let series = sources
            .iter()
            .flat_map(|source| Stream::ALL.map(|stream| (source, stream)));
        match reader.query.last {
            Some(last) => reader.begin_at_last(series.collect(), last)?,
            None => {
                for (source, stream) in series {
                    let series = reader.whole_series(source, stream)?;
                    reader.push(source, series);
                }
            }
        }
        Ok(reader)
    }

    fn whole_series(&self, source: &Source, stream: Stream) -> Result<Series, ReadError> {
        match self.query.since {
            Some(since) => Series::since(&source.dir, stream, source.text, self.block, since),
            None => Ok(Series::new(&source.dir, stream, source.text, self.block)),
        }
    }

    fn push(&mut self, source: &Source, series: Series) {
        self.lanes.push(Lane {
            unit: source.unit.clone(),
            series,
            next: None,
            dry: false,
        });
    }

    /// Goes back through all series at once, the latest line first, until `last` lines were passed.
    fn begin_at_last(
        &mut self,
        series: Vec<(&Source, Stream)>,
        last: u64,
    ) -> Result<(), ReadError> {
        let mut backward = Vec::with_capacity(series.len());
        for (source, stream) in &series {
            backward.push(Backward::new(
                source,
                *stream,
                self.query.since,
                !self.query.follow,
            )?);
        }
        let mut begin: Vec<Option<Position>> = vec![None; series.len()];
        let mut latest: BinaryHeap<(Wall, usize, Position)> = BinaryHeap::new();
        let query = self.query.clone();
        let matches = |line: &Line| query.matches(line);
        let mut step = |lane: usize, heap: &mut BinaryHeap<_>, troubles: &mut VecDeque<_>| {
            let found = backward[lane].next(&matches);
            match found {
                Ok(found) => heap.extend(found.map(|(time, at)| (time, lane, at))),
                // What lies before it is not looked at.
                Err(error) => troubles.push_back(error),
            }
        };
        for lane in 0..series.len() {
            step(lane, &mut latest, &mut self.troubles);
        }
        for _ in 0..last {
            let Some((_, lane, at)) = latest.pop() else {
                break;
            };
            begin[lane] = Some(at);
            step(lane, &mut latest, &mut self.troubles);
        }
        for (lane, (source, stream)) in series.into_iter().enumerate() {
            let series = match begin[lane].or(backward[lane].tail()) {
                Some(at) => Series::at(&source.dir, stream, source.text, self.block, at),
                None => self.whole_series(source, stream)?,
            };
            self.push(source, series);
        }
        Ok(())
    }

    /// One unit more, all its lines that the query wants; for units that appear while they are followed.
    ///
    /// # Errors
    /// Its directory is there and cannot be read.
    pub fn add(&mut self, source: &Source) -> Result<(), ReadError> {
        for stream in Stream::ALL {
            let series = self.whole_series(source, stream)?;
            self.push(source, series);
        }
        Ok(())
    }

    /// The next line. `None`: there is none now; when following, ask again after something was written.
    ///
    /// # Errors
    /// A segment cannot be read; the next call goes on behind it.
    pub fn next_line(&mut self) -> Result<Option<Record>, ReadError> {
        if let Some(trouble) = self.troubles.pop_front() {
            return Err(trouble);
        }
        if self.left == Some(0) {
            return Ok(None);
        }
        let mut earliest: Option<(Wall, usize)> = None;
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            lane.advance(&self.query)?;
            if let Some(line) = &lane.next
                && earliest.is_none_or(|(time, _)| line.time < time)
            {
                earliest = Some((line.time, number));
            }
        }
        let record = earliest.and_then(|(_, number)| {
            let lane = &mut self.lanes[number];
            lane.next.take().map(|line| Record {
                unit: lane.unit.clone(),
                line,
            })
        });
        if record.is_none() {
            // The next call begins a new round.
            for lane in &mut self.lanes {
                lane.dry = false;
            }
        } else if let Some(left) = &mut self.left {
            *left -= 1;
        }
        Ok(record)
    }
}

impl Lane {
    fn advance(&mut self, query: &Query) -> Result<(), ReadError> {
        while self.next.is_none() && !self.dry {
            let mut placed = self.series.next_line()?;
            if placed.is_none() && !query.follow {
                placed = self.series.flush()?;
            }
            match placed {
                Some(placed) if query.matches(&placed.line) => self.next = Some(placed.line),
                Some(_) => {}
                None => self.dry = true,
            }
        }
        Ok(())
    }
}
