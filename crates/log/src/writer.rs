//! The end that grows.
//!
//! The writer never touches the bytes: it says into which file, at which offset, they go (see
//! `abide_platform::pipe::drain`), and notes the time beforehand. What was taken is what the file's
//! size says, so nothing has to be recovered after a death.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use abide_model::{LogEncoding, LogSpec, Wall};

use crate::Stream;
use crate::disk;
use crate::fault::point;
use crate::index::{ENTRY, Entry, Index};
use crate::layout::{self, Kind};
use crate::text::encoded;

/// A segment is not sealed smaller than this, whatever the spec says: each costs two files.
const MIN_SIZE: u64 = 4096;

/// The current segment of a series.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    stream: Stream,
    number: u64,
    data: File,
    index: File,
    /// Where the next byte goes.
    size: u64,
    /// Where the next entry goes.
    index_size: u64,
    /// The last entry, to see whether any bytes came after it.
    last_entry: Option<Entry>,
    /// When the segment began.
    began: Wall,
}

impl Writer {
    /// Opens the current segment, or makes one where there is none. `known` is the highest number
    /// that was ever seen here, 0 for none: a segment that is made gets a higher one, since a reader
    /// that knows a number must not see it come again with other bytes.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(dir: &Path, stream: Stream, known: u64, now: Wall) -> io::Result<Self> {
        disk::make_private_directory(dir)?;
        let segments = layout::segments(dir, stream)?;
        match segments.last_key_value() {
            Some((&number, true))
                if number >= known && !layout::path(dir, stream, number, Kind::Packed).exists() =>
            {
                Self::reopen(dir, stream, number, now)
            }
            highest => {
                let beyond = highest.map_or(1, |(number, _)| number + 1);
                Self::create(dir, stream, beyond.max(known + 1), now)
            }
        }
    }

    fn reopen(dir: &Path, stream: Stream, number: u64, now: Wall) -> io::Result<Self> {
        // Not to append: splice(2) refuses that.
        let data = OpenOptions::new()
            .read(true)
            .write(true)
            .open(layout::path(dir, stream, number, Kind::Plain))?;
        let index = options(false).open(layout::path(dir, stream, number, Kind::Index))?;
        let size = data.metadata()?.len();
        let mut entries = Index::new(index.try_clone()?)?;
        // Entries beyond the data are of bytes that were lost with the power, or truncated away.
        let mut count = entries.count();
        while count > 0 && entries.get(count - 1)?.offset > size {
            count -= 1;
        }
        let first = if count > 0 {
            Some(entries.get(0)?)
        } else {
            None
        };
        let last_entry = if count > 0 {
            Some(entries.get(count - 1)?)
        } else {
            None
        };
        index.set_len(count * ENTRY)?;
        let began = first.map_or(now, |entry| entry.time);
        Ok(Self {
            dir: dir.to_owned(),
            stream,
            number,
            data,
            index,
            size,
            index_size: count * ENTRY,
            last_entry,
            began,
        })
    }

    fn create(dir: &Path, stream: Stream, number: u64, now: Wall) -> io::Result<Self> {
        // The index first: a segment without an index would have no times, the reverse does no harm.
        let index = options(false).open(layout::path(dir, stream, number, Kind::Index))?;
        index.set_len(0)?;
        point("rotate.index");
        let data = options(true).open(layout::path(dir, stream, number, Kind::Plain))?;
        Ok(Self {
            dir: dir.to_owned(),
            stream,
            number,
            data,
            index,
            size: 0,
            index_size: 0,
            last_entry: None,
            began: now,
        })
    }

    /// The segment's number; it only grows.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// To be called before each batch: looks at what became of the file behind our back, seals the
    /// segment if it is time to, and notes `now` for what comes. Returns whether a segment was sealed.
    ///
    /// # Errors
    /// Those of the file system. The writer is as good as before; the call can be repeated.
    pub fn prepare(&mut self, spec: &LogSpec, now: Wall) -> io::Result<bool> {
        let metadata = self.data.metadata()?;
        let path = layout::path(&self.dir, self.stream, self.number, Kind::Plain);
        let gone = disk::is_removed(&self.data, &path)?;
        // Somebody truncated it: going on at our offset would leave a hole of zeros.
        let truncated = metadata.len() < self.size;
        let rotate = gone || truncated || self.is_full(spec) || self.is_old(spec, now);
        if rotate {
            self.seal(now)?;
        } else {
            self.size = metadata.len();
        }
        self.note(now)?;
        point("capture.noted");
        Ok(rotate)
    }

    /// Whether the segment is due to be sealed for its age.
    #[must_use]
    pub fn is_old(&self, spec: &LogSpec, now: Wall) -> bool {
        self.size > 0 && spec.max_age.is_some_and(|age| self.began.after(age) <= now)
    }

    /// Begins the next segment.
    ///
    /// # Errors
    /// Those of the file system; then the current segment is still the current one.
    pub fn seal(&mut self, now: Wall) -> io::Result<()> {
        point("rotate.begin");
        let next = match Self::create(&self.dir, self.stream, self.number + 1, now) {
            // The directory was removed, or somebody else's file has the number.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                ) =>
            {
                Self::open(&self.dir, self.stream, self.number, now)?
            }
            other => other?,
        };
        point("rotate.created");
        *self = next;
        point("rotate.done");
        Ok(())
    }

    fn note(&mut self, now: Wall) -> io::Result<()> {
        let entry = Entry {
            offset: self.size,
            time: now,
        };
        // No bytes came after the last entry: overrule it instead of adding one at every retry.
        let again = self.last_entry.is_some_and(|last| last.offset == self.size);
        let at = if again {
            self.index_size - ENTRY
        } else {
            self.index_size
        };
        disk::write_all_at(&self.index, &entry.to_bytes(), at)?;
        self.index_size = at + ENTRY;
        self.last_entry = Some(entry);
        Ok(())
    }

    /// Writes a line that no program wrote, at the end. For that alone the bytes come from us.
    ///
    /// # Errors
    /// Those of the file system; then nothing counts as written, and what comes next overwrites it.
    pub fn remark(&mut self, text: &str, encoding: LogEncoding) -> io::Result<()> {
        let newline = encoded("\n", encoding);
        let mut last = vec![0; newline.len().min(self.size as usize)];
        let from = self.size - last.len() as u64;
        disk::read_exact_at(&self.data, &mut last, from)?;
        let begun = self.size > 0 && last != newline;
        let line = format!("{}{text}\n", if begun { "\n" } else { "" });
        let line = encoded(&line, encoding);
        disk::write_all_at(&self.data, &line, self.size)?;
        self.size += line.len() as u64;
        Ok(())
    }

    /// The file that the bytes go to.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.data
    }

    /// Where in it they go.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.size
    }

    /// How many bytes the segment still takes before it is to be sealed; at least 1.
    #[must_use]
    pub fn room(&self, spec: &LogSpec) -> u64 {
        max_size(spec).saturating_sub(self.size).max(1)
    }

    /// Whether the segment is due to be sealed for its size.
    #[must_use]
    pub fn is_full(&self, spec: &LogSpec) -> bool {
        self.size >= max_size(spec)
    }

    /// They are there now, up to this offset.
    pub fn advance(&mut self, offset: u64) {
        self.size = offset;
    }
}

fn max_size(spec: &LogSpec) -> u64 {
    spec.max_size.max(MIN_SIZE)
}

fn options(exclusive: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    disk::private(options.read(true).write(true));
    if exclusive {
        options.create_new(true)
    } else {
        options.create(true)
    };
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(max_size: u64) -> LogSpec {
        LogSpec {
            max_size,
            max_age: None,
            ..LogSpec::default()
        }
    }

    fn write(writer: &mut Writer, spec: &LogSpec, time: i64, bytes: &[u8]) -> bool {
        let sealed = writer.prepare(spec, Wall(time)).expect("prepared");
        disk::write_all_at(writer.file(), bytes, writer.offset()).expect("written");
        writer.advance(writer.offset() + bytes.len() as u64);
        sealed
    }

    #[test]
    fn a_full_segment_is_sealed_and_a_new_writer_goes_on_with_the_current_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let spec = spec(5000);
        let mut writer = Writer::open(dir.path(), Stream::Out, 0, Wall(1)).expect("opened");
        assert!(!write(&mut writer, &spec, 1, &[b'a'; 5000]));
        assert!(write(&mut writer, &spec, 2, b"b"));
        let mut writer = Writer::open(dir.path(), Stream::Out, 0, Wall(1)).expect("opened");
        assert_eq!((writer.number(), writer.offset()), (2, 1));
        assert!(!write(&mut writer, &spec, 3, b"c"));
        assert_eq!(
            std::fs::read(dir.path().join("out.00000002.log")).expect("read"),
            b"bc"
        );
    }

    #[test]
    fn a_truncated_or_deleted_segment_is_left_and_its_number_not_used_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let (dir, spec) = (dir.path().join("logs"), spec(5000));
        let mut writer = Writer::open(&dir, Stream::Out, 0, Wall(1)).expect("opened");
        write(&mut writer, &spec, 1, b"abc");
        File::create(dir.join("out.00000001.log")).expect("truncated");
        assert!(write(&mut writer, &spec, 2, b"d"));
        disk::remove(&dir.join("out.00000002.log")).expect("removed");
        assert!(write(&mut writer, &spec, 3, b"e"));
        assert_eq!(
            std::fs::read(dir.join("out.00000003.log")).expect("read"),
            b"e"
        );
    }

    #[test]
    fn entries_of_bytes_that_were_lost_with_the_power_are_dropped() {
        let dir = tempfile::tempdir().expect("a directory");
        let spec = spec(5000);
        let mut writer = Writer::open(dir.path(), Stream::Out, 0, Wall(1)).expect("opened");
        for time in 1..5 {
            write(&mut writer, &spec, time, b"abc");
        }
        writer.file().set_len(4).expect("cut");
        let mut writer = Writer::open(dir.path(), Stream::Out, 0, Wall(9)).expect("opened");
        write(&mut writer, &spec, 9, b"xyz");
        let mut index =
            Index::new(writer.index.try_clone().expect("a descriptor")).expect("an index");
        let times: Vec<_> = (0..7)
            .map(|at| index.time_at(at).expect("read").map(|t| t.0))
            .collect();
        assert_eq!(times, [1, 1, 1, 2, 9, 9, 9].map(Some));
    }
}
