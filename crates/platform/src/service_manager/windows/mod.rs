#![allow(unsafe_code)]

mod settings;

pub use settings::{
    Recovery, delayed, description, non_crash, preshutdown, privileges, recovery, set_delayed,
    set_description, set_non_crash, set_preshutdown, set_privileges, set_recovery, set_sid, sid,
};

use std::io;
use std::ptr::{null, null_mut};
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_MORE_DATA};
use windows_sys::Win32::System::Services::{
    ChangeServiceConfigW, CloseServiceHandle, ControlService, CreateServiceW, DeleteService,
    ENUM_SERVICE_STATUSW, EnumDependentServicesW, OpenSCManagerW, OpenServiceW,
    QUERY_SERVICE_CONFIGW, QueryServiceConfigW, QueryServiceStatusEx, SC_HANDLE,
    SC_MANAGER_CONNECT, SC_MANAGER_CREATE_SERVICE, SC_STATUS_PROCESS_INFO, SERVICE_ACTIVE,
    SERVICE_ALL_ACCESS, SERVICE_CHANGE_CONFIG, SERVICE_CONTROL_INTERROGATE, SERVICE_CONTROL_STOP,
    SERVICE_ENUMERATE_DEPENDENTS, SERVICE_INTERROGATE, SERVICE_NO_CHANGE, SERVICE_PAUSE_CONTINUE,
    SERVICE_QUERY_CONFIG, SERVICE_QUERY_STATUS, SERVICE_START, SERVICE_STATUS,
    SERVICE_STATUS_PROCESS, SERVICE_STOP, SERVICE_USER_DEFINED_CONTROL, StartServiceW,
};
use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_SYNCHRONIZE};

use crate::win32::{checked, code, owned, wait, wide};

/// The right to delete (winnt.h), which is among the standard ones.
const DELETE: u32 = 0x0001_0000;

/// What CreateServiceW and ChangeServiceConfigW are told, and QueryServiceConfigW tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Configuration {
    /// `SERVICE_WIN32_OWN_PROCESS` (0x10), …
    pub kind: u32,
    /// `SERVICE_AUTO_START` (2), `SERVICE_DEMAND_START` (3), `SERVICE_DISABLED` (4).
    pub start: u32,
    /// The command line.
    pub image_path: String,
    /// Services, and groups with a `+` before them.
    pub dependencies: Vec<String>,
    /// `LocalSystem`, `NT AUTHORITY\LocalService`, `DOMAIN\NAME`, …
    pub account: String,
    /// For people.
    pub display_name: String,
}

/// What QueryServiceStatusEx tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RunState {
    /// `SERVICE_STOPPED` (1) to `SERVICE_PAUSED` (7).
    pub state: u32,
    /// Its process; 0: none.
    pub pid: u32,
    /// How it ended, as Windows numbers errors.
    pub exit: u32,
    /// How it ended in its own numbers, where `exit` is 1066.
    pub own_exit: u32,
    /// How far a start or a stop is, in the service's own steps.
    pub checkpoint: u32,
    /// How long the next step may take, in milliseconds.
    pub hint: u32,
}

/// A handle of the manager's, which is closed.
struct Opened(SC_HANDLE);

impl Opened {
    fn new(handle: SC_HANDLE) -> io::Result<Self> {
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(handle))
    }

    fn manager(access: u32) -> io::Result<Self> {
        // SAFETY: null means this machine and its active database.
        Self::new(unsafe { OpenSCManagerW(null(), null(), access) })
    }

    fn service(name: &str, access: u32) -> io::Result<Self> {
        let manager = Self::manager(SC_MANAGER_CONNECT)?;
        let name = wide(name)?;
        // SAFETY: the manager is open, the name ends with a zero.
        Self::new(unsafe { OpenServiceW(manager.0, name.as_ptr(), access) })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else closes it.
        unsafe { CloseServiceHandle(self.0) };
    }
}

/// Texts one after the other, each with its zero, and one more behind the last: a REG_MULTI_SZ.
fn list(texts: &[String]) -> io::Result<Vec<u16>> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(wide(text)?);
    }
    // Of an empty one Windows reads two.
    all.extend([0, 0].iter().take(if texts.is_empty() { 2 } else { 1 }));
    Ok(all)
}

/// A text that ends with a zero; empty if there is none.
///
/// # Safety
/// Null, or such a text.
unsafe fn text(at: *const u16) -> String {
    // SAFETY: the caller's promise.
    String::from_utf16_lossy(unsafe { units(at) })
}

/// # Safety
/// As for [`text`].
unsafe fn units<'a>(at: *const u16) -> &'a [u16] {
    if at.is_null() {
        return &[];
    }
    let mut length = 0;
    // SAFETY: the text ends with a zero, up to which is read.
    unsafe {
        while *at.add(length) != 0 {
            length += 1;
        }
        std::slice::from_raw_parts(at, length)
    }
}

/// # Safety
/// Null, or texts that each end with a zero, and a zero behind the last.
unsafe fn texts(mut at: *const u16) -> Vec<String> {
    let mut found = Vec::new();
    // SAFETY: the caller's promise; after each text the next one begins, or there is the last zero.
    unsafe {
        while !at.is_null() && *at != 0 {
            let one = units(at);
            found.push(String::from_utf16_lossy(one));
            at = at.add(one.len() + 1);
        }
    }
    found
}

/// What a call writes of which one does not know the length: asked for, and asked again with room. The buffer is
/// aligned for any structure.
fn with_room(call: impl Fn(*mut u8, u32, &mut u32) -> i32) -> io::Result<Vec<u64>> {
    let mut buffer: Vec<u64> = vec![0; 64];
    loop {
        let size = u32::try_from(buffer.len() * 8).unwrap_or(u32::MAX);
        let mut needed = 0;
        match checked(call(buffer.as_mut_ptr().cast(), size, &mut needed)) {
            Ok(()) => return Ok(buffer),
            Err(error)
                if matches!(
                    code(&error),
                    Some(ERROR_INSUFFICIENT_BUFFER | ERROR_MORE_DATA)
                ) && needed > size =>
            {
                buffer = vec![0; (needed as usize).div_ceil(8)];
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes a service. Without a password the account is one that has none.
///
/// # Errors
/// Those of OpenSCManagerW and CreateServiceW.
pub fn create(name: &str, as_: &Configuration, password: Option<&str>) -> io::Result<()> {
    let manager = Opened::manager(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE)?;
    let name = wide(name)?;
    let words = Words::of(as_, password)?;
    // SAFETY: the manager is open; all texts end with zeros and outlive the call; null means none.
    let made = unsafe {
        CreateServiceW(
            manager.0,
            name.as_ptr(),
            words.display_name.as_ptr(),
            SERVICE_ALL_ACCESS,
            as_.kind,
            as_.start,
            1,
            words.image_path.as_ptr(),
            null(),
            null_mut(),
            words.dependencies.as_ptr(),
            words.account.as_ptr(),
            words.password(),
        )
    };
    Opened::new(made).map(drop)
}

/// Changes all of a service's configuration. Without a password an account that stays keeps the one it has.
///
/// # Errors
/// Those of OpenServiceW and ChangeServiceConfigW.
pub fn change(
    name: &str,
    to: &Configuration,
    with_account: bool,
    password: Option<&str>,
) -> io::Result<()> {
    let service = Opened::service(name, SERVICE_CHANGE_CONFIG)?;
    let words = Words::of(to, password)?;
    let account = if with_account {
        words.account.as_ptr()
    } else {
        null()
    };
    // SAFETY: the service is open; all texts end with zeros and outlive the call; null means "as it is".
    checked(unsafe {
        ChangeServiceConfigW(
            service.0,
            to.kind,
            to.start,
            SERVICE_NO_CHANGE,
            words.image_path.as_ptr(),
            null(),
            null_mut(),
            words.dependencies.as_ptr(),
            account,
            words.password(),
            words.display_name.as_ptr(),
        )
    })
}

/// A configuration in Windows's characters.
struct Words {
    image_path: Vec<u16>,
    dependencies: Vec<u16>,
    account: Vec<u16>,
    display_name: Vec<u16>,
    password: Option<Vec<u16>>,
}

impl Words {
    fn of(of: &Configuration, password: Option<&str>) -> io::Result<Self> {
        Ok(Self {
            image_path: wide(&of.image_path)?,
            dependencies: list(&of.dependencies)?,
            account: wide(&of.account)?,
            display_name: wide(&of.display_name)?,
            password: password.map(wide).transpose()?,
        })
    }

    fn password(&self) -> *const u16 {
        self.password
            .as_ref()
            .map_or(null(), |password| password.as_ptr())
    }
}

/// How a service is configured.
///
/// # Errors
/// Those of OpenServiceW (1060: there is none) and QueryServiceConfigW.
pub fn configuration(name: &str) -> io::Result<Configuration> {
    let service = Opened::service(name, SERVICE_QUERY_CONFIG)?;
    let buffer = with_room(|at, size, needed| {
        // SAFETY: the service is open; the buffer has that size.
        unsafe { QueryServiceConfigW(service.0, at.cast(), size, needed) }
    })?;
    // SAFETY: the call has put such a structure at the beginning of the buffer, which is aligned for it; its
    // texts lie in the same buffer and end with zeros.
    unsafe {
        let found = &*buffer.as_ptr().cast::<QUERY_SERVICE_CONFIGW>();
        Ok(Configuration {
            kind: found.dwServiceType,
            start: found.dwStartType,
            image_path: text(found.lpBinaryPathName),
            dependencies: texts(found.lpDependencies),
            account: text(found.lpServiceStartName),
            display_name: text(found.lpDisplayName),
        })
    }
}

/// How a service is.
///
/// # Errors
/// Those of OpenServiceW (1060: there is none) and QueryServiceStatusEx.
pub fn state(name: &str) -> io::Result<RunState> {
    let service = Opened::service(name, SERVICE_QUERY_STATUS)?;
    let mut status = SERVICE_STATUS_PROCESS::default();
    let mut needed = 0;
    // SAFETY: the service is open; the structure is a local of the size that is said.
    checked(unsafe {
        QueryServiceStatusEx(
            service.0,
            SC_STATUS_PROCESS_INFO,
            (&raw mut status).cast(),
            size_of::<SERVICE_STATUS_PROCESS>() as u32,
            &mut needed,
        )
    })?;
    Ok(RunState {
        state: status.dwCurrentState,
        pid: status.dwProcessId,
        exit: status.dwWin32ExitCode,
        own_exit: status.dwServiceSpecificExitCode,
        checkpoint: status.dwCheckPoint,
        hint: status.dwWaitHint,
    })
}

/// Starts a service. Returns when its process has connected, or has not in the manager's own time (30 s).
///
/// # Errors
/// Those of OpenServiceW and StartServiceW.
pub fn start(name: &str, arguments: &[String]) -> io::Result<()> {
    let service = Opened::service(name, SERVICE_START)?;
    let texts: Vec<Vec<u16>> = arguments.iter().map(wide).collect::<io::Result<_>>()?;
    let list: Vec<*const u16> = texts.iter().map(|text| text.as_ptr()).collect();
    let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
    // SAFETY: the service is open; the list has that many texts, which outlive the call.
    checked(unsafe { StartServiceW(service.0, count, list.as_ptr()) })
}

/// Sends a control code to a service.
///
/// # Errors
/// Those of OpenServiceW and ControlService.
pub fn control(name: &str, code: u32) -> io::Result<()> {
    let access = match code {
        SERVICE_CONTROL_STOP => SERVICE_STOP,
        SERVICE_CONTROL_INTERROGATE => SERVICE_INTERROGATE,
        128.. => SERVICE_USER_DEFINED_CONTROL,
        _ => SERVICE_PAUSE_CONTINUE,
    };
    let service = Opened::service(name, access)?;
    let mut status = SERVICE_STATUS::default();
    // SAFETY: the service is open; the answer goes to a local.
    checked(unsafe { ControlService(service.0, code, &mut status) })
}

/// Marks a service as deleted. It is gone when it has stopped and nobody has a handle to it any more.
///
/// # Errors
/// Those of OpenServiceW and DeleteService.
pub fn delete(name: &str) -> io::Result<()> {
    let service = Opened::service(name, DELETE)?;
    // SAFETY: the service is open.
    checked(unsafe { DeleteService(service.0) })
}

/// The services that run and depend on this one, by name.
///
/// # Errors
/// Those of OpenServiceW and EnumDependentServicesW.
pub fn dependents(name: &str) -> io::Result<Vec<String>> {
    let service = Opened::service(name, SERVICE_ENUMERATE_DEPENDENTS)?;
    let count = std::cell::Cell::new(0);
    let buffer = with_room(|at, size, needed| {
        let mut found = 0;
        // SAFETY: the service is open; the buffer has that size.
        let answer = unsafe {
            EnumDependentServicesW(
                service.0,
                SERVICE_ACTIVE,
                at.cast(),
                size,
                needed,
                &mut found,
            )
        };
        count.set(found);
        answer
    })?;
    let first = buffer.as_ptr().cast::<ENUM_SERVICE_STATUSW>();
    // SAFETY: the call has put that many structures at the beginning of the buffer, and their texts behind them.
    Ok((0..count.get() as usize)
        .map(|n| unsafe { text((*first.add(n)).lpServiceName) })
        .collect())
}

/// Waits until a process has ended, at most so long; whether it has. One that is not there has.
///
/// # Errors
/// It may not be waited for.
pub fn wait_for_process(pid: u32, within: Duration) -> io::Result<bool> {
    // SAFETY: takes numbers; the handle is ours.
    let process = match unsafe { owned(OpenProcess(PROCESS_SYNCHRONIZE, 0, pid)) } {
        Ok(process) => process,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
        // No process has that number.
        Err(_) => return Ok(true),
    };
    wait(&process, Some(within))
}
