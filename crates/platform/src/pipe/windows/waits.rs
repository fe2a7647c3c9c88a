//! Waiting for output of many pipes at once, for a time, and for being called.
//!
//! A read of no bytes ends when there is something to read; it takes nothing. A pipe cannot be given to a
//! completion port, since it would be that port's for ever and outlive it. So each read has an event, which
//! the system's pool waits for, and which calls at the port.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::ReadFile;
use windows_sys::Win32::System::IO::{
    CancelIoEx, CreateIoCompletionPort, GetOverlappedResult, GetQueuedCompletionStatus, OVERLAPPED,
    PostQueuedCompletionStatus,
};
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD,
    WT_EXECUTEONLYONCE,
};

use crate::win32::{checked, code, milliseconds, owned, raw};

/// What a wait ends with: chosen by the caller.
pub type Token = u64;

/// A set of pipes that are waited for.
#[derive(Debug)]
pub struct Waits {
    port: Arc<OwnedHandle>,
    pipes: Mutex<HashMap<Token, Armed>>,
    /// An event that is never set, for a wait that ends by its time.
    never: OwnedHandle,
    timer: Mutex<Option<Registration>>,
}

impl Waits {
    /// An empty set.
    ///
    /// # Errors
    /// Those of CreateIoCompletionPort and CreateEvent.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no file, no attributes, no name; the handles are made for us.
        let (port, never) = unsafe {
            let port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, std::ptr::null_mut(), 0, 0);
            (owned(port)?, event()?)
        };
        Ok(Self {
            port: Arc::new(port),
            pipes: Mutex::default(),
            never,
            timer: Mutex::default(),
        })
    }

    /// Ends one wait with this token.
    ///
    /// # Errors
    /// Those of PostQueuedCompletionStatus.
    pub fn call(&self, token: Token) -> io::Result<()> {
        post(&self.port, token)
    }

    /// Ends one wait with this token as soon as there is something in the pipe. Once: then it is to be asked for
    /// again. Replaces what was asked for with this token before.
    ///
    /// # Errors
    /// Those of CreateEvent and RegisterWaitForSingleObject. That nobody holds its other end is no error, and
    /// calls at once.
    pub fn arm(&self, token: Token, pipe: &Arc<OwnedHandle>) -> io::Result<()> {
        let before = held(&self.pipes).remove(&token);
        drop(before);
        let armed = Armed::new(Arc::clone(pipe), &self.port, token)?;
        held(&self.pipes).insert(token, armed);
        Ok(())
    }

    /// Nothing is waited for with this token any more, though it may have been called already.
    pub fn disarm(&self, token: Token) {
        let before = held(&self.pipes).remove(&token);
        drop(before);
    }

    /// Ends one wait with this token after this time. Once, and instead of what was asked for before.
    ///
    /// # Errors
    /// Those of RegisterWaitForSingleObject.
    pub fn call_after(&self, time: Duration, token: Token) -> io::Result<()> {
        let before = held(&self.timer).take();
        drop(before);
        let new = Registration::new(&self.never, Some(time), &self.port, token)?;
        *held(&self.timer) = Some(new);
        Ok(())
    }

    /// Waits for the next token.
    ///
    /// # Errors
    /// Those of GetQueuedCompletionStatus.
    pub fn next(&self) -> io::Result<Token> {
        let (mut bytes, mut token) = (0, 0);
        let mut overlapped: *mut OVERLAPPED = std::ptr::null_mut();
        // SAFETY: the port is ours, the answers go to locals.
        checked(unsafe {
            GetQueuedCompletionStatus(
                raw(&*self.port),
                &mut bytes,
                &mut token,
                &mut overlapped,
                INFINITE,
            )
        })?;
        Ok(token as Token)
    }
}

fn post(port: &impl AsHandle, token: Token) -> io::Result<()> {
    // SAFETY: the port is borrowed; the rest are numbers.
    checked(unsafe { PostQueuedCompletionStatus(raw(port), 0, token as usize, std::ptr::null()) })
}

/// # Safety
/// None is needed: it makes a handle for the caller.
unsafe fn event() -> io::Result<OwnedHandle> {
    // SAFETY: no attributes, no name; the handle is made for us.
    unsafe { owned(CreateEventW(std::ptr::null(), 1, 0, std::ptr::null())) }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing can panic while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A read of no bytes, and the wait for its end.
#[derive(Debug)]
struct Armed {
    registration: Option<Registration>,
    event: OwnedHandle,
    pipe: Arc<OwnedHandle>,
    /// From a box; the system's while the read is under way.
    overlapped: *mut OVERLAPPED,
    under_way: bool,
}

// SAFETY: the memory belongs to this alone, or to the system, which does not care about threads.
unsafe impl Send for Armed {}

impl Armed {
    fn new(pipe: Arc<OwnedHandle>, port: &Arc<OwnedHandle>, token: Token) -> io::Result<Self> {
        // SAFETY: it makes a handle for us.
        let event = unsafe { event() }?;
        let overlapped = Box::into_raw(Box::new(OVERLAPPED {
            hEvent: raw(&event),
            ..OVERLAPPED::default()
        }));
        let mut armed = Self {
            registration: None,
            event,
            pipe,
            overlapped,
            under_way: false,
        };
        // SAFETY: no byte is read; the structure is neither freed nor touched until this is through.
        let begun = checked(unsafe {
            ReadFile(
                raw(&*armed.pipe),
                std::ptr::null_mut(),
                0,
                std::ptr::null_mut(),
                armed.overlapped,
            )
        });
        match begun {
            Err(error) if code(&error) != Some(ERROR_IO_PENDING) => post(port, token)?,
            _ => {
                armed.under_way = true;
                armed.registration = Some(Registration::new(&armed.event, None, port, token)?);
            }
        }
        Ok(armed)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        // Before the event goes that it waits for.
        self.registration = None;
        if self.under_way {
            let mut none = 0;
            // SAFETY: it was begun on this pipe. It is through when this returns: cancelled, or done after all.
            unsafe {
                CancelIoEx(raw(&*self.pipe), self.overlapped);
                GetOverlappedResult(raw(&*self.pipe), self.overlapped, &mut none, 1);
            }
        }
        // SAFETY: it is from a box, and the system is through with it.
        drop(unsafe { Box::from_raw(self.overlapped) });
    }
}

/// What the pool calls with.
struct Call {
    port: Arc<OwnedHandle>,
    token: Token,
}

/// A wait of the system's pool, which calls once.
#[derive(Debug)]
struct Registration {
    wait: HANDLE,
    call: *mut Call,
}

// SAFETY: both belong to this alone until it is dropped; the pool only reads what is called with.
unsafe impl Send for Registration {}

impl Registration {
    /// When the object is signalled, or this time is over.
    fn new(
        object: &OwnedHandle,
        time: Option<Duration>,
        port: &Arc<OwnedHandle>,
        token: Token,
    ) -> io::Result<Self> {
        let call = Box::into_raw(Box::new(Call {
            port: Arc::clone(port),
            token,
        }));
        let mut registration = Self {
            wait: std::ptr::null_mut(),
            call,
        };
        // SAFETY: the object lives longer than the wait, as its owner drops this first; what is called with is
        // freed after the wait has ended.
        checked(unsafe {
            RegisterWaitForSingleObject(
                &mut registration.wait,
                raw(object),
                Some(called),
                call.cast(),
                milliseconds(time),
                WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD,
            )
        })?;
        Ok(registration)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if !self.wait.is_null() {
            // SAFETY: it was registered here and is ended once. It waits for a call that is under way, which
            // only posts.
            unsafe { UnregisterWaitEx(self.wait, INVALID_HANDLE_VALUE) };
        }
        // SAFETY: it is from a box, and nobody calls with it any more.
        drop(unsafe { Box::from_raw(self.call) });
    }
}

unsafe extern "system" fn called(call: *mut c_void, _by_time: bool) {
    // SAFETY: it is what was registered, which is freed after this has returned.
    let call = unsafe { &*call.cast::<Call>() };
    // A port that takes nothing is that of a set which is gone.
    let _ = post(&*call.port, call.token);
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::super::{available, create, writer};
    use super::*;

    #[test]
    fn a_pipe_calls_once_when_there_is_something_and_keeps_it() {
        let waits = Waits::new().expect("a set");
        let pipe = create().expect("a pipe");
        let reader = Arc::new(pipe.reader);
        let mut program = File::from(writer(&pipe.writer).expect("an end"));
        for round in 1..=3_u64 {
            waits.arm(round, &reader).expect("armed");
            program.write_all(b"x").expect("written");
            assert_eq!(waits.next().expect("called"), round);
            assert_eq!(available(&*reader).expect("asked"), round);
        }
        waits.disarm(1);
        waits.call(9).expect("called");
        assert_eq!(waits.next().expect("called"), 9);
    }

    #[test]
    fn what_is_not_waited_for_any_more_does_not_call_and_a_time_does() {
        let waits = Waits::new().expect("a set");
        let pipe = create().expect("a pipe");
        let reader = Arc::new(pipe.reader);
        waits.arm(1, &reader).expect("armed");
        waits.disarm(1);
        File::from(pipe.writer).write_all(b"x").expect("written");
        waits.call_after(Duration::from_secs(3600), 2).expect("set");
        waits.call_after(Duration::ZERO, 3).expect("set");
        assert_eq!(waits.next().expect("called"), 3);
    }
}
