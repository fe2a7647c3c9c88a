//! Making a compressed segment of a plain one.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use abide_model::Wall;

use super::{FRAME, Note, TABLE_MAGIC, TIMES_MAGIC, TRAILER, TRAILER_MAGIC, put_varint, zigzag};
use crate::Stream;
use crate::disk;
use crate::fault::point;
use crate::index::{Entry, Index};
use crate::layout::{self, Kind};

/// Compresses a sealed segment.
///
/// The new file gets its name when it is whole and on the disk; only then the plain one goes. Whoever
/// dies in between leaves either the plain one (and a temporary file), or both, which say the same.
///
/// # Errors
/// Those of the file system; the plain segment is as it was.
pub fn pack(dir: &Path, stream: Stream, number: u64) -> io::Result<()> {
    let plain = layout::path(dir, stream, number, Kind::Plain);
    let index = layout::path(dir, stream, number, Kind::Index);
    let temporary = layout::path(dir, stream, number, Kind::Temporary);
    let packed = layout::path(dir, stream, number, Kind::Packed);
    point("pack.begin");
    let made = write(&plain, &index, &temporary).and_then(|()| {
        point("pack.written");
        std::fs::rename(&temporary, &packed)
    });
    if let Err(error) = made {
        // The first error is the one to tell; a temporary file left behind is removed by the next tidying.
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    disk::sync_directory(dir)?;
    point("pack.renamed");
    disk::remove(&plain)?;
    point("pack.plain-gone");
    crate::retention::remove_if_there(&index)?;
    point("pack.done");
    Ok(())
}

fn write(plain: &Path, index: &Path, temporary: &Path) -> io::Result<()> {
    let data = File::open(plain)?;
    let metadata = data.metadata()?;
    let mut index = match File::open(index) {
        Ok(file) => Some(Index::new(file)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let mut file = disk::private(OpenOptions::new().write(true).create(true).truncate(true))
        .open(temporary)?;
    let mut compressor = zstd::bulk::Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?;
    compressor.include_checksum(true)?;
    let modified = metadata.modified()?;
    let fallback = modified
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(Wall(0), |since| Wall(0).after(since));

    let (mut notes, mut at, mut offset, mut next_entry) = (Vec::new(), 0, 0u64, 0);
    let mut buffer = vec![0; FRAME];
    loop {
        let mut size = 0;
        while size < FRAME {
            match disk::read_at(&data, &mut buffer[size..], offset + size as u64)? {
                0 => break,
                n => size += n,
            }
        }
        if size == 0 {
            break;
        }
        let entries = frame_times(index.as_mut(), &mut next_entry, offset, size, fallback)?;
        let frame = compressor.compress(&buffer[..size])?;
        let times = encode(&entries, offset);
        let coded = compressor.compress(&times)?;
        file.write_all(&frame)?;
        file.write_all(&TIMES_MAGIC.to_le_bytes())?;
        file.write_all(&length(&coded)?.to_le_bytes())?;
        file.write_all(&coded)?;
        let all = || entries.iter().map(|entry| entry.time.0);
        notes.push(Note {
            at,
            packed: length(&frame)?,
            times: length(&coded)?,
            times_size: length(&times)?,
            offset,
            size: length(&buffer[..size])?,
            from: all().min().unwrap_or(fallback.0),
            to: all().max().unwrap_or(fallback.0),
        });
        at += (frame.len() + 8 + coded.len()) as u64;
        offset += size as u64;
    }
    file.write_all(&table(&notes, offset)?)?;
    file.set_modified(modified)?;
    file.sync_all()
}

/// The entries that say the times of `size` bytes from `offset` on, the first one at `offset`.
fn frame_times(
    index: Option<&mut Index>,
    next: &mut u64,
    offset: u64,
    size: usize,
    fallback: Wall,
) -> io::Result<Vec<Entry>> {
    let mut entries = vec![Entry {
        offset,
        time: fallback,
    }];
    let Some(index) = index else {
        return Ok(entries);
    };
    if let Some(time) = index.time_at(offset)? {
        entries[0].time = time;
    }
    while *next < index.count() {
        let entry = index.get(*next)?;
        if entry.offset >= offset + size as u64 {
            break;
        }
        *next += 1;
        // Of several entries at one place, the last counts.
        match entries.last_mut() {
            Some(last) if last.offset >= entry.offset => {
                if entry.offset == last.offset {
                    last.time = entry.time;
                }
            }
            _ => entries.push(entry),
        }
    }
    Ok(entries)
}

fn encode(entries: &[Entry], start: u64) -> Vec<u8> {
    let (mut offset, mut time, mut out) = (start, 0, Vec::new());
    for entry in entries {
        put_varint(&mut out, entry.offset - offset);
        put_varint(&mut out, zigzag(entry.time.0.wrapping_sub(time)));
        (offset, time) = (entry.offset, entry.time.0);
    }
    out
}

fn table(notes: &[Note], total: u64) -> io::Result<Vec<u8>> {
    let mut payload = Vec::with_capacity(notes.len() * super::NOTE + TRAILER);
    for note in notes {
        payload.extend(note.to_bytes());
    }
    payload.extend(total.to_le_bytes());
    payload.extend((notes.len() as u64).to_le_bytes());
    payload.extend(crc32fast::hash(&payload).to_le_bytes());
    payload.extend([0; 4]);
    payload.extend(TRAILER_MAGIC);
    let mut frame = TABLE_MAGIC.to_le_bytes().to_vec();
    frame.extend(length(&payload)?.to_le_bytes());
    frame.extend(payload);
    Ok(frame)
}

fn length(bytes: &[u8]) -> io::Result<u32> {
    u32::try_from(bytes.len()).map_err(|_| io::Error::other("the segment is too large to compress"))
}
