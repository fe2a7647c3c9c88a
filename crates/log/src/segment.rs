//! A segment that is being read, plain or compressed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use abide_model::Wall;

use crate::disk;
use crate::index::Index;
use crate::layout::{self, Kind};
use crate::packed::Packed;
use crate::{ReadError, Stream};

/// One segment. Both forms hold the same bytes at the same offsets.
#[derive(Debug)]
pub struct Segment {
    pub number: u64,
    path: PathBuf,
    data: Data,
    /// When the file was last written: the time of bytes that no index entry covers.
    modified: Wall,
}

#[derive(Debug)]
enum Data {
    Plain(File, Option<Index>),
    Packed(Packed),
}

impl Segment {
    /// Opens whichever form is there; `None` if neither is.
    pub fn open(dir: &Path, stream: Stream, number: u64) -> Result<Option<Self>, ReadError> {
        // The plain one may become the compressed one between the two looks, never the reverse.
        let plain = layout::path(dir, stream, number, Kind::Plain);
        let packed = layout::path(dir, stream, number, Kind::Packed);
        if let Some(file) = open(&plain)? {
            let index = open(&layout::path(dir, stream, number, Kind::Index))?;
            // Without times it is about to go, if the compressed one is there.
            if index.is_some() || !packed.exists() {
                let told = |error| ReadError::new(&plain, error);
                let modified = modified(&file).map_err(told)?;
                let index = index.map(Index::new).transpose().map_err(told)?;
                return Ok(Some(Self {
                    number,
                    path: plain,
                    data: Data::Plain(file, index),
                    modified,
                }));
            }
        }
        let Some(file) = open(&packed)? else {
            return Ok(None);
        };
        let told = |error| ReadError::new(&packed, error);
        let modified = modified(&file).map_err(told)?;
        let data = Data::Packed(Packed::new(file).map_err(told)?);
        Ok(Some(Self {
            number,
            path: packed,
            data,
            modified,
        }))
    }

    /// When its last bytes came, as far as it was written when it was opened.
    pub fn modified(&self) -> Wall {
        self.modified
    }

    /// Bytes there are now.
    pub fn len(&self) -> Result<u64, ReadError> {
        match &self.data {
            Data::Plain(file, _) => Ok(file
                .metadata()
                .map_err(|error| ReadError::new(&self.path, error))?
                .len()),
            Data::Packed(packed) => Ok(packed.len()),
        }
    }

    /// Appends up to `want` bytes from `offset` on; 0 at the end, as it is now.
    pub fn read_at(
        &mut self,
        offset: u64,
        want: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, ReadError> {
        let read = match &mut self.data {
            Data::Plain(file, index) => read_plain(file, index.as_mut(), offset, want, out),
            Data::Packed(packed) => packed.read_at(offset, want, out),
        };
        read.map_err(|error| ReadError::new(&self.path, error))
    }

    /// The time at which the byte at `offset` came. Knows of bytes that `read_at` has returned.
    pub fn time_at(&mut self, offset: u64) -> Result<Wall, ReadError> {
        let time = match &mut self.data {
            Data::Plain(_, Some(index)) => index.time_at(offset),
            Data::Plain(_, None) => Ok(None),
            Data::Packed(packed) => packed.time_at(offset),
        };
        Ok(time
            .map_err(|error| ReadError::new(&self.path, error))?
            .unwrap_or(self.modified))
    }

    /// Where the first bytes of this time or later begin; the end if there are none.
    pub fn offset_since(&mut self, time: Wall) -> Result<u64, ReadError> {
        let entry = match &mut self.data {
            Data::Plain(_, Some(index)) => index.first_since(time),
            Data::Plain(_, None) => {
                return if self.modified >= time {
                    Ok(0)
                } else {
                    self.len()
                };
            }
            Data::Packed(packed) => packed.first_since(time),
        };
        match entry.map_err(|error| ReadError::new(&self.path, error))? {
            Some(entry) => Ok(entry.offset.min(self.len()?)),
            None => self.len(),
        }
    }
}

fn read_plain(
    file: &File,
    index: Option<&mut Index>,
    offset: u64,
    want: usize,
    out: &mut Vec<u8>,
) -> io::Result<usize> {
    let start = out.len();
    out.resize(start + want, 0);
    let got = loop {
        match disk::read_at(file, &mut out[start..], offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other,
        }
    };
    out.truncate(start + got.as_ref().copied().unwrap_or(0));
    // The bytes first: their entries were written before them.
    if matches!(got, Ok(n) if n > 0)
        && let Some(index) = index
    {
        index.refresh()?;
    }
    got
}

fn modified(file: &File) -> io::Result<Wall> {
    let since = file
        .metadata()?
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(Wall(0).after(since))
}

fn open(path: &Path) -> Result<Option<File>, ReadError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ReadError::new(path, error)),
    }
}
