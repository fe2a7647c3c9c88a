//! Output pipes, and the slot through which their content gets to a file.

#![allow(unsafe_code)]

mod slot;
mod waits;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};

use windows_sys::Win32::Foundation::GENERIC_WRITE;
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_READ_ATTRIBUTES,
    OPEN_EXISTING, PIPE_ACCESS_INBOUND,
};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, GetNamedPipeInfo, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS,
    PIPE_SERVER_END, PIPE_TYPE_BYTE, PIPE_WAIT, PeekNamedPipe, SetNamedPipeHandleState,
};

use windows_sys::Win32::System::Threading::{
    GetCurrentThread, SetThreadPriority, THREAD_MODE_BACKGROUND_BEGIN,
};

use crate::win32::{checked, owned, raw, wide};

pub use slot::{Left, Place, Slot};
pub use waits::{Token, Waits};

/// What a pipe has room for: so much a program writes though nobody takes anything.
pub const USUAL_SIZE: usize = 64 << 10;

/// A unit's output. As long as both ends are held by somebody, no program that writes to it meets an end, and
/// nothing that it wrote is lost.
#[derive(Debug)]
pub struct Pipe {
    /// Where it is taken from.
    pub reader: OwnedHandle,
    /// What runs get duplicates of, by [`writer`].
    pub writer: OwnedHandle,
}

/// A new pipe of bytes. It has a name only because Windows gives no others out that can be waited for: it takes
/// one client, which is its own other end.
///
/// # Errors
/// Those of CreateNamedPipe and CreateFile.
pub fn create() -> io::Result<Pipe> {
    let number = RandomState::new().build_hasher().finish();
    let name = wide(format!(
        r"\\.\pipe\abide-output-{}-{number:016x}",
        std::process::id()
    ))?;
    let open = PIPE_ACCESS_INBOUND | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED;
    let mode = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
    // SAFETY: the name ends with a zero, there are no attributes; each handle is made for us.
    let (reader, writer) = unsafe {
        let reader = owned(CreateNamedPipeW(
            name.as_ptr(),
            open,
            mode,
            1,
            0,
            USUAL_SIZE as u32,
            0,
            std::ptr::null(),
        ))?;
        // Programs read the attributes of their output to see what it is.
        let writer = owned(CreateFileW(
            name.as_ptr(),
            GENERIC_WRITE | FILE_READ_ATTRIBUTES,
            0,
            std::ptr::null(),
            OPEN_EXISTING,
            0,
            std::ptr::null_mut(),
        ))?;
        (reader, writer)
    };
    Ok(Pipe { reader, writer })
}

/// The end for one run. A program that had its writes not wait (`PIPE_NOWAIT`) had it so for all runs, as they
/// share what this is a duplicate of: each begins with one that waits.
///
/// # Errors
/// Those of SetNamedPipeHandleState and DuplicateHandle.
pub fn writer(held: &impl AsHandle) -> io::Result<OwnedHandle> {
    let mode = PIPE_READMODE_BYTE | PIPE_WAIT;
    // SAFETY: the pipe is borrowed, and the mode is read before this returns.
    checked(unsafe {
        SetNamedPipeHandleState(raw(held), &mode, std::ptr::null(), std::ptr::null())
    })?;
    held.as_handle().try_clone_to_owned()
}

/// Whether this is the end of a pipe that programs write to.
pub(crate) fn is_written_to(end: &impl AsHandle) -> bool {
    let (mut flags, none) = (0, std::ptr::null_mut());
    // SAFETY: the handle is borrowed for the call, and the flags go to a local; nothing else is asked for.
    let asked = checked(unsafe { GetNamedPipeInfo(raw(end), &mut flags, none, none, none) });
    asked.is_ok() && flags & PIPE_SERVER_END == 0
}

/// Bytes that are in it.
///
/// # Errors
/// Those of PeekNamedPipe: nobody holds its other end.
pub fn available(reader: &impl AsHandle) -> io::Result<u64> {
    let mut bytes = 0;
    // SAFETY: the pipe is borrowed, nothing is copied, and the number goes to a local.
    checked(unsafe {
        PeekNamedPipe(
            raw(reader),
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
            &mut bytes,
            std::ptr::null_mut(),
        )
    })?;
    Ok(u64::from(bytes))
}

/// Who writes to it may have to wait soon.
///
/// # Errors
/// As [`available`].
pub fn is_full(reader: &impl AsHandle) -> io::Result<bool> {
    Ok(available(reader)? >= USUAL_SIZE as u64 / 2)
}

/// Takes what is in it, and keeps nothing of it; how many bytes.
///
/// # Errors
/// As [`available`].
pub fn discard(reader: &impl AsHandle) -> io::Result<u64> {
    let bytes = available(reader)?;
    slot::take(reader, bytes)?;
    Ok(bytes)
}

/// The calling thread comes behind everything else, its disk accesses too.
///
/// # Errors
/// Those of SetThreadPriority.
pub fn come_last() -> io::Result<()> {
    // SAFETY: it changes only this thread's own priority.
    checked(unsafe { SetThreadPriority(GetCurrentThread(), THREAD_MODE_BACKGROUND_BEGIN) })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_pipe_holds_what_was_written_and_says_how_much() {
        let pipe = create().expect("a pipe");
        assert_eq!(available(&pipe.reader).expect("asked"), 0);
        let mut program = File::from(writer(&pipe.writer).expect("an end"));
        program.write_all(b"one\ntwo").expect("written");
        drop(program);
        assert_eq!(available(&pipe.reader).expect("asked"), 7);
        assert!(!is_full(&pipe.reader).expect("asked"));
        let mut program = File::from(writer(&pipe.writer).expect("an end"));
        program.write_all(&[0; USUAL_SIZE / 2]).expect("written");
        assert!(is_full(&pipe.reader).expect("asked"));
        let all = USUAL_SIZE as u64 / 2 + 7;
        assert_eq!(discard(&pipe.reader).expect("taken"), all);
        assert_eq!(discard(&pipe.reader).expect("taken"), 0);
    }
}
