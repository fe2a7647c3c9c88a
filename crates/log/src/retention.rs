//! What is kept of the sealed segments, and in which form.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use abide_model::{LogSpec, LogSync, Wall};

use crate::Stream;
use crate::disk;
use crate::fault::point;
use crate::layout::{self, Kind};
use crate::packed::pack;
use crate::segment::Segment;

/// A segment is compressed when it is sealed for so long. In a flood many are removed again before, and the
/// processor is needed for other things.
const SETTLE: Duration = if cfg!(feature = "faults") {
    // So that deaths between its steps are seen often.
    Duration::from_millis(300)
} else {
    Duration::from_secs(3)
};

/// A sealed segment.
struct Sealed {
    stream: Stream,
    number: u64,
    /// On the disk, its index included.
    bytes: u64,
    /// When its last bytes came: its files' time of modification, which compression keeps.
    ended: Wall,
}

/// A segment that is about to be removed because it is too old, or one too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removed {
    /// Of which series.
    pub stream: Stream,
    /// Its number.
    pub number: u64,
    /// How many bytes of output it holds.
    pub bytes: u64,
}

/// Does what is to be done in a log directory: removes what others left half done, what is too old,
/// too many or too much, and compresses what is left of the sealed segments, but not those of the last
/// moments. Returns when there will be something to do, if ever.
///
/// One thread at a time in one directory. The segment with the highest number is never touched.
///
/// # Errors
/// The first thing that could not be done; what does not depend on it was done nevertheless.
pub fn tidy(dir: &Path, spec: &LogSpec, now: Wall) -> io::Result<Option<Wall>> {
    tidy_while(dir, spec, now, &|| true, &|_| {})
}

/// As [`tidy`]; compresses nothing more once `go_on` says no, and tells of each segment before it is removed.
///
/// # Errors
/// As for [`tidy`].
pub fn tidy_while(
    dir: &Path,
    spec: &LogSpec,
    now: Wall,
    go_on: &dyn Fn() -> bool,
    removing: &dyn Fn(Removed),
) -> io::Result<Option<Wall>> {
    let mut first_error = remove_leftovers(dir).err();
    let mut sealed = Vec::new();
    let mut current_bytes = 0;
    for stream in Stream::ALL {
        let segments = layout::segments(dir, stream)?;
        let highest = segments.last_key_value().map(|(&number, _)| number);
        for &number in segments.keys() {
            let (bytes, ended) = measure(dir, stream, number)?;
            if Some(number) == highest {
                current_bytes += bytes;
            } else {
                sealed.push(Sealed {
                    stream,
                    number,
                    bytes,
                    ended,
                });
            }
        }
    }
    let (gone, kept) = choose(sealed, current_bytes, spec, now);
    for segment in &gone {
        if let Some(bytes) = size(dir, segment.stream, segment.number) {
            removing(Removed {
                stream: segment.stream,
                number: segment.number,
                bytes,
            });
        }
        point("keep.remove");
        if let Err(error) = remove(dir, segment.stream, segment.number) {
            first_error.get_or_insert(error);
        }
    }
    if spec.sync != LogSync::Never
        && let Err(error) = sync_sealed(dir, &kept)
    {
        first_error.get_or_insert(error);
    }
    let mut next = None;
    if spec.compress {
        for segment in kept.iter().take_while(|_| go_on()) {
            let plain = layout::path(dir, segment.stream, segment.number, Kind::Plain).exists();
            let settled = segment.ended.after(SETTLE);
            if plain && (segment.ended..settled).contains(&now) {
                next = next.into_iter().chain([settled]).min();
            } else if plain && let Err(error) = pack(dir, segment.stream, segment.number) {
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) => Err(error),
        None => {
            let aged = |age| kept.iter().map(move |s| s.ended.after(age)).min();
            Ok(next.into_iter().chain(spec.max_age.and_then(aged)).min())
        }
    }
}

/// Writes the plain segments of a series through to the disk, from this number on, with their times and
/// their names. May take as long as the disk does.
///
/// # Errors
/// Those of the file system.
pub fn sync(dir: &Path, stream: Stream, from: u64) -> io::Result<()> {
    let segments = match layout::segments(dir, stream) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for (&number, _) in segments.range(from..).filter(|(_, plain)| **plain) {
        sync_segment(dir, stream, number)?;
    }
    disk::sync_directory(dir)
}

/// All before the first is compressed, which takes its time.
fn sync_sealed(dir: &Path, sealed: &[Sealed]) -> io::Result<()> {
    for segment in sealed {
        sync_segment(dir, segment.stream, segment.number)?;
    }
    disk::sync_directory(dir)
}

/// One that is gone, or compressed meanwhile (which syncs it), is as good as synced.
fn sync_segment(dir: &Path, stream: Stream, number: u64) -> io::Result<()> {
    // The times first: bytes that are there have their times then.
    for kind in [Kind::Index, Kind::Plain] {
        match disk::to_sync(&layout::path(dir, stream, number, kind)) {
            Ok(file) => file.sync_data()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Splits into what goes and what stays, oldest first.
fn choose(
    mut sealed: Vec<Sealed>,
    current: u64,
    spec: &LogSpec,
    now: Wall,
) -> (Vec<Sealed>, Vec<Sealed>) {
    sealed.sort_by_key(|s| (s.ended, s.number));
    let mut left: [usize; 2] =
        Stream::ALL.map(|stream| sealed.iter().filter(|s| s.stream == stream).count());
    let mut total = current + sealed.iter().map(|s| s.bytes).sum::<u64>();
    sealed.into_iter().partition(|s| {
        let of_stream = &mut left[s.stream as usize];
        let go = *of_stream > spec.keep as usize
            || spec.max_age.is_some_and(|age| s.ended.after(age) <= now)
            || spec.max_total.is_some_and(|max| total > max);
        if go {
            *of_stream -= 1;
            total -= s.bytes;
        }
        go
    })
}

fn measure(dir: &Path, stream: Stream, number: u64) -> io::Result<(u64, Wall)> {
    let (mut bytes, mut ended) = (0, Wall(0));
    for kind in [Kind::Plain, Kind::Index, Kind::Packed] {
        match std::fs::metadata(layout::path(dir, stream, number, kind)) {
            Ok(metadata) => {
                bytes += metadata.len();
                if kind != Kind::Index {
                    let since = metadata
                        .modified()?
                        .duration_since(UNIX_EPOCH)
                        .unwrap_or_default();
                    ended = ended.max(Wall(0).after(since));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok((bytes, ended))
}

/// What a death between two steps left: temporary files, plain ones that are compressed already,
/// times without bytes.
fn remove_leftovers(dir: &Path) -> io::Result<()> {
    disk::remove_left(dir)?;
    let files = layout::files(dir)?;
    let has = |kind: Kind| -> BTreeSet<(Stream, u64)> {
        files
            .iter()
            .filter(|file| file.2 == kind)
            .map(|file| (file.0, file.1))
            .collect()
    };
    let (plain, packed) = (has(Kind::Plain), has(Kind::Packed));
    for &(stream, number, kind) in &files {
        let id = (stream, number);
        // An index above all segments is that of a segment that is about to be made.
        let highest = plain
            .iter()
            .chain(&packed)
            .filter(|of| of.0 == stream)
            .map(|of| of.1)
            .max();
        let useless = match kind {
            Kind::Temporary => true,
            Kind::Plain => packed.contains(&id),
            Kind::Index => {
                packed.contains(&id)
                    || (!plain.contains(&id) && highest.is_some_and(|high| number < high))
            }
            Kind::Packed => false,
        };
        if useless {
            remove_if_there(&layout::path(dir, stream, number, kind))?;
        }
    }
    Ok(())
}

/// How many bytes of output a segment holds; `None`: it cannot be read.
fn size(dir: &Path, stream: Stream, number: u64) -> Option<u64> {
    Segment::open(dir, stream, number).ok()??.len().ok()
}

fn remove(dir: &Path, stream: Stream, number: u64) -> io::Result<()> {
    // The times last: bytes without times would look as if they came when they were last touched.
    for kind in [Kind::Plain, Kind::Packed, Kind::Index] {
        remove_if_there(&layout::path(dir, stream, number, kind))?;
    }
    Ok(())
}

/// Removes a file; one that is not there is as good as removed.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match disk::remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn chosen(spec: &LogSpec) -> Vec<(Stream, u64)> {
        let sealed = |stream, number: u64| Sealed {
            stream,
            number,
            bytes: 100,
            ended: Wall(number.cast_signed() * HOUR),
        };
        let all = (1..=4)
            .map(|n| sealed(Stream::Out, n))
            .chain((1..=2).map(|n| sealed(Stream::Err, n)));
        let (gone, kept) = choose(all.collect(), 50, spec, Wall(5 * HOUR));
        assert_eq!(gone.len() + kept.len(), 6);
        gone.iter().map(|s| (s.stream, s.number)).collect()
    }

    #[test]
    fn too_many_too_old_and_too_much_go_the_oldest_first() {
        let all = LogSpec {
            keep: 10,
            max_age: None,
            max_total: None,
            ..LogSpec::default()
        };
        assert_eq!(chosen(&all), []);
        assert_eq!(
            chosen(&LogSpec {
                keep: 2,
                ..all.clone()
            }),
            [(Stream::Out, 1), (Stream::Out, 2)]
        );
        let aged = LogSpec {
            max_age: Some(Duration::from_secs(4 * 3600)),
            ..all.clone()
        };
        assert_eq!(chosen(&aged), [(Stream::Out, 1), (Stream::Err, 1)]);
        let sized = LogSpec {
            max_total: Some(460),
            ..all
        };
        assert_eq!(chosen(&sized), [(Stream::Out, 1), (Stream::Err, 1)]);
    }

    #[test]
    fn what_a_death_left_half_done_is_put_right() {
        let dir = tempfile::tempdir().expect("a directory");
        let names = [
            "out.00000001.log",
            "out.00000001.idx",
            "out.00000001.log.zst",
            "out.00000002.idx",
            "out.00000003.log",
            "out.00000003.log.zst.tmp",
            "out.00000004.log",
            "out.00000004.idx",
            "notes.txt",
        ];
        for name in names {
            std::fs::write(dir.path().join(name), b"").expect("written");
        }
        remove_leftovers(dir.path()).expect("tidied");
        let mut left: Vec<_> = std::fs::read_dir(dir.path())
            .expect("read")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "notes.txt",
                "out.00000001.log.zst",
                "out.00000003.log",
                "out.00000004.idx",
                "out.00000004.log"
            ]
        );
    }
}
