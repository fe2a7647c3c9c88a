//! Handles that pass from one process to another as numbers.

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{
    DuplicateHandle, GetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, PROCESS_DUP_HANDLE, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE,
};

use crate::win32::{checked, owned, put_into, take_out_of};

/// Puts a duplicate into another process; its number there. All numbers of handles fit into 32 bits
/// ("Interprocess communication between 32-bit and 64-bit applications" in Microsoft's documentation).
///
/// # Errors
/// Those of DuplicateHandle: that process has ended, or we may not.
pub(super) fn give(handle: &impl AsHandle, to: &impl AsHandle) -> io::Result<u32> {
    u32::try_from(put_into(to, handle)?).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Takes over what was put into this process under this number. `None`: there is no such handle.
///
/// To be called once for each number that was told.
pub(super) fn received(number: u32) -> Option<OwnedHandle> {
    let handle = number as usize as HANDLE;
    let mut flags = 0;
    // SAFETY: on a number that is no handle it fails.
    let there = number != 0 && unsafe { GetHandleInformation(handle, &mut flags) } != 0;
    there.then(|| {
        // SAFETY: it is a handle, it was made in this process for just this use, and each number is told and
        // taken once.
        unsafe { OwnedHandle::from_raw_handle(handle) }
    })
}

/// Takes over a handle that this process was started with, so that nobody inherits it any more.
pub(super) fn inherited(number: &str) -> Option<OwnedHandle> {
    let handle = received(number.parse().ok()?)?;
    no_more_inherited(&handle);
    Some(handle)
}

/// A duplicate of a handle that this process was started with, which goes on being there.
pub(super) fn duplicate(number: &str) -> Option<OwnedHandle> {
    let number: u32 = number.parse().ok()?;
    // SAFETY: this names the process itself, for ever.
    let own = unsafe { BorrowedHandle::borrow_raw(GetCurrentProcess()) };
    take_out_of(&own, number.into()).ok()
}

/// The number of a handle that a process inherits, as text.
pub(super) fn number(handle: &OwnedHandle) -> OsString {
    (handle.as_raw_handle() as usize).to_string().into()
}

/// Nobody inherits what has this number, if it is a handle.
pub(super) fn close_to_children(number: &str) {
    if let Ok(number) = number.parse::<u32>() {
        // SAFETY: on a number that is no handle it fails.
        unsafe { SetHandleInformation(number as usize as HANDLE, HANDLE_FLAG_INHERIT, 0) };
    }
}

fn no_more_inherited(handle: &OwnedHandle) {
    // SAFETY: it is ours.
    unsafe { SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, 0) };
}

/// A handle to this process that a child may inherit: it may put handles into it, and wait for its end.
pub(super) fn own_process() -> io::Result<OwnedHandle> {
    let rights = PROCESS_DUP_HANDLE | PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
    let mut own: HANDLE = std::ptr::null_mut();
    // SAFETY: all processes are this one, and the result goes to a local.
    checked(unsafe {
        DuplicateHandle(
            GetCurrentProcess(),
            GetCurrentProcess(),
            GetCurrentProcess(),
            &mut own,
            rights,
            1,
            0,
        )
    })?;
    // SAFETY: it was made for us.
    unsafe { owned(own) }
}
