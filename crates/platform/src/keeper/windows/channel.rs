//! A pipe of messages between two processes, of which neither ever waits for the other.

#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::Arc;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, GENERIC_READ, GENERIC_WRITE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_WRITE_ATTRIBUTES,
    OPEN_EXISTING, PIPE_ACCESS_DUPLEX, ReadFile, WriteFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_MESSAGE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_MESSAGE,
    PIPE_WAIT, SetNamedPipeHandleState,
};
use windows_sys::Win32::System::Threading::CreateEventW;

use crate::keeper::wire::{BATCH, Frame, SIZE};
use crate::win32::{checked, code, owned, raw, wait, wide};

/// Bytes of a message at most.
const MESSAGE: usize = BATCH * SIZE;

/// Bytes that may be on their way: so much is written though nobody reads.
const ROOM: u32 = 1 << 16;

/// Both ends of a new pipe. It has a name only because Windows gives no others out: it takes one client,
/// which is the second end.
///
/// # Errors
/// Those of CreateNamedPipe and CreateFile.
pub(super) fn pair() -> io::Result<(OwnedHandle, OwnedHandle)> {
    let number = RandomState::new().build_hasher().finish();
    let name = wide(format!(
        r"\\.\pipe\abide-line-{}-{number:016x}",
        std::process::id()
    ))?;
    let mode = PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
    let open = PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED;
    // SAFETY: the name ends with a zero, there are no attributes; each handle is made for us.
    let (one, other) = unsafe {
        let one = owned(CreateNamedPipeW(
            name.as_ptr(),
            open,
            mode,
            1,
            ROOM,
            ROOM,
            0,
            std::ptr::null(),
        ))?;
        let other = owned(CreateFileW(
            name.as_ptr(),
            GENERIC_READ | GENERIC_WRITE | FILE_WRITE_ATTRIBUTES,
            0,
            std::ptr::null(),
            OPEN_EXISTING,
            FILE_FLAG_OVERLAPPED,
            std::ptr::null_mut(),
        ))?;
        (one, other)
    };
    let by_message = PIPE_READMODE_MESSAGE;
    // SAFETY: the pipe is ours, and the mode is read before this returns.
    checked(unsafe {
        SetNamedPipeHandleState(raw(&other), &by_message, std::ptr::null(), std::ptr::null())
    })?;
    Ok((one, other))
}

/// What the system reads into or writes from, until it is through.
struct Memory {
    overlapped: OVERLAPPED,
    bytes: [u8; MESSAGE],
}

/// A read or a write, of which at most one is under way.
pub(super) struct Operation {
    pipe: Arc<OwnedHandle>,
    /// Signalled when it is through.
    event: OwnedHandle,
    /// From a box. While the operation is under way it is the system's.
    memory: *mut Memory,
    under_way: bool,
}

// SAFETY: the memory belongs to this alone, or to the system, which does not care about threads.
unsafe impl Send for Operation {}
// SAFETY: shared references only lead to the event.
unsafe impl Sync for Operation {}

impl Operation {
    pub fn new(pipe: &Arc<OwnedHandle>) -> io::Result<Self> {
        // SAFETY: no attributes, no name; the handle is made for us.
        let event = unsafe { owned(CreateEventW(std::ptr::null(), 1, 0, std::ptr::null())) }?;
        let memory = Box::new(Memory {
            overlapped: OVERLAPPED::default(),
            bytes: [0; MESSAGE],
        });
        Ok(Self {
            pipe: Arc::clone(pipe),
            event,
            memory: Box::into_raw(memory),
            under_way: false,
        })
    }

    /// The memory, which the system has not.
    fn memory(&mut self) -> Option<&mut Memory> {
        // SAFETY: it is from a box that is freed with this; nobody else has a reference to it, as
        // nothing is under way.
        (!self.under_way).then(|| unsafe { &mut *self.memory })
    }

    /// Begins to read a message.
    ///
    /// # Errors
    /// The other end is gone.
    pub fn read(&mut self) -> io::Result<()> {
        let event = raw(&self.event);
        let Some(memory) = self.memory() else {
            return Ok(());
        };
        memory.overlapped = OVERLAPPED {
            hEvent: event,
            ..OVERLAPPED::default()
        };
        let bytes = memory.bytes.as_mut_ptr();
        // SAFETY: the memory is as large as is said, and is neither freed nor touched until this is through.
        let answer = checked(unsafe {
            ReadFile(
                raw(&self.pipe),
                bytes,
                MESSAGE as u32,
                std::ptr::null_mut(),
                &raw mut (*self.memory).overlapped,
            )
        });
        self.begun(answer)
    }

    /// Begins to write a message, of which it takes a copy; at most [`MESSAGE`] bytes.
    ///
    /// # Errors
    /// The other end is gone; or it is too long.
    pub fn write(&mut self, message: &[u8]) -> io::Result<()> {
        let event = raw(&self.event);
        let place = self
            .memory()
            .and_then(|memory| memory.bytes.get_mut(..message.len()));
        let Some(place) = place else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        place.copy_from_slice(message);
        let length = message.len() as u32;
        // SAFETY: nothing is under way; the memory is as large as is said, and is neither freed nor touched
        // until this is through.
        let answer = checked(unsafe {
            (*self.memory).overlapped = OVERLAPPED {
                hEvent: event,
                ..OVERLAPPED::default()
            };
            WriteFile(
                raw(&self.pipe),
                (&raw const (*self.memory).bytes).cast(),
                length,
                std::ptr::null_mut(),
                &raw mut (*self.memory).overlapped,
            )
        });
        self.begun(answer)
    }

    fn begun(&mut self, answer: io::Result<()>) -> io::Result<()> {
        match answer {
            Err(error) if code(&error) != Some(ERROR_IO_PENDING) => Err(error),
            // Also what was through at once is asked for by `done`.
            _ => {
                self.under_way = true;
                Ok(())
            }
        }
    }

    /// Whether something was begun, and nobody has heard that it is through.
    pub fn under_way(&self) -> bool {
        self.under_way
    }

    /// How many bytes were moved; `None`: it is not through.
    ///
    /// # Errors
    /// The other end is gone.
    pub fn done(&mut self) -> io::Result<Option<usize>> {
        let mut moved = 0;
        // SAFETY: what is asked about was begun on this pipe, the number goes to a local.
        let answer = checked(unsafe {
            GetOverlappedResult(
                raw(&self.pipe),
                &raw const (*self.memory).overlapped,
                &mut moved,
                0,
            )
        });
        match answer {
            Err(error) if code(&error) == Some(ERROR_IO_INCOMPLETE) => Ok(None),
            answer => {
                self.under_way = false;
                answer.map(|()| Some(moved as usize))
            }
        }
    }

    /// What was read last.
    pub fn bytes(&mut self, length: usize) -> &[u8] {
        self.memory()
            .and_then(|memory| memory.bytes.get(..length))
            .unwrap_or(&[])
    }

    /// Waits until it is through, at most so long; whether it is.
    ///
    /// # Errors
    /// Those of WaitForSingleObject.
    pub fn wait(&self, at_most: Option<Duration>) -> io::Result<bool> {
        if self.under_way {
            wait(&self.event, at_most)
        } else {
            Ok(true)
        }
    }

    /// Signalled when it is through.
    pub fn event(&self) -> BorrowedHandle<'_> {
        self.event.as_handle()
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if self.under_way {
            let mut moved = 0;
            // SAFETY: it was begun on this pipe. It is through when this returns: cancelled, or done after all.
            unsafe {
                CancelIoEx(raw(&self.pipe), &raw const (*self.memory).overlapped);
                GetOverlappedResult(
                    raw(&self.pipe),
                    &raw const (*self.memory).overlapped,
                    &mut moved,
                    1,
                );
            }
        }
        // SAFETY: it is from a box, and the system is through with it.
        drop(unsafe { Box::from_raw(self.memory) });
    }
}

/// What there is to read.
pub(super) enum Received {
    Message(Vec<Frame>),
    Nothing,
    /// The other end is gone, and all is read.
    End,
}

/// What became of what is to be written.
#[derive(PartialEq, Eq)]
pub(super) enum Sent {
    Yes,
    /// As far as the pipe took it.
    Later,
    /// The other end is gone.
    Never,
}

/// An end of a pipe of frames.
pub(super) struct Channel {
    reading: Operation,
    writing: Operation,
    out: VecDeque<Frame>,
    ended: bool,
}

impl Channel {
    pub fn new(pipe: &Arc<OwnedHandle>) -> io::Result<Self> {
        let mut channel = Self {
            reading: Operation::new(pipe)?,
            writing: Operation::new(pipe)?,
            out: VecDeque::new(),
            ended: false,
        };
        channel.ended = channel.reading.read().is_err();
        Ok(channel)
    }

    pub fn receive(&mut self) -> Received {
        if self.ended {
            return Received::End;
        }
        match self.reading.done() {
            Ok(None) => Received::Nothing,
            Ok(Some(length)) => {
                let frames = self.reading.bytes(length).as_chunks::<SIZE>().0.iter();
                let frames = frames.map(|bytes| Frame::from_bytes(*bytes)).collect();
                self.ended = self.reading.read().is_err();
                Received::Message(frames)
            }
            Err(_) => {
                self.ended = true;
                Received::End
            }
        }
    }

    /// To be written with the next [`Channel::flush`].
    pub fn push(&mut self, frame: Frame) {
        self.out.push_back(frame);
    }

    /// Writes what the pipe takes now.
    pub fn flush(&mut self) -> Sent {
        loop {
            if self.writing.under_way() {
                match self.writing.done() {
                    Ok(None) => return Sent::Later,
                    Ok(Some(_)) => {}
                    Err(_) => return self.never(),
                }
            }
            if self.out.is_empty() {
                return Sent::Yes;
            }
            let most = BATCH.min(self.out.len());
            let message: Vec<u8> = self.out.drain(..most).flat_map(Frame::to_bytes).collect();
            if self.writing.write(&message).is_err() {
                return self.never();
            }
        }
    }

    fn never(&mut self) -> Sent {
        self.out.clear();
        Sent::Never
    }

    /// Something waits to be written.
    pub fn wants_write(&self) -> bool {
        self.writing.under_way() || !self.out.is_empty()
    }

    /// Signalled when there is something to be received.
    pub fn readable(&self) -> BorrowedHandle<'_> {
        self.reading.event()
    }

    /// Signalled when the pipe has taken what was written; while something waits to be.
    pub fn writable(&self) -> Option<BorrowedHandle<'_>> {
        self.writing.under_way().then(|| self.writing.event())
    }

    /// Nothing more will come: not to be waited for.
    pub fn ended(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeper::wire::Kind;

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    fn ends() -> (Channel, Channel) {
        let (one, other) = pair().expect("a pipe");
        let end = |pipe| Channel::new(&Arc::new(pipe)).expect("an end");
        (end(one), end(other))
    }

    fn next(channel: &mut Channel) -> Option<Vec<Frame>> {
        loop {
            match channel.receive() {
                Received::Message(frames) => return Some(frames),
                Received::End => return None,
                Received::Nothing => assert!(wait(&channel.readable(), LONG).expect("asked")),
            }
        }
    }

    fn number(n: u32) -> Frame {
        Frame::new(Kind::TAKEN, n, [0; 4])
    }

    #[test]
    fn what_was_written_is_read_though_the_writer_is_gone_and_then_it_ends() {
        for turned in [false, true] {
            let (one, other) = ends();
            let (mut from, mut to) = if turned { (other, one) } else { (one, other) };
            assert!(matches!(to.receive(), Received::Nothing));
            for n in 0..150 {
                from.push(number(n));
            }
            assert!(from.flush() == Sent::Yes);
            drop(from);
            let mut read = Vec::new();
            while let Some(frames) = next(&mut to) {
                assert!(frames.len() <= BATCH);
                read.extend(frames.iter().map(|frame| frame.unit));
            }
            assert_eq!(read, (0..150).collect::<Vec<_>>());
        }
    }

    #[test]
    fn who_does_not_read_is_not_waited_for_and_gets_all_in_the_end() {
        let (mut from, mut to) = ends();
        let all = 20_000;
        for n in 0..all {
            from.push(number(n));
        }
        assert!(from.flush() == Sent::Later);
        assert!(from.wants_write());
        let mut read = 0;
        while read < all {
            for frame in next(&mut to).expect("there is more") {
                assert_eq!(frame.unit, read);
                read += 1;
            }
            from.flush();
        }
        assert!(from.flush() == Sent::Yes);
        drop(to);
        from.push(number(0));
        while from.flush() == Sent::Later {
            let through = from.writable().expect("under way");
            assert!(wait(&through, LONG).expect("asked"));
        }
        assert!(next(&mut from).is_none());
    }
}
