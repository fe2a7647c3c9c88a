//! What somebody in the keeper's own process asks of the daemon, as there are no signals to pass on, and what it is to know.

#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use abide_model::{MachineEvent, Signal, Wall};
use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent};

use crate::clock::now;
use crate::win32::{checked, owned, raw};

/// Set when something was asked. Resets itself when it is waited for.
static CAME: OnceLock<OwnedHandle> = OnceLock::new();
/// A bit for each signal that was asked for and not taken.
static WHICH: AtomicU64 = AtomicU64::new(0);
/// What happened to the machine, and was not told to any daemon.
static HAPPENED: Mutex<VecDeque<(MachineEvent, Wall)>> = Mutex::new(VecDeque::new());

/// So much of it waits for a daemon; of more the oldest is forgotten.
const WAITING: usize = 64;

/// Has the keeper that this process is, or is about to be, tell its daemon what this signal says on Linux: TERM to take
/// everything down, HUP to read its files again, and so on. A daemon that is not there yet, or not any more, is told of
/// TERM when it comes, and of nothing else.
///
/// # Errors
/// Those of CreateEvent and SetEvent; `InvalidInput`: no such signal.
pub fn ask(signal: Signal) -> io::Result<()> {
    WHICH.fetch_or(bit(signal)?, Ordering::AcqRel);
    wake()
}

/// Has the keeper that this process is, or is about to be, tell its daemon that this happened just now. While no daemon is
/// there, the last 64 wait for the next one.
///
/// # Errors
/// Those of CreateEvent and SetEvent.
pub fn happened(event: MachineEvent) -> io::Result<()> {
    let mut waiting = waiting();
    if waiting.len() >= WAITING {
        waiting.pop_front();
    }
    waiting.push_back((event, now().wall));
    drop(waiting);
    wake()
}

fn wake() -> io::Result<()> {
    let event = came()?;
    // SAFETY: the event is there for ever.
    checked(unsafe { SetEvent(raw(&event)) })
}

fn waiting() -> MutexGuard<'static, VecDeque<(MachineEvent, Wall)>> {
    HAPPENED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What happened, for a daemon that is there to be told.
pub(super) fn take_happened() -> VecDeque<(MachineEvent, Wall)> {
    std::mem::take(&mut *waiting())
}

fn bit(signal: Signal) -> io::Result<u64> {
    u32::try_from(signal.0)
        .ok()
        .and_then(|number| 1_u64.checked_shl(number))
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// What is set when something was asked.
pub(super) fn came() -> io::Result<BorrowedHandle<'static>> {
    if CAME.get().is_none() {
        // SAFETY: no attributes, no name; the handle is made for us.
        let event = unsafe { owned(CreateEventW(std::ptr::null(), 0, 0, std::ptr::null())) }?;
        // Somebody else may have made one at the same time: theirs is as good.
        let _ = CAME.set(event);
    }
    CAME.get()
        .map(AsHandle::as_handle)
        .ok_or_else(|| io::Error::other("no event is to be had"))
}

/// What was asked since it was looked at last.
pub(super) fn take() -> impl Iterator<Item = Signal> {
    let which = WHICH.swap(0, Ordering::AcqRel);
    (0..64_i32).filter_map(move |number| {
        let bit = 1_u64.checked_shl(number.cast_unsigned())?;
        (which & bit != 0).then_some(Signal(number))
    })
}
