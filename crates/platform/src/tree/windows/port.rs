#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::OwnedHandle;
use std::time::Duration;

use windows_sys::Win32::Foundation::{INVALID_HANDLE_VALUE, WAIT_TIMEOUT};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatus, OVERLAPPED,
};
use windows_sys::Win32::System::SystemServices::{
    JOB_OBJECT_MSG_ABNORMAL_EXIT_PROCESS, JOB_OBJECT_MSG_ACTIVE_PROCESS_LIMIT,
    JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO, JOB_OBJECT_MSG_EXIT_PROCESS,
    JOB_OBJECT_MSG_JOB_MEMORY_LIMIT, JOB_OBJECT_MSG_NEW_PROCESS,
    JOB_OBJECT_MSG_PROCESS_MEMORY_LIMIT,
};

use crate::win32::{code, milliseconds, owned, raw};

/// What a job says. Windows does not promise that a message comes: whoever waits for one looks at the
/// processes as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobMessage {
    /// A process began.
    New(u32),
    /// A process ended.
    Exited(u32),
    /// None is left.
    Empty,
    /// A process was refused memory by a limit.
    OutOfMemory(u32),
    /// A process was refused for there are as many as there may be.
    TooMany,
    /// Another one.
    Other(u32),
}

/// Where the messages of jobs arrive.
#[derive(Debug)]
pub struct Port(OwnedHandle);

impl Port {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no file; the handle is made for us.
        Ok(Self(unsafe {
            owned(CreateIoCompletionPort(
                INVALID_HANDLE_VALUE,
                std::ptr::null_mut(),
                0,
                1,
            ))
        }?))
    }

    pub fn handle(&self) -> &OwnedHandle {
        &self.0
    }

    /// The next message, with the key of its job; `None`: none came in time.
    pub fn next(&self, at_most: Option<Duration>) -> io::Result<Option<(usize, JobMessage)>> {
        let (mut message, mut key) = (0, 0);
        // In messages of jobs this is the number of a process and no address.
        let mut about: *mut OVERLAPPED = std::ptr::null_mut();
        // SAFETY: the port is ours, the answers go to locals.
        let came = unsafe {
            GetQueuedCompletionStatus(
                raw(&self.0),
                &mut message,
                &mut key,
                &mut about,
                milliseconds(at_most),
            )
        };
        if came == 0 {
            let error = io::Error::last_os_error();
            return match code(&error) {
                Some(WAIT_TIMEOUT) => Ok(None),
                _ => Err(error),
            };
        }
        let pid = about as usize as u32;
        let message = match message {
            JOB_OBJECT_MSG_NEW_PROCESS => JobMessage::New(pid),
            JOB_OBJECT_MSG_EXIT_PROCESS | JOB_OBJECT_MSG_ABNORMAL_EXIT_PROCESS => {
                JobMessage::Exited(pid)
            }
            JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO => JobMessage::Empty,
            JOB_OBJECT_MSG_JOB_MEMORY_LIMIT | JOB_OBJECT_MSG_PROCESS_MEMORY_LIMIT => {
                JobMessage::OutOfMemory(pid)
            }
            JOB_OBJECT_MSG_ACTIVE_PROCESS_LIMIT => JobMessage::TooMany,
            other => JobMessage::Other(other),
        };
        Ok(Some((key, message)))
    }
}
