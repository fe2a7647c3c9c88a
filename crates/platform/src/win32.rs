//! What all calls to Windows share: texts in UTF-16, answers as `io::Result`, handles that close
//! themselves.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, ERROR_INTERNAL_ERROR, FILETIME, HANDLE,
    INVALID_HANDLE_VALUE, WAIT_FAILED, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, INFINITE, Sleep, WaitForMultipleObjects, WaitForSingleObject,
};
use windows_sys::core::BOOL;

/// How often the making of a process is tried.
const TRIES: u32 = 3;

/// Makes a process, once more when it ended before it could begin. That is how `ERROR_INTERNAL_ERROR` of CreateProcess is
/// read: Wine 8 says so of one in some hundred on a busy machine, and the next try succeeds. Nothing of such a process is left.
///
/// # Errors
/// Those of CreateProcess.
pub(crate) fn begun<T>(mut make: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut tried = 1;
    loop {
        match make() {
            Err(error) if code(&error) == Some(ERROR_INTERNAL_ERROR) && tried < TRIES => tried += 1,
            made => return made,
        }
    }
}

/// A text for Windows, with the zero that ends it.
///
/// # Errors
/// `InvalidInput`: there is a zero in it.
pub(crate) fn wide(text: impl AsRef<OsStr>) -> io::Result<Vec<u16>> {
    let mut units: Vec<u16> = text.as_ref().encode_wide().collect();
    if units.contains(&0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "there is a zero character in it",
        ));
    }
    units.push(0);
    Ok(units)
}

/// An absolute path for a call that takes at most `longest` characters: a longer one gets the prefix that lifts
/// the limit.
pub(crate) fn long(file: PathBuf, longest: usize) -> PathBuf {
    // With backslashes alone, and without dots, as nothing is put right behind the prefix.
    let file = std::path::absolute(&file).unwrap_or(file);
    let text = file.to_string_lossy();
    if text.encode_utf16().count() <= longest || text.starts_with(r"\\?\") {
        return file;
    }
    match text.strip_prefix(r"\\") {
        Some(share) => PathBuf::from(format!(r"\\?\UNC\{share}")),
        None => PathBuf::from(format!(r"\\?\{text}")),
    }
}

/// `FALSE` as the error of the calling thread.
pub(crate) fn checked(answer: BOOL) -> io::Result<()> {
    if answer == 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// The answer of a call that returns its error.
pub(crate) fn answered(error: u32) -> io::Result<()> {
    match error {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error.cast_signed())),
    }
}

/// A handle that was just made; null and `INVALID_HANDLE_VALUE` as the error of the calling thread.
///
/// # Safety
/// Nobody else closes it.
pub(crate) unsafe fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is valid, and the caller gives it away.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// The number of a handle, for a call that borrows it.
pub(crate) fn raw(handle: &impl AsHandle) -> HANDLE {
    handle.as_handle().as_raw_handle()
}

/// A duplicate in this process that children can inherit.
pub(crate) fn inheritable(handle: &impl AsHandle) -> io::Result<OwnedHandle> {
    let mut new: HANDLE = std::ptr::null_mut();
    // SAFETY: both processes are this one, the handle is borrowed, the result goes to a local.
    checked(unsafe {
        DuplicateHandle(
            GetCurrentProcess(),
            raw(handle),
            GetCurrentProcess(),
            &mut new,
            0,
            1,
            DUPLICATE_SAME_ACCESS,
        )
    })?;
    // SAFETY: it was made for us.
    unsafe { owned(new) }
}

/// Puts a duplicate into another process; its number there.
///
/// # Errors
/// Those of DuplicateHandle: that process has ended, or we may not.
pub(crate) fn put_into(process: &impl AsHandle, handle: &impl AsHandle) -> io::Result<u64> {
    let mut there: HANDLE = std::ptr::null_mut();
    // SAFETY: both are borrowed for the call, and the number goes to a local.
    checked(unsafe {
        DuplicateHandle(
            GetCurrentProcess(),
            raw(handle),
            raw(process),
            &mut there,
            0,
            0,
            DUPLICATE_SAME_ACCESS,
        )
    })?;
    Ok(there as usize as u64)
}

/// A duplicate of what has this number in another process.
///
/// # Errors
/// Those of DuplicateHandle: that process has ended, or has closed the handle, or we may not.
pub(crate) fn take_out_of(process: &impl AsHandle, number: u64) -> io::Result<OwnedHandle> {
    let there = usize::try_from(number).unwrap_or(0) as HANDLE;
    let mut taken: HANDLE = std::ptr::null_mut();
    // SAFETY: the process is borrowed, the result goes to a local; a number that is no handle is refused.
    checked(unsafe {
        DuplicateHandle(
            raw(process),
            there,
            GetCurrentProcess(),
            &mut taken,
            0,
            0,
            DUPLICATE_SAME_ACCESS,
        )
    })?;
    // SAFETY: it was made for us just now.
    unsafe { owned(taken) }
}

/// Waits until an object is signalled, at most so long (`None`: for ever); whether it is.
pub(crate) fn wait(handle: &impl AsHandle, at_most: Option<Duration>) -> io::Result<bool> {
    // SAFETY: the handle is borrowed for the call.
    match unsafe { WaitForSingleObject(raw(handle), milliseconds(at_most)) } {
        WAIT_OBJECT_0 => Ok(true),
        WAIT_TIMEOUT => Ok(false),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until one of these objects is signalled, at most so long (`None`: for ever): the first one that is. At
/// most 64, and at least one if there is no limit.
pub(crate) fn wait_any(
    handles: &[BorrowedHandle<'_>],
    at_most: Option<Duration>,
) -> io::Result<Option<usize>> {
    let list: Vec<HANDLE> = handles.iter().map(raw).collect();
    let count = list.len() as u32;
    let answer = if list.is_empty() {
        // SAFETY: takes a number. Nothing is signalled then.
        unsafe { Sleep(milliseconds(at_most)) };
        WAIT_TIMEOUT
    } else {
        // SAFETY: the handles are borrowed for the call, and as many as is said.
        unsafe { WaitForMultipleObjects(count, list.as_ptr(), 0, milliseconds(at_most)) }
    };
    match answer {
        WAIT_TIMEOUT => Ok(None),
        WAIT_FAILED => Err(io::Error::last_os_error()),
        index => Ok(usize::try_from(index.wrapping_sub(WAIT_OBJECT_0)).ok()),
    }
}

/// Rounded up, so that a wait never ends before its time; `None`: for ever.
pub(crate) fn milliseconds(time: Option<Duration>) -> u32 {
    time.map_or(INFINITE, |time| {
        let milliseconds = time.as_nanos().div_ceil(1_000_000);
        u32::try_from(milliseconds)
            .unwrap_or(INFINITE - 1)
            .min(INFINITE - 1)
    })
}

/// Units of 100 ns since 1601, UTC.
pub(crate) fn ticks(time: FILETIME) -> u64 {
    u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)
}

/// The number that Windows gave for an error.
pub(crate) fn code(error: &io::Error) -> Option<u32> {
    error.raw_os_error().map(i32::cast_unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_never_shorter_than_asked_for() {
        assert_eq!(milliseconds(None), u32::MAX);
        assert_eq!(milliseconds(Some(Duration::ZERO)), 0);
        assert_eq!(milliseconds(Some(Duration::from_nanos(1))), 1);
        assert_eq!(milliseconds(Some(Duration::from_millis(7))), 7);
        assert_eq!(milliseconds(Some(Duration::MAX)), u32::MAX - 1);
    }

    #[test]
    fn a_process_that_ended_before_it_began_is_made_again_and_not_for_ever() {
        let internal = || io::Error::from_raw_os_error(ERROR_INTERNAL_ERROR.cast_signed());
        let mut answers = vec![Ok(7), Err(internal())];
        assert_eq!(
            begun(|| answers.pop().expect("asked twice")).expect("made"),
            7
        );
        let mut asked = 0;
        let made = begun(|| -> io::Result<()> {
            asked += 1;
            Err(internal())
        });
        assert_eq!(
            (made.map_err(|error| code(&error)), asked),
            (Err(Some(1359)), 3)
        );
        let missing = begun(|| -> io::Result<()> {
            asked += 1;
            Err(io::Error::from_raw_os_error(2))
        });
        assert_eq!(
            (missing.map_err(|error| code(&error)), asked),
            (Err(Some(2)), 4)
        );
    }

    #[test]
    fn a_text_with_a_zero_in_it_is_refused() {
        assert_eq!(wide("ä").expect("a text"), [0xe4, 0]);
        assert!(wide("a\0b").is_err());
    }
}
