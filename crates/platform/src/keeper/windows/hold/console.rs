//! On a console the keeper has keeper and daemon hear Ctrl-C at once. The daemon decides what it means.

#![allow(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

use crate::win32::checked;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// On a thread of the system.
unsafe extern "system" fn heard(event: u32) -> BOOL {
    INTERRUPTED.store(true, Ordering::Relaxed);
    // When the console or the session ends, the process does so with this handler's return, or after some
    // seconds: those are the daemon's, to take everything down.
    if matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        return 1;
    }
    loop {
        std::thread::park();
    }
}

/// From now on it does not end this process.
pub fn ignore_ctrl_c() -> io::Result<()> {
    // SAFETY: the handler is a function that lives as long as the program.
    checked(unsafe { SetConsoleCtrlHandler(Some(heard), 1) })
}

/// It came.
pub fn was_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
