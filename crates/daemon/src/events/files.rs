//! The files of the event log: `events/FIRST.jsonl`, one event a line, named by the number of the
//! first one in it. A file is ended at a size, the oldest files go.
//!
//! Each line has the version of its form. What an older abide wrote has none, and is read as well; what
//! a newer one wrote keeps its number, and is read as far as it is understood.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use abide_log::disk;
use abide_model::{EVENTS_VERSION, Event};
use serde::{Deserialize, Serialize};

/// A file is ended at this size, in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// So many files are kept, the current one included.
const KEEP: usize = 8;

/// A longer line, in bytes, is made shorter: what a configuration or a program says can have any length.
const MAX_LINE: usize = 64 << 10;

/// Characters that are left of each text of a line that was too long.
const SHORTENED: usize = 4 << 10;

/// A line of a file.
#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    #[serde(flatten)]
    event: &'a Event,
}

/// What every line has, whoever wrote it.
#[derive(Deserialize)]
struct Numbered {
    seq: u64,
}

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
        let line = line(event)?;
        let current = match &mut self.current {
            Some(current) if current.len < MAX_SIZE => current,
            _ => {
                let next = self.create(event.seq)?;
                self.current.insert(next)
            }
        };
        if let Err(error) = disk::write_all_at(&current.file, &line, current.len) {
            // Else a shorter line, written over this one, would leave its end behind.
            current.file.set_len(current.len)?;
            return Err(error);
        }
        current.len += line.len() as u64;
        self.last = event.seq;
        Ok(())
    }

    fn create(&self, first: u64) -> io::Result<Current> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true);
        let file = disk::private(options).open(self.dir.join(format!("{first:020}.jsonl")))?;
        let all = list(&self.dir)?;
        for (_, old) in &all[..all.len().saturating_sub(KEEP)] {
            if let Err(error) = disk::remove(old) {
                tracing::warn!(file = %old.display(), %error, "an old event file cannot be removed");
            }
        }
        Ok(Current { file, len: 0 })
    }
}

fn line(event: &Event) -> io::Result<Vec<u8>> {
    let v = EVENTS_VERSION;
    let mut line = serde_json::to_vec(&Line { v, event })?;
    if line.len() > MAX_LINE {
        let mut value = serde_json::to_value(Line { v, event })?;
        shorten(&mut value);
        line = serde_json::to_vec(&value)?;
    }
    line.push(b'\n');
    Ok(line)
}

fn shorten(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(SHORTENED) {
                text.truncate(end);
                text.push('…');
            }
        }
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The number of the last whole event of a file, and how many bytes hold whole events. Only what follows
/// the last one is torn; a line in between that cannot be read is left where it is.
fn scan(path: &Path, first: u64) -> io::Result<(u64, u64)> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut last, mut len, mut at) = (first.saturating_sub(1), 0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        at += reader.read_until(b'\n', &mut line)? as u64;
        if !line.ends_with(b"\n") {
            return Ok((last, len));
        }
        if let Ok(Numbered { seq }) = serde_json::from_slice(&line) {
            (last, len) = (last.max(seq), at);
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
        for line in reader.split(b'\n') {
            if found.len() >= limit {
                return Ok(found);
            }
            // A line that is being written, is damaged, or that a newer daemon meant differently.
            let Ok(event) = serde_json::from_slice::<Event>(&line?) else {
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
    fn what_older_and_newer_versions_wrote_is_read_and_numbered_on() {
        let dir = tempfile::tempdir().expect("tempdir");
        let old = r#"{"seq":1,"at":7,"unit":"web","run":3,"event":"started","pid":42}"#;
        let damaged = "\u{0}\u{0}no JSON";
        let newer = r#"{"v":2,"seq":3,"at":7,"unit":null,"run":null,"event":"teleported","to":1}"#;
        let text = format!("{old}\n{damaged}\n{newer}\n");
        std::fs::write(dir.path().join(format!("{:020}.jsonl", 1)), text).expect("write");
        let mut files = Files::open(dir.path()).expect("open");
        assert_eq!(files.last(), 3);
        files.append(&event(4, "x")).expect("append");
        let found = read(dir.path(), 0, 100).expect("read");
        let told: Vec<_> = found.iter().map(|e| (e.seq, e.kind.name())).collect();
        assert_eq!(told, [(1, "started"), (3, "unknown"), (4, "warning")]);
        let path = list(dir.path()).expect("list").remove(0).1;
        let last = std::fs::read_to_string(path).expect("read");
        let last = last.lines().last().expect("a line");
        assert!(last.starts_with(r#"{"v":1,"seq":4,"#), "{last}");
    }

    #[test]
    fn the_log_has_a_bound_whatever_is_told() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut files = Files::open(dir.path()).expect("open");
        let endless = "ü\u{1}".repeat(64 << 10);
        for seq in 1..=40 {
            files.append(&event(seq, &endless)).expect("append");
        }
        let long = "x".repeat(60 << 10);
        for seq in 41..=240 {
            files.append(&event(seq, &long)).expect("append");
        }
        let all = list(dir.path()).expect("list");
        assert_eq!(all.len(), KEEP);
        for (_, path) in all {
            let size = std::fs::metadata(path).expect("metadata").len();
            assert!(size <= MAX_SIZE + MAX_LINE as u64 + 1, "{size}");
        }
    }

    #[test]
    fn old_files_go_and_reading_begins_in_the_right_file() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut files = Files::open(dir.path()).expect("open");
        let long = "x".repeat(50 << 10);
        for seq in 1..=240 {
            files.append(&event(seq, &long)).expect("append");
        }
        assert_eq!(list(dir.path()).expect("list").len(), KEEP);
        let found = read(dir.path(), 200, 5).expect("read");
        assert_eq!(
            found.iter().map(|e| e.seq).collect::<Vec<_>>(),
            [201, 202, 203, 204, 205]
        );
        assert!(read(dir.path(), 0, 1).expect("read")[0].seq > 1);
    }
}
