//! Bytes on their way from a pipe to a file, so that whoever is killed over it has neither lost nor doubled
//! any. They lie in a file that is mapped: what a process has stored there is there for its successor.
//!
//! ```text
//!  peek ──► fill ──► the bytes are written at their place ──► consume
//!    │        │ killed here: the next one writes the same bytes to the same place, which changes nothing,
//!    │        │ and takes them from the pipe if they are still there ([`Slot::settle`])
//!    └ killed here: nothing has happened
//! ```
//!
//! Whether they are still there: the system says into the slot that it has taken them; where it was killed
//! before it could, what is in the pipe is compared. So a program that wrote just the same bytes twice may
//! lose one of them in that instant.

#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, STATUS_PENDING};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_NOT_CONTENT_INDEXED, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE,
    ReadFile,
};
use windows_sys::Win32::System::IO::{GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_ALL_ACCESS, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile,
    PAGE_READWRITE, UnmapViewOfFile,
};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;
use windows_sys::Win32::System::Threading::CreateEventW;

use crate::win32::{checked, code, owned, raw};

/// Bytes that a slot has room for.
const ROOM: usize = 64 << 10;

/// What is in [`Memory::state`].
const EMPTY: u64 = 0;
const FULL: u64 = u64::from_le_bytes(*b"full\0\0\0\x01");

/// The mapped file. Its numbers and bytes mean something while it is full.
#[repr(C)]
struct Memory {
    state: AtomicU64,
    unit: u64,
    stream: u64,
    segment: u64,
    offset: u64,
    length: u64,
    /// Of the read that takes them from the pipe.
    overlapped: OVERLAPPED,
    bytes: [u8; ROOM],
}

/// Where bytes belong. What the numbers mean is the caller's business.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Whose they are.
    pub unit: u32,
    /// Which of its streams.
    pub stream: u32,
    /// Which file.
    pub segment: u64,
    /// Where in it.
    pub offset: u64,
}

/// What somebody was moving who was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left {
    /// Where the bytes belong.
    pub place: Place,
    /// How many.
    pub length: usize,
}

/// A slot. One process has it at a time, and one thread.
#[derive(Debug)]
pub struct Slot {
    _file: File,
    memory: *mut Memory,
    event: OwnedHandle,
}

// SAFETY: the memory is mapped for this alone, and the system does not care about threads.
unsafe impl Send for Slot {}

impl Slot {
    /// The slot in this file, which is made if it is not there.
    ///
    /// # Errors
    /// Those of opening and mapping it; somebody else has it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
            .attributes(FILE_ATTRIBUTE_NOT_CONTENT_INDEXED)
            .open(path)?;
        let size = size_of::<Memory>();
        if file.metadata()?.len() != size as u64 {
            file.set_len(size as u64)?;
        }
        // SAFETY: the file is ours and as large as what is mapped; the view holds the mapping.
        let memory = unsafe {
            let mapping = owned(CreateFileMappingW(
                raw(&file),
                std::ptr::null(),
                PAGE_READWRITE,
                0,
                size as u32,
                std::ptr::null(),
            ))?;
            MapViewOfFile(raw(&mapping), FILE_MAP_ALL_ACCESS, 0, 0, size)
        };
        if memory.Value.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            _file: file,
            memory: memory.Value.cast(),
            event: event()?,
        })
    }

    fn memory(&self) -> &Memory {
        // SAFETY: it is mapped as long as this lives, of plain data that any bytes are values of, and written to
        // only by who has this alone.
        unsafe { &*self.memory }
    }

    fn memory_mut(&mut self) -> &mut Memory {
        // SAFETY: as above; no read is under way when this is called.
        unsafe { &mut *self.memory }
    }

    /// What somebody has left in it who was killed; `None`: it is empty.
    #[must_use]
    pub fn left(&self) -> Option<Left> {
        let memory = self.memory();
        let length = usize::try_from(memory.length).ok()?;
        let full = memory.state.load(Ordering::Acquire) == FULL && (1..=ROOM).contains(&length);
        full.then_some(Left {
            place: Place {
                unit: memory.unit as u32,
                stream: memory.stream as u32,
                segment: memory.segment,
                offset: memory.offset,
            },
            length,
        })
    }

    /// Copies what is in the pipe, at most so much, and leaves it there; how many bytes.
    ///
    /// # Errors
    /// Those of PeekNamedPipe: nobody holds its other end.
    pub fn peek(&mut self, pipe: &impl AsHandle, at_most: u64) -> io::Result<usize> {
        self.empty();
        let most = usize::try_from(at_most).unwrap_or(ROOM).min(ROOM);
        let got = peek(pipe, &mut self.memory_mut().bytes[..most])?;
        self.memory_mut().length = got as u64;
        Ok(got)
    }

    /// The bytes that are in it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let memory = self.memory();
        let length = usize::try_from(memory.length).unwrap_or(0);
        memory.bytes.get(..length).unwrap_or(&[])
    }

    /// What was peeked is going to be written to this place. From now on it is finished by somebody else if this
    /// process is killed.
    pub fn fill(&mut self, place: Place) {
        let memory = self.memory_mut();
        memory.unit = u64::from(place.unit);
        memory.stream = u64::from(place.stream);
        memory.segment = place.segment;
        memory.offset = place.offset;
        memory.overlapped = OVERLAPPED {
            Internal: STATUS_PENDING.cast_unsigned() as usize,
            ..OVERLAPPED::default()
        };
        memory.state.store(FULL, Ordering::Release);
    }

    /// Only the first bytes could be written.
    pub fn shorten(&mut self, length: usize) {
        let memory = self.memory_mut();
        memory.length = memory.length.min(length as u64);
    }

    /// What is in it was written: takes it from the pipe.
    ///
    /// # Errors
    /// Those of ReadFile: it stays full.
    pub fn consume(&mut self, pipe: &impl AsHandle) -> io::Result<()> {
        let length = self.bytes().len();
        self.take(pipe, length)?;
        self.empty();
        Ok(())
    }

    /// What somebody has left was written (again): takes it from the pipe, if it is still there.
    ///
    /// # Errors
    /// Those of PeekNamedPipe and ReadFile: it stays full.
    pub fn settle(&mut self, pipe: &impl AsHandle) -> io::Result<()> {
        let length = self.bytes().len();
        let overlapped = &self.memory().overlapped;
        let taken = overlapped.Internal == 0 && overlapped.InternalHigh == length;
        if !taken {
            let mut there = vec![0; length];
            let got = peek(pipe, &mut there)?;
            if got == length && there == self.bytes() {
                self.take(pipe, length)?;
            }
        }
        self.empty();
        Ok(())
    }

    /// What is in it is of no meaning.
    pub fn empty(&mut self) {
        self.memory().state.store(EMPTY, Ordering::Release);
    }

    fn take(&mut self, pipe: &impl AsHandle, length: usize) -> io::Result<()> {
        // SAFETY: it is mapped as long as this lives, and nobody else uses it meanwhile.
        let overlapped = unsafe { &raw mut (*self.memory).overlapped };
        // SAFETY: as above.
        unsafe { read_off(pipe, length as u64, &self.event, overlapped) }
    }
}

/// Takes so many bytes that are in the pipe.
pub(super) fn take(pipe: &impl AsHandle, length: u64) -> io::Result<()> {
    let mut overlapped = OVERLAPPED::default();
    // SAFETY: the structure is there until this is through.
    unsafe { read_off(pipe, length, &event()?, &raw mut overlapped) }
}

fn event() -> io::Result<OwnedHandle> {
    // SAFETY: no attributes, no name; the handle is made for us.
    unsafe { owned(CreateEventW(std::ptr::null(), 1, 0, std::ptr::null())) }
}

/// # Safety
/// The structure is there, and nobody else uses it, until this returns.
unsafe fn read_off(
    pipe: &impl AsHandle,
    mut length: u64,
    event: &OwnedHandle,
    overlapped: *mut OVERLAPPED,
) -> io::Result<()> {
    let mut taken = vec![0; ROOM.min(usize::try_from(length).unwrap_or(ROOM))];
    while length > 0 {
        let part = length.min(taken.len() as u64) as u32;
        let mut moved = 0;
        // SAFETY: what is read into is there until this is through, which it is when this is over: the wait has
        // no limit, as what is asked for is there. The rest is borrowed for the calls, or as promised.
        unsafe {
            *overlapped = OVERLAPPED {
                Internal: STATUS_PENDING.cast_unsigned() as usize,
                hEvent: raw(event),
                ..OVERLAPPED::default()
            };
            let into = taken.as_mut_ptr();
            let begun = ReadFile(raw(pipe), into, part, std::ptr::null_mut(), overlapped);
            if let Err(error) = checked(begun)
                && code(&error) != Some(ERROR_IO_PENDING)
            {
                return Err(error);
            }
            checked(GetOverlappedResult(raw(pipe), overlapped, &mut moved, 1))?;
        }
        length = length.saturating_sub(u64::from(moved));
    }
    Ok(())
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: it was mapped here, and nothing is under way.
        unsafe {
            UnmapViewOfFile(MEMORY_MAPPED_VIEW_ADDRESS {
                Value: self.memory.cast(),
            })
        };
    }
}

fn peek(pipe: &impl AsHandle, into: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    // SAFETY: the pipe is borrowed, there is room for as much as is said, and the number goes to a local.
    checked(unsafe {
        PeekNamedPipe(
            raw(pipe),
            into.as_mut_ptr().cast(),
            into.len() as u32,
            &mut got,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    })?;
    Ok(got as usize)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::{available, create, writer};
    use super::*;

    const PLACE: Place = Place {
        unit: 3,
        stream: 1,
        segment: 9,
        offset: 1 << 40,
    };

    #[test]
    fn what_was_left_is_found_with_its_place_and_taken_only_if_it_is_still_there() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("slot");
        let pipe = create().expect("a pipe");
        let mut program = File::from(writer(&pipe.writer).expect("an end"));
        program.write_all(b"one\ntwo\n").expect("written");
        for consumed in [false, true] {
            let mut slot = Slot::open(&path).expect("a slot");
            assert_eq!(slot.left(), None);
            assert_eq!(slot.peek(&pipe.reader, 4).expect("peeked"), 4);
            slot.fill(PLACE);
            let bytes = slot.bytes().to_vec();
            if consumed {
                slot.take(&pipe.reader, 4).expect("taken");
            }
            // As if it had been killed.
            drop(slot);
            let mut slot = Slot::open(&path).expect("a slot");
            let left = slot.left().expect("something");
            assert_eq!((left.place, left.length), (PLACE, 4));
            assert_eq!(slot.bytes(), bytes);
            slot.settle(&pipe.reader).expect("settled");
            assert_eq!(slot.left(), None);
        }
        assert_eq!(available(&pipe.reader).expect("asked"), 0);
    }

    #[test]
    fn what_was_consumed_before_that_could_be_said_is_known_by_what_comes_after_it() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("slot");
        let pipe = create().expect("a pipe");
        let mut program = File::from(writer(&pipe.writer).expect("an end"));
        program.write_all(b"one\ntwo\n").expect("written");
        let mut slot = Slot::open(&path).expect("a slot");
        slot.peek(&pipe.reader, 4).expect("peeked");
        slot.fill(PLACE);
        slot.take(&pipe.reader, 4).expect("taken");
        // Nobody has said that it was.
        slot.fill(PLACE);
        drop(slot);
        let mut slot = Slot::open(&path).expect("a slot");
        slot.settle(&pipe.reader).expect("settled");
        assert_eq!(slot.peek(&pipe.reader, 100).expect("peeked"), 4);
        assert_eq!(slot.bytes(), b"two\n");
        slot.shorten(1);
        slot.fill(PLACE);
        slot.consume(&pipe.reader).expect("consumed");
        assert_eq!(available(&pipe.reader).expect("asked"), 3);
    }
}
