//! Compressed segments: a zstd file that any `zstd -dc` reads, in frames that can be read one by one.
//!
//! ```text
//! ┌ frame: up to 256 KiB of the segment's bytes, checksummed ┐
//! └ skippable frame 0x184D2A5A: the frame's times, zstd of   ┘ repeated
//!     varints: per entry, offset and time less those before it
//! ┌ skippable frame 0x184D2A5B: the table                    ┐
//! │   per frame 48 bytes: where it lies, what it holds       │ once, at the end
//! └   trailer of 32 bytes: sizes, CRC-32, "abidelz1"         ┘
//! ```
//!
//! All numbers are little-endian. See `docs/logs.md`.

mod read;
mod write;

pub use read::Packed;
pub use write::pack;

/// Bytes of the segment in a frame: what a reader has to hold to read any line of it.
const FRAME: usize = 256 << 10;
const TIMES_MAGIC: u32 = 0x184D_2A5A;
const TABLE_MAGIC: u32 = 0x184D_2A5B;
const TRAILER_MAGIC: &[u8; 8] = b"abidelz1";
const NOTE: usize = 48;
const TRAILER: usize = 32;

/// What is known of a frame without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Note {
    /// Where the zstd frame lies in the file.
    at: u64,
    /// Its size there.
    packed: u32,
    /// Size of the payload of the skippable frame behind it.
    times: u32,
    /// Size of that once decompressed.
    times_size: u32,
    /// Where its bytes begin in the segment.
    offset: u64,
    /// How many there are.
    size: u32,
    /// The earliest and the latest time of any of them.
    from: i64,
    to: i64,
}

impl Note {
    fn to_bytes(self) -> [u8; NOTE] {
        let mut bytes = [0; NOTE];
        bytes[..8].copy_from_slice(&self.at.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.packed.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.times.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.offset.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.size.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.times_size.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.from.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.to.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            at: u64_at(bytes, 0),
            packed: u32_at(bytes, 8),
            times: u32_at(bytes, 12),
            offset: u64_at(bytes, 16),
            size: u32_at(bytes, 24),
            times_size: u32_at(bytes, 28),
            from: u64_at(bytes, 32).cast_signed(),
            to: u64_at(bytes, 40).cast_signed(),
        }
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

/// LEB128.
fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Small numbers of either sign become small numbers.
fn zigzag(number: i64) -> u64 {
    (number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were() {
        for number in [
            0,
            1,
            -1,
            63,
            -64,
            i64::MAX,
            i64::MIN,
            1_767_225_600_000_000_000,
        ] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, zigzag(number));
            assert_eq!(take_varint(&mut &bytes[..]).map(unzigzag), Some(number));
            assert_eq!(take_varint(&mut &bytes[..bytes.len() - 1]), None);
        }
    }
}
