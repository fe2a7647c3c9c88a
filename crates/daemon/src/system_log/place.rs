//! How far a system log has heard one stream, on the disk: written after each message, so that the death of this process
//! at any instant doubles one message at most.
//!
//! A file of 48 bytes that is written over: a magic, segment and offset (or the number of an event), the run, and
//! a checksum. Such a write is whole whatever becomes of the process; a loss of power may bring an older one back.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use abide_log::{Position, Stream, disk};
use abide_model::{RunId, UnitName};

const MAGIC: &[u8; 8] = b"abidesl1";
const SIZE: usize = 48;

/// A place in a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// What comes next.
    pub at: Position,
    /// Whose output was last.
    pub run: Option<RunId>,
}

/// The file of one stream's place, open to be written.
#[derive(Debug)]
pub(super) struct PlaceFile(File);

impl PlaceFile {
    /// Opens or makes it; with what it says, if it says something.
    pub fn open(path: &Path) -> io::Result<(Self, Option<Place>)> {
        if let Some(folder) = path.parent() {
            disk::make_private_directory(folder)?;
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = disk::private(options).open(path)?;
        let mut bytes = [0; SIZE];
        let said = match disk::read_exact_at(&file, &mut bytes, 0) {
            Ok(()) => parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        Ok((Self(file), said))
    }

    /// From now on it says this.
    pub fn write(&self, place: Place) -> io::Result<()> {
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(MAGIC);
        let run = place.run.map_or(0, |run| run.0);
        for (slot, number) in [place.at.segment, place.at.offset, run]
            .into_iter()
            .enumerate()
        {
            bytes[8 + slot * 8..16 + slot * 8].copy_from_slice(&number.to_le_bytes());
        }
        let sum = crc32fast::hash(&bytes[..32]);
        bytes[32..36].copy_from_slice(&sum.to_le_bytes());
        disk::write_all_at(&self.0, &bytes, 0)
    }
}

fn parse(bytes: &[u8; SIZE]) -> Option<Place> {
    let number = |at: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(number)
    };
    let sound =
        bytes.starts_with(MAGIC) && bytes[32..36] == crc32fast::hash(&bytes[..32]).to_le_bytes();
    let run = Some(number(24)).filter(|run| *run > 0);
    sound.then(|| Place {
        at: Position {
            segment: number(8),
            offset: number(16),
        },
        run: run.map(RunId),
    })
}

/// The file of the events' place in a folder.
pub(super) const EVENTS: &str = "events";

/// The name of the file of a unit's stream.
pub(super) fn file_name(unit: &UnitName, stream: Stream) -> String {
    format!("{unit}.{}", stream.name())
}

/// Removes folders of system logs that are not `wanted`, and in the others the files of units that are not there.
pub(super) fn tidy(
    root: &Path,
    wanted: &BTreeSet<String>,
    units: &BTreeSet<UnitName>,
) -> io::Result<()> {
    let entries = match std::fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let mut known: BTreeSet<String> = BTreeSet::from([EVENTS.to_owned()]);
    for unit in units {
        known.extend(Stream::ALL.map(|stream| file_name(unit, stream)));
    }
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !wanted.contains(&name) {
            std::fs::remove_dir_all(entry.path())?;
            continue;
        }
        for file in std::fs::read_dir(entry.path())? {
            let file = file?;
            if !known.contains(&*file.file_name().to_string_lossy()) {
                std::fs::remove_file(file.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_and_a_damaged_one_is_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("to").join("web.out");
        let (file, said) = PlaceFile::open(&path).expect("made");
        assert_eq!(said, None);
        let place = Place {
            at: Position {
                segment: 3,
                offset: 1 << 40,
            },
            run: Some(RunId(7)),
        };
        file.write(Place { run: None, ..place }).expect("written");
        file.write(place).expect("written");
        assert_eq!(PlaceFile::open(&path).expect("opened").1, Some(place));
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[9] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(PlaceFile::open(&path).expect("opened").1, None);
    }

    #[test]
    fn what_is_not_sent_any_more_is_forgotten() {
        let dir = tempfile::tempdir().expect("a directory");
        for file in ["a/events", "a/web.out", "a/gone.err", "b/events"] {
            PlaceFile::open(&dir.path().join(file)).expect("made");
        }
        let units = BTreeSet::from(["web".parse().expect("a name")]);
        tidy(dir.path(), &BTreeSet::from(["a".to_owned()]), &units).expect("tidied");
        let there = |file: &str| dir.path().join(file).exists();
        assert!(there("a/events") && there("a/web.out"));
        assert!(!there("a/gone.err") && !there("b"));
    }
}
