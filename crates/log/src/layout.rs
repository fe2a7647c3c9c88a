//! The names of a log directory's files.
//!
//! ```text
//! out.00000001.log.zst    sealed and compressed (its times are inside)
//! out.00000002.log        sealed; becomes .log.zst through .log.zst.tmp
//! out.00000002.idx        its times
//! out.00000003.log        the highest number: the current one
//! out.00000003.idx
//! err.00000001.log        a series of its own, where streams are split
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::Stream;

/// What a file of a log directory is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The bytes.
    Plain,
    /// The times of a plain one.
    Index,
    /// Bytes and times, compressed.
    Packed,
    /// A packed one in the making, worth nothing.
    Temporary,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "log",
            Self::Index => "idx",
            Self::Packed => "log.zst",
            Self::Temporary => "log.zst.tmp",
        }
    }
}

/// The path of a segment's file.
pub fn path(dir: &Path, stream: Stream, number: u64, kind: Kind) -> PathBuf {
    dir.join(format!("{}.{number:08}.{}", stream.name(), kind.suffix()))
}

/// What a file's name says; `None` for a file that is not ours.
pub fn parse(name: &str) -> Option<(Stream, u64, Kind)> {
    let (stream, rest) = name.split_once('.')?;
    let stream = Stream::ALL.into_iter().find(|s| s.name() == stream)?;
    let (digits, suffix) = rest.split_once('.')?;
    if digits.len() < 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let kind = [Kind::Plain, Kind::Index, Kind::Packed, Kind::Temporary]
        .into_iter()
        .find(|k| k.suffix() == suffix)?;
    Some((stream, digits.parse().ok()?, kind))
}

/// All files of the directory that are ours; none if there is no directory.
pub fn files(dir: &Path) -> io::Result<Vec<(Stream, u64, Kind)>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(entry?.file_name().to_str().and_then(parse));
    }
    Ok(found)
}

/// The segments of a series, lowest number first, each with whether its plain file is there.
///
/// A listing that runs while a segment is compressed may see neither of its two files (the new one
/// came behind its back, the old one was gone when it got there): so list until two agree.
pub fn segments(dir: &Path, stream: Stream) -> io::Result<BTreeMap<u64, bool>> {
    let list = || -> io::Result<BTreeMap<u64, bool>> {
        let mut segments = BTreeMap::new();
        for (of, number, kind) in files(dir)? {
            if of == stream && matches!(kind, Kind::Plain | Kind::Packed) {
                *segments.entry(number).or_default() |= kind == Kind::Plain;
            }
        }
        Ok(segments)
    };
    let mut seen = list()?;
    for _ in 0..10 {
        let again = list()?;
        if again.keys().eq(seen.keys()) {
            return Ok(again);
        }
        seen = again;
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_its_file_is_and_foreign_files_are_left_alone() {
        let dir = Path::new("/l");
        for kind in [Kind::Plain, Kind::Index, Kind::Packed, Kind::Temporary] {
            for number in [1, 99_999_999, 100_000_000] {
                let path = path(dir, Stream::Err, number, kind);
                let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
                assert_eq!(parse(name), Some((Stream::Err, number, kind)));
            }
        }
        for foreign in [
            "out.log",
            "out.1.log",
            "notes.txt",
            "out.0000000x.log",
            "out.00000001.log.gz",
            "in.00000001.log",
        ] {
            assert_eq!(parse(foreign), None, "{foreign}");
        }
    }
}
