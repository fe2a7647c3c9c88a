//! The journal's files: reading, appending, and writing anew when one has grown too long.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use abide_log::disk;
use abide_platform::fault::point;

use super::entry::{Entry, Image};
use super::format;

/// A journal is written anew when it is larger than this and than four times what it needs.
const COMPACT_ABOVE: u64 = if cfg!(feature = "faults") {
    // So that deaths between its steps are seen often.
    64 << 10
} else {
    1 << 20
};

/// See [`COMPACT_ABOVE`].
const COMPACT_TIMES: u64 = if cfg!(feature = "faults") { 2 } else { 4 };

/// What could not be read of a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Loss {
    /// Lines in the middle that are damaged; each was skipped.
    pub damaged: usize,
    /// The last line was not whole, as after a loss of power.
    pub torn: bool,
    /// Lines that are whole, and of a kind that this version has no word for; each was skipped.
    pub foreign: usize,
}

/// The open journal of a home.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    number: u64,
    file: File,
    /// Length of the part that is known to be whole.
    len: u64,
    /// Length of what it adds up to, as it was when it was opened or last written anew.
    compact_len: u64,
}

impl Journal {
    /// Opens the newest journal of `dir`, or begins one, and reads it.
    ///
    /// # Errors
    /// The file cannot be read or created, or it was written in a format that this version does not
    /// know; nothing was touched then. Damage inside is no error: it is told in [`Loss`].
    pub fn open(dir: &Path) -> io::Result<(Self, Image, Loss)> {
        look(dir)?;
        let newest = newest(dir)?;
        let number = newest.unwrap_or(1);
        let path = dir.join(format!("journal.{number}"));
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = disk::private(options).open(&path)?;
        if newest.is_none() {
            // Else a loss of power could take the file with all that was synced into it.
            disk::sync_directory(dir)?;
        }
        let (image, loss, len) = read(&file)?;
        // A torn line must not swallow the next one.
        file.set_len(len)?;
        let journal = Self {
            dir: dir.to_owned(),
            number,
            file,
            len,
            // A daemon that is killed often must not take an ever longer journal for what is needed.
            compact_len: if len > COMPACT_ABOVE {
                write_image(&image, &mut io::sink())?
            } else {
                len
            },
        };
        journal.remove_others()?;
        Ok((journal, image, loss))
    }

    /// Appends lines; with `durable`, returns only when they would survive a loss of power.
    ///
    /// # Errors
    /// Nothing of the lines counts as written then; the file is as it was before.
    pub fn append(&mut self, lines: &[u8], durable: bool) -> io::Result<()> {
        point("store.write");
        if let Err(e) = disk::write_all_at(&self.file, lines, self.len) {
            // Half a line would be read as damage: take it back. If even that fails, the next write
            // goes to the same offset and covers it.
            let _ = self.file.set_len(self.len);
            return Err(e);
        }
        point("store.written");
        if durable {
            self.file.sync_data()?;
            point("store.synced");
        }
        self.len += lines.len() as u64;
        Ok(())
    }

    /// Whether it has grown so long that it is worth writing anew.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.len > COMPACT_ABOVE && self.len > self.compact_len.saturating_mul(COMPACT_TIMES)
    }

    /// Writes what the journal adds up to into a new file, and goes on there. Killed at any instant,
    /// either the old file or the new one is the newest whole one.
    ///
    /// # Errors
    /// The new file could not be written; the old one goes on.
    pub fn compact(&mut self) -> io::Result<()> {
        point("store.compact");
        let (image, _, _) = read(&self.file)?;
        let number = self.number + 1;
        let temporary = self.dir.join(format!("journal.{number}.tmp"));
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(true);
        let mut file = disk::private(options).open(&temporary)?;
        let mut writer = BufWriter::new(&mut file);
        let len = write_image(&image, &mut writer)?;
        writer.flush()?;
        drop(writer);
        file.sync_data()?;
        point("store.compacted");
        std::fs::rename(&temporary, self.dir.join(format!("journal.{number}")))?;
        disk::sync_directory(&self.dir)?;
        point("store.renamed");
        self.file = file;
        self.number = number;
        self.len = len;
        self.compact_len = self.len;
        self.remove_others()?;
        point("store.removed");
        Ok(())
    }

    fn remove_others(&self) -> io::Result<()> {
        let mine = format!("journal.{}", self.number);
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("journal.") && *name != mine {
                // Somebody may be reading it.
                disk::remove(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// What the newest journal of `dir` adds up to, without touching or locking anything: also beside a
/// daemon that writes it.
///
/// # Errors
/// It cannot be read, or it was written in a format that this version does not know.
pub fn look(dir: &Path) -> io::Result<(Image, Loss)> {
    let mut tries = 0;
    let file = loop {
        let Some(number) = newest(dir)? else {
            return Ok(Default::default());
        };
        match File::open(dir.join(format!("journal.{number}"))) {
            // Written anew just now, under the next number.
            Err(e) if e.kind() == io::ErrorKind::NotFound && tries < 10 => tries += 1,
            opened => break opened?,
        }
    };
    let (image, loss, _) = read(&file)?;
    format::check(&image)?;
    Ok((image, loss))
}

/// The number of the newest whole journal in `dir`.
fn newest(dir: &Path) -> io::Result<Option<u64>> {
    let mut newest = None;
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name
            .to_string_lossy()
            .strip_prefix("journal.")
            .and_then(|n| n.parse().ok());
        newest = newest.max(number);
    }
    Ok(newest)
}

/// Writes the fewest lines that add up to this state; returns their length. Line by line: those of thousands of
/// units are megabytes.
fn write_image(image: &Image, to: &mut impl Write) -> io::Result<u64> {
    let (mut line, mut len) = (Vec::new(), 0);
    for entry in image.entries() {
        line.clear();
        encode(&entry, &mut line)?;
        to.write_all(&line)?;
        len += line.len() as u64;
    }
    Ok(len)
}

/// Appends one line to `text`.
pub(super) fn encode(entry: &Entry, text: &mut Vec<u8>) -> io::Result<()> {
    let json = serde_json::to_vec(entry)?;
    let crc = crc32fast::hash(&json);
    write!(text, "{crc:08x} ")?;
    text.extend_from_slice(&json);
    text.push(b'\n');
    Ok(())
}

/// `None`: not whole. `Some(None)`: whole, and of a kind that this version has no word for.
fn decode(line: &[u8]) -> Option<Option<Entry>> {
    let (crc, json) = line.split_at_checked(9)?;
    let crc = u32::from_str_radix(std::str::from_utf8(crc.strip_suffix(b" ")?).ok()?, 16).ok()?;
    (crc == crc32fast::hash(json)).then(|| serde_json::from_slice(json).ok())
}

/// Reads all lines: what they add up to, what was lost, and the length of the whole part.
fn read(mut file: &File) -> io::Result<(Image, Loss, u64)> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let (mut image, mut loss, mut len) = (Image::default(), Loss::default(), 0);
    // Bad lines count as damage only once a good one follows: at the end they are a torn write.
    let mut bad = 0;
    let mut line = Vec::new();
    let mut offset = 0;
    loop {
        line.clear();
        let n = reader.read_until(b'\n', &mut line)?;
        if n == 0 {
            break;
        }
        offset += n as u64;
        match line.strip_suffix(b"\n").and_then(decode) {
            Some(entry) => {
                match entry {
                    Some(entry) => image.apply(entry),
                    None => loss.foreign += 1,
                }
                loss.damaged += bad;
                bad = 0;
                len = offset;
            }
            None => bad += 1,
        }
    }
    loss.torn = bad > 0;
    Ok((image, loss, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use abide_core::Change;
    use abide_model::UnitId;

    fn lines(entries: &[Entry]) -> Vec<u8> {
        let mut text = Vec::new();
        for entry in entries {
            encode(entry, &mut text).expect("encodes");
        }
        text
    }

    fn some_entries() -> Vec<Entry> {
        vec![
            Entry::Boot {
                boot: "b".into(),
                seed: 7,
            },
            Entry::NextUnit(3),
            Entry::Sources(vec![SourceRecord {
                file: "/a.toml".into(),
                argument: "/a.toml".into(),
                environment: Default::default(),
                settings: abide_config::DaemonSettings::default(),
                scale: Default::default(),
            }]),
            Entry::Core(Change::Forgotten(UnitId(2))),
            Entry::Core(Change::Halted),
        ]
    }
    use super::super::entry::SourceRecord;

    #[test]
    fn a_write_torn_at_any_byte_loses_only_itself() {
        let dir = tempfile::tempdir().expect("dir");
        let whole = lines(&some_entries());
        let before = lines(&some_entries()[..2]).len();
        for cut in before..whole.len() {
            std::fs::write(dir.path().join("journal.1"), &whole[..cut]).expect("write");
            let (mut journal, image, _) = Journal::open(dir.path()).expect("opens");
            assert_eq!((image.seed, image.next_unit), (Some(7), 3), "cut at {cut}");
            journal
                .append(&lines(&[Entry::NextUnit(9)]), true)
                .expect("append");
            let (_, image, loss) = Journal::open(dir.path()).expect("opens");
            assert_eq!(
                (image.next_unit, loss),
                (9, Loss::default()),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_skipped_and_told() {
        let dir = tempfile::tempdir().expect("dir");
        let mut text = lines(&some_entries());
        text[20] ^= 1;
        std::fs::write(dir.path().join("journal.1"), &text).expect("write");
        let (_, image, loss) = Journal::open(dir.path()).expect("opens");
        assert_eq!((loss.damaged, loss.torn), (1, false));
        assert_eq!((image.next_unit, image.halted), (3, true));
    }

    #[test]
    fn writing_anew_keeps_the_state_and_leaves_one_file() {
        let dir = tempfile::tempdir().expect("dir");
        let (mut journal, _, _) = Journal::open(dir.path()).expect("opens");
        for _ in 0..100 {
            journal
                .append(&lines(&some_entries()), false)
                .expect("append");
        }
        let (before, _, _) = read(&journal.file).expect("reads");
        journal.compact().expect("compacts");
        journal
            .append(&lines(&[Entry::Core(Change::Halted)]), true)
            .expect("append");
        let (_, after, _) = Journal::open(dir.path()).expect("opens");
        assert_eq!(before, after);
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 1);
    }

    /// A line of one of `n` units, as the `i`th event.
    fn event(i: u32, n: u32) -> Entry {
        Entry::StoredNames(UnitId(i % n), vec![(i.into(), "x".repeat(200))])
    }

    #[test]
    fn what_is_written_anew_does_not_outgrow_what_is_written_whatever_the_number_of_units() {
        for n in [10, 1_000, 10_000] {
            let dir = tempfile::tempdir().expect("dir");
            let (mut journal, _, _) = Journal::open(dir.path()).expect("opens");
            let (mut appended, mut anew) = (0, 0);
            for start in (0..50_000).step_by(100) {
                let batch: Vec<Entry> = (start..start + 100).map(|i| event(i, n)).collect();
                let text = lines(&batch);
                journal.append(&text, false).expect("append");
                appended += text.len() as u64;
                if journal.is_long() {
                    journal.compact().expect("compacts");
                    anew += journal.len;
                }
            }
            assert!(anew > 0 && anew <= appended, "{n}: {anew} of {appended}");
        }
    }

    #[test]
    fn a_journal_stays_short_however_often_it_is_opened() {
        let dir = tempfile::tempdir().expect("dir");
        for start in (0..50_000).step_by(1_000) {
            let (mut journal, _, _) = Journal::open(dir.path()).expect("opens");
            let batch: Vec<Entry> = (start..start + 1_000).map(|i| event(i, 100)).collect();
            journal.append(&lines(&batch), false).expect("append");
            if journal.is_long() {
                journal.compact().expect("compacts");
            }
            assert!(journal.len < 2 * COMPACT_ABOVE, "{}", journal.len);
        }
    }

    #[test]
    fn a_death_while_writing_anew_leaves_the_old_state() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join("journal.1"), lines(&some_entries())).expect("write");
        std::fs::write(dir.path().join("journal.2.tmp"), b"half a fi").expect("write");
        let (_, image, loss) = Journal::open(dir.path()).expect("opens");
        assert_eq!((image.next_unit, loss), (3, Loss::default()));
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 1);
    }

    #[test]
    fn a_newer_format_is_refused_and_nothing_is_touched() {
        let dir = tempfile::tempdir().expect("dir");
        let mut text = lines(&some_entries());
        text.extend(lines(&[Entry::Format {
            format: format::FORMAT + 1,
            by: "9.9.9".into(),
        }]));
        // What only a later version has a word for, and a line that a loss of power tore.
        let later = r#"{"later":1}"#;
        writeln!(text, "{:08x} {later}", crc32fast::hash(later.as_bytes())).expect("write");
        text.extend(b"0123");
        let path = dir.path().join("journal.1");
        std::fs::write(&path, &text).expect("write");
        let error = Journal::open(dir.path()).expect_err("refused").to_string();
        assert!(error.contains("abide 9.9.9 wrote it in format"), "{error}");
        assert_eq!(std::fs::read(&path).expect("read"), text);
        assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 1);
    }

    #[test]
    fn a_line_of_an_unknown_kind_is_counted_and_is_no_damage() {
        let dir = tempfile::tempdir().expect("dir");
        let mut text = Vec::new();
        let later = r#"{"later":1}"#;
        writeln!(text, "{:08x} {later}", crc32fast::hash(later.as_bytes())).expect("write");
        text.extend(lines(&some_entries()));
        std::fs::write(dir.path().join("journal.1"), &text).expect("write");
        let (image, loss) = look(dir.path()).expect("reads");
        assert_eq!((loss.foreign, loss.damaged, loss.torn), (1, 0, false));
        assert_eq!(image.next_unit, 3);
    }
}
