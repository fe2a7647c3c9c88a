#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::OwnedHandle;

use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::{OpenThread, ResumeThread, THREAD_SUSPEND_RESUME};

use crate::identity::Handle;
use crate::win32::{owned, raw};

/// Sets a process going that was made suspended and never resumed, as whoever made it died just then: it has one
/// thread, and that is suspended. Whether it was one. (A program with one thread that somebody else has suspended
/// is taken for such a one: it goes on.)
///
/// # Errors
/// Those of listing threads and of opening one.
pub(crate) fn wake(process: &Handle) -> io::Result<bool> {
    let [thread] = threads(process.identity().pid)?[..] else {
        return Ok(false);
    };
    // SAFETY: takes numbers only; the handle is made for us. One that has ended meanwhile is not to be had, or
    // the number is another's, which is not suspended.
    let thread: OwnedHandle = unsafe { owned(OpenThread(THREAD_SUSPEND_RESUME, 0, thread)) }?;
    // SAFETY: the thread is held. One that is not suspended is left alone.
    match unsafe { ResumeThread(raw(&thread)) } {
        u32::MAX => Err(io::Error::last_os_error()),
        suspended => Ok(suspended > 0),
    }
}

/// The threads of a process.
fn threads(pid: u32) -> io::Result<Vec<u32>> {
    // SAFETY: takes numbers only; the handle is made for us.
    let all = unsafe { owned(CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0)) }?;
    let mut entry = THREADENTRY32 {
        dwSize: size_of::<THREADENTRY32>() as u32,
        ..THREADENTRY32::default()
    };
    let mut threads = Vec::new();
    // SAFETY: the list is ours, and the entry says its size.
    let mut more = unsafe { Thread32First(raw(&all), &mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == pid {
            threads.push(entry.th32ThreadID);
        }
        // SAFETY: as above.
        more = unsafe { Thread32Next(raw(&all), &mut entry) };
    }
    Ok(threads)
}
