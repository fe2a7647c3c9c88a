//! ```text
//!  serve ── StartServiceCtrlDispatcher ──┬─ a thread of the system: Service::run ── Line::report ──► the manager
//!    (returns when it has stopped)       └─ the caller's thread: Service::control ◄── a control
//! ```

#![allow(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{
    ERROR_FAILED_SERVICE_CONTROLLER_CONNECT, ERROR_SERVICE_ALREADY_RUNNING, NO_ERROR,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::RemoteDesktop::WTSSESSION_NOTIFICATION;
use windows_sys::Win32::System::Services::{
    RegisterServiceCtrlHandlerExW, SERVICE_CONTROL_SESSIONCHANGE, SERVICE_STATUS,
    SERVICE_STATUS_HANDLE, SERVICE_TABLE_ENTRYW, SERVICE_WIN32_OWN_PROCESS, SetServiceStatus,
    StartServiceCtrlDispatcherW,
};

use crate::win32::{checked, code, owned, raw};

/// What the manager is told: the numbers of `SERVICE_STATUS`, but for the kind, which is a process of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// `dwCurrentState`.
    pub state: u32,
    /// `dwControlsAccepted`.
    pub accepted: u32,
    /// `dwWin32ExitCode`.
    pub exit: u32,
    /// `dwServiceSpecificExitCode`.
    pub specific: u32,
    /// `dwCheckPoint`.
    pub checkpoint: u32,
    /// `dwWaitHint`, in milliseconds.
    pub hint: u32,
}

/// What the system calls.
pub trait Service: Send + Sync {
    /// The service's own thread. `arguments`: those of the start, without the service's name.
    fn run(&self, arguments: Vec<OsString>, line: Line);

    /// A control, on the thread that called [`serve`]: to be answered at once, with an error number of Windows.
    /// `event`: what of it, for events of power and sessions; `session`: whose, for the latter.
    fn control(&self, control: u32, event: u32, session: u32) -> u32;
}

/// Where the manager is told how the service is.
#[derive(Debug)]
pub struct Line {
    handle: SERVICE_STATUS_HANDLE,
    name: OsString,
}

// SAFETY: any thread may use it (SetServiceStatus); it need not be closed.
unsafe impl Send for Line {}

impl Line {
    /// The name under which the manager has this service.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// Tells it.
    ///
    /// # Errors
    /// Those of SetServiceStatus.
    pub fn report(&self, status: &Status) -> io::Result<()> {
        let status = SERVICE_STATUS {
            dwServiceType: SERVICE_WIN32_OWN_PROCESS,
            dwCurrentState: status.state,
            dwControlsAccepted: status.accepted,
            dwWin32ExitCode: status.exit,
            dwServiceSpecificExitCode: status.specific,
            dwCheckPoint: status.checkpoint,
            dwWaitHint: status.hint,
        };
        // SAFETY: the handle is that of this process's service, the status a local.
        checked(unsafe { SetServiceStatus(self.handle, &status) })
    }
}

/// The one service of this process: neither of its two functions is told which one is meant.
static SERVICE: OnceLock<Box<dyn Service>> = OnceLock::new();

/// Is that service, until it has stopped. False: this process was not started by the manager (error 1063). Once in
/// the life of a process.
///
/// # Errors
/// Those of StartServiceCtrlDispatcher; `ERROR_SERVICE_ALREADY_RUNNING`: it was called before.
pub fn serve(service: Box<dyn Service>) -> io::Result<bool> {
    if SERVICE.set(service).is_err() {
        let again = ERROR_SERVICE_ALREADY_RUNNING.cast_signed();
        return Err(io::Error::from_raw_os_error(again));
    }
    // Of a process with one service the name is not looked at.
    let mut name = [0_u16];
    let table = [
        SERVICE_TABLE_ENTRYW {
            lpServiceName: name.as_mut_ptr(),
            lpServiceProc: Some(main),
        },
        SERVICE_TABLE_ENTRYW {
            lpServiceName: null_mut(),
            lpServiceProc: None,
        },
    ];
    // SAFETY: the table ends with an empty entry, and outlives the call, as the name does; the function lives as
    // long as the program.
    match checked(unsafe { StartServiceCtrlDispatcherW(table.as_ptr()) }) {
        Ok(()) => Ok(true),
        Err(error) if code(&error) == Some(ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) => Ok(false),
        Err(error) => Err(error),
    }
}

unsafe extern "system" fn main(count: u32, arguments: *mut windows_sys::core::PWSTR) {
    let Some(service) = SERVICE.get() else { return };
    // SAFETY: the function lives as long as the program, and wants no context; the name is not looked at.
    let handle = unsafe { RegisterServiceCtrlHandlerExW([0].as_ptr(), Some(control), null()) };
    if handle.is_null() {
        // The manager hears of it by the end of this process, as nothing was reported.
        return;
    }
    let mut words =
        // SAFETY: the system gives as many texts as it says, each with a zero at its end.
        (0..count as usize).map(|index| unsafe { text(*arguments.add(index)) });
    // The first one is the service's name.
    let name = words.next().unwrap_or_default();
    service.run(words.collect(), Line { handle, name });
}

/// # Safety
/// It ends with a zero.
unsafe fn text(start: *const u16) -> OsString {
    let mut length = 0;
    // SAFETY: as the caller promises.
    while unsafe { *start.add(length) } != 0 {
        length += 1;
    }
    // SAFETY: so long it is.
    OsString::from_wide(unsafe { std::slice::from_raw_parts(start, length) })
}

unsafe extern "system" fn control(
    control: u32,
    event: u32,
    data: *mut core::ffi::c_void,
    _context: *mut core::ffi::c_void,
) -> u32 {
    let session = if control == SERVICE_CONTROL_SESSIONCHANGE && !data.is_null() {
        // SAFETY: that is what comes with this control (HandlerEx).
        unsafe { (*data.cast::<WTSSESSION_NOTIFICATION>()).dwSessionId }
    } else {
        0
    };
    SERVICE
        .get()
        .map_or(NO_ERROR, |service| service.control(control, event, session))
}

/// Whether the manager started this process: its parent is called `services.exe`. Looks only at that, so that it
/// may be asked before anything is decided; [`serve`] knows for certain.
#[must_use]
pub fn started_by_manager() -> bool {
    let Ok(all) = processes() else { return false };
    let own = std::process::id();
    all.iter()
        .find(|(pid, ..)| *pid == own)
        .and_then(|(_, parent, _)| all.iter().find(|(pid, ..)| pid == parent))
        .is_some_and(|(.., name)| name.eq_ignore_ascii_case(OsStr::new("services.exe")))
}

/// The number of the process that made this one; `None`: there is no such process. Whoever has that number may be
/// another one by now.
#[must_use]
pub fn parent(process: u32) -> Option<u32> {
    let all = processes().ok()?;
    let found = all.iter().find(|(pid, ..)| *pid == process);
    found.map(|(_, parent, _)| *parent)
}

/// All processes: number, parent's number, name of the file.
fn processes() -> io::Result<Vec<(u32, u32, OsString)>> {
    // SAFETY: the handle is made for us.
    let snapshot = unsafe { owned(CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0)) }?;
    let mut entry = PROCESSENTRY32W {
        dwSize: size_of::<PROCESSENTRY32W>() as u32,
        ..PROCESSENTRY32W::default()
    };
    let mut all = Vec::new();
    // SAFETY: the handle is borrowed; the entry says how large it is.
    let mut there = unsafe { Process32FirstW(raw(&snapshot), &mut entry) } != 0;
    while there {
        let name = &entry.szExeFile;
        let length = name.iter().position(|unit| *unit == 0);
        let name = OsString::from_wide(&name[..length.unwrap_or(name.len())]);
        all.push((entry.th32ProcessID, entry.th32ParentProcessID, name));
        // SAFETY: as above.
        there = unsafe { Process32NextW(raw(&snapshot), &mut entry) } != 0;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_was_not_started_by_the_manager_and_a_child_knows_its_parent() {
        assert!(!started_by_manager());
        let mut child = std::process::Command::new("cmd.exe")
            .args(["/c", "pause"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("it can be started");
        assert_eq!(parent(child.id()), Some(std::process::id()));
        child.kill().expect("it is there");
        child.wait().expect("it is our child");
    }
}
