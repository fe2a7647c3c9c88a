//! What a console and the system say to this process: Ctrl-C, Ctrl-Break, the closing of the window, the end
//! of the session. (A service is told by the service manager, and has no console.)

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use abide_model::Signal;
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_SHUTDOWN_EVENT, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent};
use windows_sys::core::BOOL;

use crate::win32::{checked, owned, raw};

/// Signalled when something came.
static CAME: OnceLock<OwnedHandle> = OnceLock::new();
/// A bit for each kind that came and was not taken.
static WHICH: AtomicU32 = AtomicU32::new(0);

/// What comes, by its bit, as the signal that means the same.
const KINDS: [(u32, Signal); 4] = [
    (CTRL_C_EVENT, Signal::INT),
    (CTRL_BREAK_EVENT, Signal::INT),
    (CTRL_CLOSE_EVENT, Signal::TERM),
    (CTRL_SHUTDOWN_EVENT, Signal::TERM),
];

/// Requests to end, readable from a handle, until this process ends.
#[derive(Debug)]
pub struct Signals(&'static OwnedHandle);

impl Signals {
    /// Hears of them from now on, instead of being ended. `wanted` are known here by what means the same: an
    /// interrupt is Ctrl-C or Ctrl-Break, a request to end the closing of the window or the end of the system.
    ///
    /// # Errors
    /// Those of CreateEvent and SetConsoleCtrlHandler.
    pub fn new(_wanted: &[Signal]) -> io::Result<Self> {
        if CAME.get().is_none() {
            // SAFETY: no attributes, no name; resets itself when it is waited for; the handle is made for us.
            let event = unsafe { owned(CreateEventW(std::ptr::null(), 0, 0, std::ptr::null())) }?;
            // Somebody else may have made one at the same time: theirs is as good.
            let _ = CAME.set(event);
            // SAFETY: the handler is there for ever, and does nothing but set an event.
            checked(unsafe { SetConsoleCtrlHandler(Some(came), 1) })?;
        }
        CAME.get()
            .map(Self)
            .ok_or_else(|| io::Error::other("no event is to be had"))
    }

    /// The next one that came, if one did.
    #[must_use]
    pub fn take(&self) -> Option<Signal> {
        let which = WHICH.load(Ordering::Acquire);
        let (kind, signal) = KINDS.iter().find(|(kind, _)| which & bit(*kind) != 0)?;
        WHICH.fetch_and(!bit(*kind), Ordering::AcqRel);
        Some(*signal)
    }
}

fn bit(kind: u32) -> u32 {
    1_u32.checked_shl(kind).unwrap_or(0)
}

unsafe extern "system" fn came(kind: u32) -> BOOL {
    if !KINDS.iter().any(|(known, _)| *known == kind) {
        // The end of a user's session is not that of a service.
        return 0;
    }
    WHICH.fetch_or(bit(kind), Ordering::AcqRel);
    if let Some(event) = CAME.get() {
        // SAFETY: the event is there for ever.
        unsafe { SetEvent(raw(event)) };
    }
    if matches!(kind, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        return 1;
    }
    // After the closing of the window and at the end of the system this process ends when this returns, or after some
    // seconds, which it needs to end as it should. This thread is the system's, and made for this call.
    loop {
        std::thread::park();
    }
}

impl AsHandle for Signals {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::win32::wait;

    #[test]
    fn the_closing_of_the_window_is_told_and_the_system_waits_for_what_comes_of_it() {
        let signals = Signals::new(&[Signal::TERM]).expect("heard");
        // SAFETY: it takes a number.
        let system = std::thread::spawn(|| unsafe { came(CTRL_CLOSE_EVENT) });
        assert!(wait(&signals, Some(Duration::from_secs(60))).expect("waited"));
        assert_eq!(signals.take(), Some(Signal::TERM));
        assert_eq!(signals.take(), None);
        assert!(!system.is_finished(), "then this process would be ended");
        // SAFETY: as above.
        assert_eq!(unsafe { came(CTRL_C_EVENT) }, 1);
        assert_eq!(signals.take(), Some(Signal::INT));
    }
}
