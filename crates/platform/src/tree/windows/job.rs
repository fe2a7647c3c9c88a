#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::ERROR_MORE_DATA;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOBOBJECT_ASSOCIATE_COMPLETION_PORT,
    JobObjectAssociateCompletionPortInformation, JobObjectBasicProcessIdList,
    QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE,
};

use crate::limits::Tell;
use crate::win32::{checked, code, owned, raw, wait};

/// One job object. Processes of it cannot leave it, and whatever they start is in it.
#[derive(Debug)]
pub struct Job(OwnedHandle);

impl AsHandle for Job {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

/// A handle of a job that came from elsewhere.
impl From<OwnedHandle> for Job {
    fn from(handle: OwnedHandle) -> Self {
        Self(handle)
    }
}

impl Tell for Job {
    fn tell(&self, class: i32, structure: &[u8]) -> io::Result<()> {
        let size = u32::try_from(structure.len()).unwrap_or(0);
        // SAFETY: the handle is ours, and the bytes live as long as the call.
        checked(unsafe {
            SetInformationJobObject(raw(self), class, structure.as_ptr().cast(), size)
        })
    }
}

impl Job {
    /// A new one without a name: names go when nobody holds a handle, though the job lives on.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no attributes, no name; the handle is made for us.
        Ok(Self(unsafe {
            owned(CreateJobObjectW(std::ptr::null(), std::ptr::null()))
        }?))
    }

    /// Its messages go to this completion port, with this key. Once only, and before its first process.
    pub fn report_to(&self, port: &OwnedHandle, key: usize) -> io::Result<()> {
        let association = JOBOBJECT_ASSOCIATE_COMPLETION_PORT {
            CompletionKey: key as *mut core::ffi::c_void,
            CompletionPort: raw(port),
        };
        // SAFETY: both handles are ours, the structure is a local of the size that is said.
        checked(unsafe {
            SetInformationJobObject(
                raw(self),
                JobObjectAssociateCompletionPortInformation,
                (&raw const association).cast(),
                size_of::<JOBOBJECT_ASSOCIATE_COMPLETION_PORT>() as u32,
            )
        })
    }

    /// The numbers of its live processes.
    pub fn pids(&self) -> io::Result<Vec<u32>> {
        let mut room = 64;
        loop {
            // Two counts, then as many numbers (JOBOBJECT_BASIC_PROCESS_ID_LIST).
            let mut list = vec![0_usize; 1 + room];
            let size = u32::try_from(size_of_val(&list[..])).unwrap_or(u32::MAX);
            // SAFETY: the handle is ours, the list is as large as is said and aligned as the structure is.
            let answer = checked(unsafe {
                QueryInformationJobObject(
                    raw(self),
                    JobObjectBasicProcessIdList,
                    list.as_mut_ptr().cast(),
                    size,
                    std::ptr::null_mut(),
                )
            });
            let counts = list[0] as u64;
            let (assigned, listed) = (counts as u32 as usize, (counts >> 32) as usize);
            match answer {
                Ok(()) if listed <= room && assigned <= listed => {
                    return Ok(list[1..=listed].iter().map(|&pid| pid as u32).collect());
                }
                Err(error) if code(&error) != Some(ERROR_MORE_DATA) => return Err(error),
                _ => room = (room * 2).max(assigned + 16),
            }
        }
    }

    /// Puts a process into it.
    pub fn assign(&self, process: &impl AsHandle) -> io::Result<()> {
        // SAFETY: both handles are borrowed for the call.
        checked(unsafe { AssignProcessToJobObject(raw(self), raw(process)) })
    }

    /// Ends all of it with this code. They end a little later.
    pub fn terminate(&self, code: u32) -> io::Result<()> {
        // SAFETY: the handle is ours for the call.
        checked(unsafe { TerminateJobObject(raw(self), code) })
    }

    /// Waits until none is left, at most so long; whether none is. Messages of jobs may get lost, so it
    /// is the processes that are waited for.
    pub fn wait_empty(&self, at_most: Duration) -> io::Result<bool> {
        let begun = Instant::now();
        loop {
            let pids = self.pids()?;
            if pids.is_empty() {
                return Ok(true);
            }
            let left = at_most.saturating_sub(begun.elapsed());
            match pids.into_iter().find_map(opened) {
                Some(process) if !wait(&process, Some(left))? => return Ok(false),
                Some(_) => {}
                None => pause(left),
            }
            if left.is_zero() {
                return Ok(self.pids()?.is_empty());
            }
        }
    }
}

/// Until another look at processes that cannot be opened: they have just ended, or are others' and closed to us.
#[expect(
    clippy::disallowed_methods,
    reason = "nobody who may not open a process is told of its end"
)]
fn pause(left: Duration) {
    std::thread::sleep(left.min(Duration::from_millis(10)));
}

/// A process, to wait for its end. `None`: it has just ended.
pub fn opened(pid: u32) -> Option<OwnedHandle> {
    let rights = PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
    // SAFETY: takes numbers only; the handle is made for us.
    unsafe { owned(OpenProcess(rights, 0, pid)) }.ok()
}

/// Whether a process is a console's host: of the system, not of the program, and gone with the last process
/// that uses its console.
pub fn is_console_host(pid: u32) -> bool {
    let file = crate::executable::of_process(pid);
    file.is_some_and(|file| {
        let name = file.to_string_lossy().to_ascii_lowercase();
        name.ends_with(r"\system32\conhost.exe")
    })
}
