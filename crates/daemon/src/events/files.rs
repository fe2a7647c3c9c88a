//! The files of the event log: `events/FIRST.jsonl`, one event a line, named by the number of the
//! first one in it. A file is ended at a size, the oldest files go.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use abide_model::Event;

/// A file is ended at this size, in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// So many files are kept, the current one included.
const KEEP: usize = 8;

/// The writer's end.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    current: Option<Current>,
    last: u64,
}

#[derive(Debug)]
struct Current {
    file: File,
    /// Bytes that hold whole lines; what is behind them is a torn write.
    len: u64,
}

impl Files {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let mut files = Self {
            dir: dir.to_owned(),
            current: None,
            last: 0,
        };
        let Some((first, path)) = list(dir)?.pop() else {
            return Ok(files);
        };
        let (last, len) = scan(&path, first)?;
        let file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(len)?;
        files.last = last;
        files.current = Some(Current { file, len });
        Ok(files)
    }

    /// The number of the last event that was written.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Writes one event. On an error nothing of it counts as written.
    pub(super) fn append(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        let current = match &mut self.current {
            Some(current) if current.len < MAX_SIZE => current,
            _ => {
                let next = self.create(event.seq)?;
                self.current.insert(next)
            }
        };
        if let Err(error) = current.file.write_all_at(&line, current.len) {
            // Else a shorter line, written over this one, would leave its end behind.
            current.file.set_len(current.len)?;
            return Err(error);
        }
        current.len += line.len() as u64;
        self.last = event.seq;
        Ok(())
    }

    fn create(&self, first: u64) -> io::Result<Current> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.dir.join(format!("{first:020}.jsonl")))?;
        let all = list(&self.dir)?;
        for (_, old) in &all[..all.len().saturating_sub(KEEP)] {
            if let Err(error) = std::fs::remove_file(old) {
                tracing::warn!(file = %old.display(), %error, "an old event file cannot be removed");
            }
        }
        Ok(Current { file, len: 0 })
    }
}

/// The number of the last whole event of a file, and how many bytes hold whole events.
fn scan(path: &Path, first: u64) -> io::Result<(u64, u64)> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut last, mut len) = (first.saturating_sub(1), 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        match serde_json::from_slice::<Event>(&line) {
            Ok(event) if line.ends_with(b"\n") => {
                last = event.seq;
                len += read as u64;
            }
            _ => return Ok((last, len)),
        }
    }
}

/// Reads events with a number greater than `after`.
pub(super) fn read(dir: &Path, after: u64, limit: usize) -> io::Result<Vec<Event>> {
    let files = list(dir)?;
    let begin = files
        .partition_point(|(first, _)| *first <= after + 1)
        .saturating_sub(1);
    let mut found = Vec::new();
    for (_, path) in &files[begin..] {
        let reader = match File::open(path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // rotated away
            Err(error) => return Err(error),
        };
        for line in reader.lines() {
            if found.len() >= limit {
                return Ok(found);
            }
            // A line that is being written, or that an older or newer daemon meant differently.
            let Ok(event) = serde_json::from_str::<Event>(&line?) else {
                continue;
            };
            if event.seq > after {
                found.push(event);
            }
        }
    }
    Ok(found)
}

/// The files, oldest first, with the number of their first event.
fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let first = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".jsonl")?.parse::<u64>().ok());
        files.extend(first.map(|first| (first, path)));
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_model::{EventKind, Wall};

    fn event(seq: u64, text: &str) -> Event {
        Event {
            seq,
            at: Wall(7),
            unit: None,
            run: None,
            kind: EventKind::Warning { text: text.into() },
        }
    }

    #[test]
    fn a_torn_last_line_is_cut_and_its_number_given_again() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut files = Files::open(dir.path()).expect("open");
        for seq in 1..=3 {
            files.append(&event(seq, "x")).expect("append");
        }
        let path = list(dir.path()).expect("list").remove(0).1;
        let whole = std::fs::read(&path).expect("read");
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("write");
            let mut files = Files::open(dir.path()).expect("open");
            let next = files.last() + 1;
            files.append(&event(next, "again")).expect("append");
            let seqs: Vec<u64> = read(dir.path(), 0, 100)
                .expect("read")
                .iter()
                .map(|e| e.seq)
                .collect();
            assert_eq!(seqs, (1..=next).collect::<Vec<_>>(), "cut at {cut}");
        }
    }

    #[test]
    fn old_files_go_and_reading_begins_in_the_right_file() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut files = Files::open(dir.path()).expect("open");
        let long = "x".repeat(100 << 10);
        for seq in 1..=120 {
            files.append(&event(seq, &long)).expect("append");
        }
        assert_eq!(list(dir.path()).expect("list").len(), KEEP);
        let found = read(dir.path(), 100, 5).expect("read");
        assert_eq!(
            found.iter().map(|e| e.seq).collect::<Vec<_>>(),
            [101, 102, 103, 104, 105]
        );
        assert!(read(dir.path(), 0, 1).expect("read")[0].seq > 1);
    }
}
