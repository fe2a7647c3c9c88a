//! ```text
//!  object ──signalled──► one of the system's threads ──token──► completion port ──► the thread that waits
//! ```
//!
//! A wait is over once it was told; before the next one it is set up again, so that an object which stays
//! signalled is told of again, as epoll does.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::io;
use std::os::windows::io::OwnedHandle;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use windows_sys::Win32::Foundation::{INVALID_HANDLE_VALUE, WAIT_TIMEOUT};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatusEx, OVERLAPPED_ENTRY,
    PostQueuedCompletionStatus,
};
use windows_sys::Win32::System::Threading::{
    CloseThreadpoolWait, CreateThreadpoolWait, PTP_CALLBACK_INSTANCE, PTP_WAIT, SetThreadpoolWait,
    WaitForThreadpoolWaitCallbacks,
};

use super::{AT_ONCE, Interest};
use crate::absent;
use crate::handle::Lend;
use crate::win32::{checked, code, milliseconds, owned, raw};

/// A set of things to wait for.
#[derive(Debug)]
pub struct Poll {
    port: Arc<OwnedHandle>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<u64, Entry>,
    /// Told by the last wait: to be set up again, or done with.
    told: Vec<u64>,
}

#[derive(Debug)]
struct Entry {
    wait: Wait,
    once: bool,
}

/// What a wait told. Its room is used again.
pub struct Events {
    entries: Vec<OVERLAPPED_ENTRY>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.tokens()).finish()
    }
}

impl Events {
    /// With room for some.
    #[must_use]
    pub fn new() -> Self {
        Self {
            entries: Vec::with_capacity(AT_ONCE),
        }
    }

    /// The tokens of what has happened.
    pub fn tokens(&self) -> impl Iterator<Item = u64> + '_ {
        self.entries
            .iter()
            .map(|entry| entry.lpCompletionKey as u64)
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl Poll {
    /// Nothing is waited for yet.
    ///
    /// # Errors
    /// Those of CreateIoCompletionPort.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no file; the handle is made for us.
        let port = unsafe {
            owned(CreateIoCompletionPort(
                INVALID_HANDLE_VALUE,
                std::ptr::null_mut(),
                0,
                1,
            ))
        };
        Ok(Self {
            port: Arc::new(port?),
            state: Mutex::default(),
        })
    }

    /// Waits for this too, in place of what had this token. It is waited for by a handle of this set's own, so it
    /// may be closed at any time.
    ///
    /// # Errors
    /// Those of DuplicateHandle and CreateThreadpoolWait; `Unsupported`: no object says that its other end is gone.
    pub fn add(&self, what: impl Lend, token: u64, interest: Interest) -> io::Result<()> {
        if interest == Interest::Loss {
            return Err(absent::LOSS.error());
        }
        let port = Arc::clone(&self.port);
        let told = move || post(&port, token);
        let wait = Wait::new(&what, told)?;
        let once = interest == Interest::Once;
        self.state().entries.insert(token, Entry { wait, once });
        Ok(())
    }

    /// From now on something else of it is waited for.
    ///
    /// # Errors
    /// As [`Poll::add`]. Room to write is not waited for here: who writes does not block.
    pub fn change(&self, what: impl Lend, token: u64, interest: Interest) -> io::Result<()> {
        match self.state().entries.get_mut(&token) {
            Some(entry) if interest != Interest::Loss => {
                entry.once = interest == Interest::Once;
                Ok(())
            }
            _ => self.add(what, token, interest),
        }
    }

    /// Waits for it no longer. What was never added is no matter. An event that was on its way may still be told.
    pub fn remove(&self, _what: impl Lend, token: u64) {
        self.forget(token);
    }

    /// As [`Poll::remove`], for who has closed it already.
    pub(crate) fn forget(&self, token: u64) {
        let removed = self.state().entries.remove(&token);
        // Waits for a call that is under way, which takes no lock of ours.
        drop(removed);
    }

    /// Sleeps until something has happened; what, is in `events` then.
    ///
    /// # Errors
    /// Those of GetQueuedCompletionStatusEx.
    pub fn wait(&self, events: &mut Events) -> io::Result<()> {
        self.wait_within(events, None)
    }

    /// As [`Poll::wait`], at most so long.
    pub(crate) fn wait_within(
        &self,
        events: &mut Events,
        at_most: Option<Duration>,
    ) -> io::Result<()> {
        self.set_up_again();
        events.entries.clear();
        let room = events.entries.capacity().max(1);
        events.entries.reserve(room);
        let mut count = 0;
        // SAFETY: the port is ours, and the list has as much room as is said.
        let answer = checked(unsafe {
            GetQueuedCompletionStatusEx(
                raw(&*self.port),
                events.entries.as_mut_ptr(),
                u32::try_from(room).unwrap_or(1),
                &mut count,
                milliseconds(at_most),
                0,
            )
        });
        match answer {
            // SAFETY: so many entries were written, and there is room for them.
            Ok(()) => unsafe { events.entries.set_len((count as usize).min(room)) },
            Err(error) if code(&error) == Some(WAIT_TIMEOUT) => {}
            Err(error) => return Err(error),
        }
        let told = &mut self.state().told;
        told.extend(events.tokens());
        Ok(())
    }

    /// What was told last is waited for again.
    fn set_up_again(&self) {
        let mut state = self.state();
        let State { entries, told } = &mut *state;
        for token in told.drain(..) {
            match entries.get(&token) {
                Some(entry) if entry.once => drop(entries.remove(&token)),
                Some(entry) => entry.wait.again(),
                // A bell, or removed meanwhile.
                None => {}
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn post(port: &OwnedHandle, token: u64) {
    let key = usize::try_from(token).unwrap_or(usize::MAX);
    // SAFETY: the port is held. Without memory for a message nobody can be told anything.
    unsafe {
        PostQueuedCompletionStatus(raw(port), 0, key, std::ptr::null());
    }
}

/// Calls something when an object is signalled, on one of the system's threads.
pub struct Wait {
    wait: PTP_WAIT,
    object: OwnedHandle,
    /// Behind a second box, so that its address fits one pointer.
    _call: Box<Call>,
}

type Call = Box<dyn Fn() + Send + Sync>;

impl std::fmt::Debug for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Wait").field(&self.object).finish()
    }
}

impl Wait {
    /// Has `call` called once when `object` is signalled, unless this is dropped before. It must not block.
    ///
    /// # Errors
    /// Those of DuplicateHandle and CreateThreadpoolWait.
    pub fn new(object: &impl Lend, call: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        let object = object.lend().try_clone_to_owned()?;
        let call: Box<Call> = Box::new(Box::new(call));
        let context = (&raw const *call).cast_mut().cast();
        // SAFETY: the context lives as long as the wait, which is closed before it (see `drop`).
        let wait = unsafe { CreateThreadpoolWait(Some(signalled), context, std::ptr::null()) };
        if wait == 0 {
            return Err(io::Error::last_os_error());
        }
        let wait = Self {
            wait,
            object,
            _call: call,
        };
        wait.again();
        Ok(wait)
    }

    /// Once more, after it was called.
    fn again(&self) {
        // SAFETY: wait and object are ours, and live until the wait is closed; no time-out.
        unsafe { SetThreadpoolWait(self.wait, raw(&self.object), std::ptr::null()) };
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        // SAFETY: the wait is ours. After the second call nothing of it is under way, nor will be.
        unsafe {
            SetThreadpoolWait(self.wait, std::ptr::null_mut(), std::ptr::null());
            WaitForThreadpoolWaitCallbacks(self.wait, 1);
            CloseThreadpoolWait(self.wait);
        }
    }
}

unsafe extern "system" fn signalled(
    _: PTP_CALLBACK_INSTANCE,
    context: *mut core::ffi::c_void,
    _: PTP_WAIT,
    _: u32,
) {
    // SAFETY: it is the call that `Wait::new` gave away, which outlives the wait.
    let call = unsafe { &*context.cast::<Call>() };
    call();
}

/// Wakes a thread that waits, from any other.
#[derive(Debug)]
pub struct Bell {
    port: Arc<OwnedHandle>,
    token: u64,
}

impl Bell {
    /// One whose ring is told with this token.
    ///
    /// # Errors
    /// None here.
    pub fn new(poll: &Poll, token: u64) -> io::Result<Self> {
        Ok(Self {
            port: Arc::clone(&poll.port),
            token,
        })
    }

    /// Wakes the thread, at its next wait if it is at work.
    pub fn ring(&self) {
        post(&self.port, self.token);
    }

    /// It was heard. Each ring is told once.
    pub fn clear(&self) {}
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc::channel;

    use super::*;
    use crate::clock::now;
    use crate::timer::Timer;

    /// Ends when its standard input does.
    fn program() -> Child {
        Command::new("cmd.exe")
            .args(["/d", "/c", "set /p x="])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts")
    }

    #[test]
    fn more_objects_than_one_call_waits_for_are_each_told() {
        let poll = Poll::new().expect("made");
        let timers: Vec<Timer> = (0..70).map(|_| Timer::new().expect("made")).collect();
        for (token, timer) in timers.iter().enumerate() {
            poll.add(timer, token as u64, Interest::Input)
                .expect("added");
        }
        let mut events = Events::new();
        for (token, timer) in timers.iter().enumerate().rev() {
            timer.set(Some(now().mono)).expect("set");
            poll.wait(&mut events).expect("waits");
            assert_eq!(events.tokens().collect::<Vec<_>>(), [token as u64]);
        }
    }

    #[test]
    fn a_process_that_has_ended_is_told_of_until_it_is_not_waited_for_or_once() {
        let poll = Poll::new().expect("made");
        let mut child = program();
        poll.add(&child, 1, Interest::Input).expect("added");
        drop(child.stdin.take());
        let mut events = Events::new();
        for _ in 0..3 {
            poll.wait(&mut events).expect("waits");
            assert_eq!(events.tokens().collect::<Vec<_>>(), [1]);
        }
        poll.remove(&child, 1);
        poll.add(&child, 2, Interest::Once).expect("added");
        poll.wait(&mut events).expect("waits");
        assert_eq!(events.tokens().collect::<Vec<_>>(), [2]);
        let moment = Some(Duration::from_millis(50));
        poll.wait_within(&mut events, moment).expect("waits");
        assert_eq!(events.tokens().count(), 0);
        child.wait().expect("it ended");
    }

    #[test]
    fn a_call_is_made_once_when_a_process_ends_and_never_when_nobody_waits_any_more() {
        let (told, hear) = channel();
        let mut child = program();
        let call = |number: u32| {
            let told = told.clone();
            move || told.send(number).expect("heard")
        };
        let wait = Wait::new(&child, call(1)).expect("waited for");
        drop(Wait::new(&child, call(2)).expect("waited for"));
        drop(child.stdin.take());
        let within = Duration::from_secs(120);
        assert_eq!(hear.recv_timeout(within).expect("told"), 1);
        drop(wait);
        child.wait().expect("it ended");
        assert!(hear.try_recv().is_err());
    }
}
