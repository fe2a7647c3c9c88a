//! One stream of one unit on its way to one system log.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use abide_log::{Gap, Placed, Position, ReadError, Removed, Series, Stream, Text};
use abide_model::{RunId, UnitName, Wall};

use super::away::{Sender, Stopped};
use super::line::{Whose, with_entry};
use super::place::{Place, PlaceFile};
use crate::capture::LogMark;

/// Lines after which others have their turn.
const TURN: usize = 256;

/// Bytes that are read at a time.
const BLOCK: usize = 64 << 10;

/// So many damaged places are passed over in one turn.
const DAMAGED: usize = 16;

/// Where it stands, and how it goes on.
pub(super) struct Lane {
    stream: Stream,
    dir: PathBuf,
    text: Text,
    place: PathBuf,
    /// Where to begin, if nothing says so.
    since: Wall,
    open: Option<Open>,
    /// The next line begins here, as far as it is known.
    at: Option<Position>,
    run: Option<RunId>,
    begins: VecDeque<Begin>,
    /// Bytes that were read so far.
    read: u64,
    /// It could not be handed over.
    held: Option<Placed>,
    /// Segments that retention has removed, and their bytes, as far as they were not read before.
    removed: BTreeMap<u64, u64>,
    warned: bool,
}

struct Open {
    series: Series,
    place: Option<PlaceFile>,
}

/// Where a run's output begins.
struct Begin {
    run: RunId,
    /// Behind this place by so many bytes; `None`: at this time.
    at: Option<(Position, u64)>,
    since: Wall,
    /// The first byte, counted as in `read`, once it is known.
    byte: Option<u64>,
}

/// What a turn came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// Everything is sent.
    Dry,
    /// There is more.
    More,
}

/// What a lane needs to send.
pub(super) struct Means<'a> {
    pub unit: &'a UnitName,
    pub host: &'a str,
    pub sender: &'a mut Sender,
    pub ending: &'a AtomicBool,
    /// There is news of runs: a line that was read just now may be of one that has begun meanwhile.
    pub news: &'a dyn Fn() -> bool,
    /// The process of a run.
    pub processes: &'a VecDeque<(RunId, u32)>,
}

impl Lane {
    pub fn new(stream: Stream, dir: PathBuf, text: Text, place: PathBuf, since: Wall) -> Self {
        Self {
            stream,
            dir,
            text,
            place,
            since,
            open: None,
            at: None,
            run: None,
            begins: VecDeque::new(),
            read: 0,
            held: None,
            removed: BTreeMap::new(),
            warned: false,
        }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Lets go of its files, unless a line waits.
    pub fn close(&mut self) {
        if self.held.is_none() {
            self.open = None;
        }
    }

    /// It is not needed any more.
    pub fn forget(self) {
        if let Err(error) = std::fs::remove_file(&self.place)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.place.display(), %error, "cannot remove");
        }
    }

    pub fn begins(&mut self, run: RunId, mark: &LogMark, since: Wall) {
        let mark = mark.streams.iter().find(|mark| mark.stream == self.stream);
        self.begins.push_back(Begin {
            run,
            at: mark.and_then(|mark| Some((mark.at?, mark.pending))),
            since,
            byte: None,
        });
    }

    /// This run is there, since then.
    pub fn runs(&mut self, run: RunId, since: Wall) {
        if self.run != Some(run) && self.begins.iter().all(|begin| begin.run != run) {
            self.begins.push_back(Begin {
                run,
                at: None,
                since,
                byte: None,
            });
        }
    }

    /// Finds out where to begin, and writes it down, so that what comes from now on is not missed.
    pub fn begin(&mut self, unit: &UnitName) {
        match self.reach() {
            Ok(()) => self.note_place(),
            Err(error) => self.unreadable(unit, &error),
        }
    }

    fn unreadable(&mut self, unit: &UnitName, error: &ReadError) {
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(%unit, %error, "its output cannot be sent to a system log");
        }
    }

    /// Sends what is there, for one turn; with `rest`, a line without a newline at the end, too.
    pub fn turn(&mut self, means: &mut Means<'_>, rest: bool) -> Result<Turn, Stopped> {
        if let Err(error) = self.reach() {
            self.unreadable(means.unit, &error);
            return Ok(Turn::Dry);
        }
        for _ in 0..TURN {
            let Some(placed) = self.next(means, rest) else {
                self.note_place();
                return Ok(Turn::Dry);
            };
            if (means.news)() {
                self.held = Some(placed);
                return Ok(Turn::More);
            }
            self.whose(&placed);
            let process = means
                .processes
                .iter()
                .find(|(run, _)| Some(*run) == self.run);
            let whose = Whose {
                unit: means.unit,
                run: self.run,
                process: process.map(|(_, process)| *process),
                host: means.host,
            };
            let sender = &mut *means.sender;
            let ending = means.ending;
            if let Err(stopped) = with_entry(&placed, whose, |entry| sender.deliver(entry, ending))
            {
                self.held = Some(placed);
                return Err(stopped);
            }
            self.read += placed.length;
            self.note_place();
        }
        Ok(Turn::More)
    }

    /// Opens what is to be read, at the place that was written down.
    fn reach(&mut self) -> Result<(), ReadError> {
        if self.open.is_some() {
            return Ok(());
        }
        let (file, said) = match PlaceFile::open(&self.place) {
            Ok((file, said)) => (Some(file), said),
            Err(error) => {
                if !std::mem::replace(&mut self.warned, true) {
                    tracing::warn!(path = %self.place.display(), %error,
                        "how far a system log has heard it cannot be written down: what was sent may be sent again");
                }
                (None, None)
            }
        };
        if let (None, Some(said)) = (self.at, said) {
            self.at = Some(said.at);
            self.run = self.run.or(said.run);
        }
        let series = match self.at {
            Some(at) => Series::at(&self.dir, self.stream, self.text, BLOCK, at),
            None => {
                let series = Series::since(&self.dir, self.stream, self.text, BLOCK, self.since)?;
                match series.position() {
                    Some(_) => series,
                    None => Series::at(&self.dir, self.stream, self.text, BLOCK, NOTHING),
                }
            }
        };
        self.open = Some(Open {
            series,
            place: file,
        });
        Ok(())
    }

    /// The next line. What is missing before it is counted.
    fn next(&mut self, means: &mut Means<'_>, rest: bool) -> Option<Placed> {
        if self.held.is_some() {
            return self.held.take();
        }
        for _ in 0..DAMAGED {
            let series = &mut self.open.as_mut()?.series;
            let next = match series.next_line() {
                Ok(None) if rest => series.flush(),
                other => other,
            };
            let gap = series.take_gap();
            if let Some(gap) = gap {
                self.miss(gap, means);
            }
            match next {
                Ok(next) => return next,
                Err(error) => {
                    tracing::warn!(unit = %means.unit, %error, "a part of its output cannot be sent to a system log");
                    means
                        .sender
                        .lose(Some(means.unit), 0, 1, "a segment cannot be read");
                }
            }
        }
        None
    }

    /// Whose this line is: that of the last run that began before it.
    fn whose(&mut self, placed: &Placed) {
        while let Some(begin) = self.begins.front_mut() {
            let begun = match begin.at {
                None => placed.line.time >= begin.since,
                Some((at, pending)) => {
                    if placed.at.segment == at.segment {
                        let first =
                            (self.read + at.offset + pending).saturating_sub(placed.at.offset);
                        begin.byte = Some(first);
                    } else if placed.at.segment > at.segment {
                        begin.byte.get_or_insert(self.read);
                    }
                    begin.byte.is_some_and(|byte| self.read >= byte)
                }
            };
            if !begun {
                return;
            }
            self.run = Some(begin.run);
            self.begins.pop_front();
        }
    }

    fn note_place(&mut self) {
        let Some(open) = &self.open else { return };
        let at = open.series.position().unwrap_or(NOTHING);
        if self.at == Some(at) {
            return;
        }
        self.at = Some(at);
        let place = Place { at, run: self.run };
        if let Some(file) = &open.place
            && let Err(error) = file.write(place)
            && !std::mem::replace(&mut self.warned, true)
        {
            tracing::warn!(path = %self.place.display(), %error,
                "how far a system log has heard it cannot be written down: what was sent may be sent again");
        }
    }

    /// Retention has removed a segment.
    pub fn removing(&mut self, removed: Removed) {
        if removed.stream == self.stream {
            if let Some(at) = self.at {
                self.removed = self.removed.split_off(&at.segment);
            }
            self.removed.insert(removed.number, removed.bytes);
        }
    }

    /// Counts what was removed before it was sent, if it is not being read.
    pub fn settle_removed(&mut self, means: &mut Means<'_>) {
        if self.open.is_some() || self.removed.is_empty() {
            return;
        }
        let Some(mut at) = self.at else {
            return;
        };
        let mut lost = 0;
        for (number, bytes) in std::mem::take(&mut self.removed) {
            if number < at.segment {
                continue;
            }
            let sent = if number == at.segment { at.offset } else { 0 };
            lost += bytes.saturating_sub(sent);
            at = Position {
                segment: number + 1,
                offset: 0,
            };
        }
        self.at = Some(at);
        if lost > 0 {
            means.sender.lose(Some(means.unit), lost, 0, DELETED);
        }
    }

    /// Counts what is missing.
    fn miss(&mut self, gap: Gap, means: &mut Means<'_>) {
        let mut later = self.removed.split_off(&gap.from.segment);
        let kept = later.split_off(&gap.to.max(gap.from.segment));
        let gone = std::mem::replace(&mut self.removed, kept);
        drop(gone);
        let (mut lost, mut known) = (0, 0);
        for (number, bytes) in later {
            if number == gap.from.segment {
                lost += bytes.saturating_sub(gap.from.offset);
            } else {
                lost += bytes;
                known += 1;
            }
        }
        let between = gap.to.saturating_sub(gap.from.segment + 1);
        // Of those that somebody else has removed, nobody knows the size.
        let unknown = between.saturating_sub(known);
        if lost > 0 || unknown > 0 {
            means.sender.lose(Some(means.unit), lost, unknown, DELETED);
        }
    }
}

/// The place where there is no segment yet.
const NOTHING: Position = Position {
    segment: 0,
    offset: 0,
};

const DELETED: &str = "segments were deleted before they were sent";
