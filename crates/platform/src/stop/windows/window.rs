#![allow(unsafe_code)]

use std::io;

use windows_sys::Win32::Foundation::{HWND, LPARAM};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumWindows, GW_OWNER, GetWindow, GetWindowThreadProcessId, PostMessageW, WM_CLOSE,
};
use windows_sys::core::BOOL;

struct Search<'a> {
    pids: &'a [u32],
    found: Vec<HWND>,
}

/// Asks the windows of these processes to close; how many were asked. Those that belong to another window
/// go with it.
pub(super) fn close(pids: &[u32]) -> io::Result<usize> {
    let mut search = Search {
        pids,
        found: Vec::new(),
    };
    // SAFETY: the search lives until this returns, which is when it is called for the last time. That there
    // is no desktop to look at is an error, and means that there is no window.
    unsafe { EnumWindows(Some(look), (&raw mut search) as LPARAM) };
    let asked = search.found.iter().filter(|window| {
        // SAFETY: a window that is gone is refused.
        unsafe { PostMessageW(**window, WM_CLOSE, 0, 0) != 0 }
    });
    Ok(asked.count())
}

unsafe extern "system" fn look(window: HWND, search: LPARAM) -> BOOL {
    // SAFETY: it is the search of the call that this one is made in.
    let search = unsafe { &mut *(search as *mut Search<'_>) };
    let mut pid = 0;
    // SAFETY: takes a window, and writes to a local.
    let owner = unsafe {
        GetWindowThreadProcessId(window, &mut pid);
        GetWindow(window, GW_OWNER)
    };
    if owner.is_null() && search.pids.contains(&pid) {
        search.found.push(window);
    }
    1
}
