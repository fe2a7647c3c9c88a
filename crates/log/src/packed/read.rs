//! Reading a compressed segment, a frame at a time.

use std::fs::File;
use std::io;

use abide_model::Wall;

use super::{NOTE, Note, TRAILER, TRAILER_MAGIC, take_varint, u32_at, u64_at, unzigzag};
use crate::disk::read_exact_at;
use crate::index::Entry;

/// A compressed segment that is being read.
#[derive(Debug)]
pub struct Packed {
    file: File,
    notes: Vec<Note>,
    total: u64,
    /// The frame in memory: its number, bytes and times.
    frame: Option<(usize, Vec<u8>, Vec<Entry>)>,
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl Packed {
    /// Reads the table. `InvalidData` if it is not what was written.
    pub fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let trailer_at = length
            .checked_sub(TRAILER as u64)
            .ok_or_else(|| damaged("it is too short"))?;
        let mut trailer = [0; TRAILER];
        read_exact_at(&file, &mut trailer, trailer_at)?;
        if &trailer[24..] != TRAILER_MAGIC {
            return Err(damaged("its table is missing"));
        }
        let (total, count) = (u64_at(&trailer, 0), u64_at(&trailer, 8));
        let size = count
            .checked_mul(NOTE as u64)
            .filter(|&size| size <= trailer_at);
        let size = size.ok_or_else(|| damaged("its table is cut off"))?;
        let mut table = vec![0; size as usize + 16];
        read_exact_at(&file, &mut table, trailer_at - size)?;
        if crc32fast::hash(&table) != u32_at(&trailer, 16) {
            return Err(damaged("its table has a wrong checksum"));
        }
        let notes = table[..size as usize]
            .chunks_exact(NOTE)
            .map(Note::from_bytes)
            .collect();
        Ok(Self {
            file,
            notes,
            total,
            frame: None,
        })
    }

    /// Uncompressed bytes.
    pub fn len(&self) -> u64 {
        self.total
    }

    fn load(&mut self, number: usize) -> io::Result<(&[u8], &[Entry])> {
        if self
            .frame
            .as_ref()
            .is_none_or(|(loaded, ..)| *loaded != number)
        {
            let note = self.notes[number];
            let mut packed = vec![0; note.packed as usize];
            read_exact_at(&self.file, &mut packed, note.at)?;
            let bytes = zstd::bulk::decompress(&packed, note.size as usize)
                .map_err(|_| damaged("a frame cannot be decompressed"))?;
            let mut coded = vec![0; note.times as usize];
            let at = note.at + u64::from(note.packed) + 8;
            read_exact_at(&self.file, &mut coded, at)?;
            let coded = zstd::bulk::decompress(&coded, note.times_size as usize)
                .map_err(|_| damaged("a frame's times cannot be decompressed"))?;
            let entries = decode(&coded, note.offset)
                .ok_or_else(|| damaged("a frame's times make no sense"))?;
            self.frame = Some((number, bytes, entries));
        }
        let (_, bytes, entries) = self
            .frame
            .as_ref()
            .ok_or_else(|| damaged("a frame went missing"))?;
        Ok((bytes, entries))
    }

    /// The frame that holds the byte at `offset`.
    fn frame_of(&self, offset: u64) -> Option<usize> {
        let beyond = self.notes.partition_point(|note| note.offset <= offset);
        beyond.checked_sub(1).filter(|_| offset < self.total)
    }

    /// Appends up to `want` bytes from `offset` on; 0 at the end. Never reads more than one frame.
    pub fn read_at(&mut self, offset: u64, want: usize, out: &mut Vec<u8>) -> io::Result<usize> {
        let Some(number) = self.frame_of(offset) else {
            return Ok(0);
        };
        let start = (offset - self.notes[number].offset) as usize;
        let (bytes, _) = self.load(number)?;
        let piece = bytes.get(start..).unwrap_or_default();
        let piece = &piece[..piece.len().min(want)];
        out.extend_from_slice(piece);
        Ok(piece.len())
    }

    /// The time of the byte at `offset`.
    pub fn time_at(&mut self, offset: u64) -> io::Result<Option<Wall>> {
        let Some(number) = self.frame_of(offset) else {
            return Ok(None);
        };
        let (_, entries) = self.load(number)?;
        let beyond = entries.partition_point(|entry| entry.offset <= offset);
        Ok(beyond.checked_sub(1).map(|i| entries[i].time))
    }

    /// The first entry of this time or later. Reads only the frame that has it.
    pub fn first_since(&mut self, time: Wall) -> io::Result<Option<Entry>> {
        let Some(number) = self.notes.iter().position(|note| note.to >= time.0) else {
            return Ok(None);
        };
        let (_, entries) = self.load(number)?;
        Ok(entries.iter().copied().find(|entry| entry.time >= time))
    }
}

fn decode(mut coded: &[u8], start: u64) -> Option<Vec<Entry>> {
    let (mut offset, mut time, mut entries) = (start, 0i64, Vec::new());
    while !coded.is_empty() {
        offset = offset.checked_add(take_varint(&mut coded)?)?;
        time = time.wrapping_add(unzigzag(take_varint(&mut coded)?));
        entries.push(Entry {
            offset,
            time: Wall(time),
        });
    }
    Some(entries)
}
