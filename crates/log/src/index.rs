//! The times beside a segment: entries of 16 bytes, `{ offset: u64, time: i64 }`, little-endian.
//!
//! An entry says: from this offset on, bytes were taken at this time (nanoseconds since 1970, UTC).
//! It is written before the bytes; one whose bytes never came is overruled by the next, which has the
//! same offset. After a loss of power the end may be torn or zero: such entries are ignored.

use std::fs::File;
use std::io;

use abide_model::Wall;

use crate::disk;

/// Bytes of an entry.
pub const ENTRY: u64 = 16;
/// Entries that are read at a time.
const BLOCK: u64 = 256;

/// From this offset on, bytes came at this time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// In the segment, uncompressed.
    pub offset: u64,
    /// When.
    pub time: Wall,
}

impl Entry {
    /// As it lies in the file.
    pub fn to_bytes(self) -> [u8; ENTRY as usize] {
        let mut bytes = [0; ENTRY as usize];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..].copy_from_slice(&self.time.0.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let half = |at: usize| {
            let mut half = [0; 8];
            half.copy_from_slice(&bytes[at..at + 8]);
            half
        };
        Self {
            offset: u64::from_le_bytes(half(0)),
            time: Wall(i64::from_le_bytes(half(8))),
        }
    }
}

/// An index file that is being read, and may be growing.
#[derive(Debug)]
pub struct Index {
    file: File,
    /// Entries there are, as of the last [`Index::refresh`].
    count: u64,
    block: Vec<Entry>,
    /// Number of the block's first entry.
    block_start: u64,
    /// The entry that the last question was answered with: the next one is near.
    hint: u64,
}

impl Index {
    pub fn new(file: File) -> io::Result<Self> {
        let mut index = Self {
            file,
            count: 0,
            block: Vec::new(),
            block_start: 0,
            hint: 0,
        };
        index.refresh()?;
        Ok(index)
    }

    /// Sees entries that came since. To be called after reading data: its entries were written before it.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.block.clear();
        self.count = self.file.metadata()?.len() / ENTRY;
        while self.count > 0 && self.get(self.count - 1)?.time == Wall(0) {
            self.count -= 1;
        }
        Ok(())
    }

    /// How many entries are good.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The entry of that number, which is less than `count`.
    pub fn get(&mut self, number: u64) -> io::Result<Entry> {
        let inside = number
            .checked_sub(self.block_start)
            .filter(|&i| i < self.block.len() as u64);
        if let Some(i) = inside {
            return Ok(self.block[i as usize]);
        }
        self.block_start = number - number % BLOCK;
        let mut bytes = vec![0; (BLOCK * ENTRY) as usize];
        let mut got = 0;
        while got < bytes.len() {
            let at = self.block_start * ENTRY + got as u64;
            match disk::read_at(&self.file, &mut bytes[got..], at)? {
                0 => break,
                n => got += n,
            }
        }
        self.block = bytes[..got]
            .chunks_exact(ENTRY as usize)
            .map(Entry::from_bytes)
            .collect();
        self.block
            .get((number - self.block_start) as usize)
            .copied()
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the index became shorter while it was read",
                )
            })
    }

    /// The time of the byte at `offset`: that of the last entry that begins there or before.
    pub fn time_at(&mut self, offset: u64) -> io::Result<Option<Wall>> {
        let mut at = self.hint;
        if at >= self.count || self.get(at)?.offset > offset {
            at = match self.partition(|entry| entry.offset <= offset)? {
                0 => return Ok(None),
                beyond => beyond - 1,
            };
        }
        let near = at + 64;
        while at + 1 < self.count && self.get(at + 1)?.offset <= offset {
            at += 1;
            if at == near {
                at = self
                    .partition(|entry| entry.offset <= offset)?
                    .saturating_sub(1);
                break;
            }
        }
        self.hint = at;
        Ok(Some(self.get(at)?.time))
    }

    /// The first entry of this time or later; entries are in order of offset, not (always) of time.
    pub fn first_since(&mut self, time: Wall) -> io::Result<Option<Entry>> {
        for number in 0..self.count {
            let entry = self.get(number)?;
            if entry.time >= time {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// How many of the first entries fulfil `before`.
    fn partition(&mut self, before: impl Fn(Entry) -> bool) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.get(middle)?) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        Ok(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn index(bytes: &[u8]) -> Index {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        Index::new(file).expect("an index")
    }

    #[test]
    fn a_byte_has_the_time_of_the_last_entry_before_it() {
        let mut bytes = Vec::new();
        for i in 0..1000u64 {
            bytes.extend(
                Entry {
                    offset: i * 10,
                    time: Wall(5),
                }
                .to_bytes(),
            );
            bytes.extend(
                Entry {
                    offset: i * 10,
                    time: Wall(i as i64 + 100),
                }
                .to_bytes(),
            );
        }
        let mut index = index(&bytes);
        for offset in (0..10_050)
            .chain((0..10_050).rev())
            .chain([3, 9_999, 17, 5_000])
        {
            let expected = Wall((offset / 10).min(999) as i64 + 100);
            assert_eq!(
                index.time_at(offset).expect("read"),
                Some(expected),
                "{offset}"
            );
        }
    }

    #[test]
    fn a_torn_or_zero_end_is_ignored() {
        let mut bytes = Entry {
            offset: 0,
            time: Wall(7),
        }
        .to_bytes()
        .to_vec();
        bytes.extend([0; 32]);
        bytes.extend([1, 2, 3]);
        let mut index = index(&bytes);
        assert_eq!(index.count(), 1);
        assert_eq!(index.time_at(99).expect("read"), Some(Wall(7)));
    }
}
