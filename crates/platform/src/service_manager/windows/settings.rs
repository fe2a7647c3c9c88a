//! What was added to services after Windows NT: each setting has a structure of its own
//! (ChangeServiceConfig2W, QueryServiceConfig2W). What a Windows does not know is refused with error 124.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;

use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, QueryServiceConfig2W, SC_ACTION, SERVICE_CHANGE_CONFIG, SERVICE_CONFIG,
    SERVICE_CONFIG_DELAYED_AUTO_START_INFO, SERVICE_CONFIG_DESCRIPTION,
    SERVICE_CONFIG_FAILURE_ACTIONS, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG,
    SERVICE_CONFIG_PRESHUTDOWN_INFO, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO,
    SERVICE_CONFIG_SERVICE_SID_INFO, SERVICE_DELAYED_AUTO_START_INFO, SERVICE_DESCRIPTIONW,
    SERVICE_FAILURE_ACTIONS_FLAG, SERVICE_FAILURE_ACTIONSW, SERVICE_PRESHUTDOWN_INFO,
    SERVICE_QUERY_CONFIG, SERVICE_REQUIRED_PRIVILEGES_INFOW, SERVICE_SID_INFO, SERVICE_START,
};

use super::{Opened, list, text, texts, with_room};
use crate::win32::{checked, wide};

/// What the manager does when a service fails (`SERVICE_FAILURE_ACTIONSW`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// After so many seconds without a failure the count begins anew.
    pub reset: u32,
    /// `SC_ACTION_TYPE` and the milliseconds before it, for the first failure, the second, …; the last one
    /// for all that follow.
    pub actions: Vec<(i32, u32)>,
    /// The command line of action 3.
    pub command: String,
    /// What users are told before action 2.
    pub reboot_message: String,
}

fn set<T>(name: &str, access: u32, level: SERVICE_CONFIG, value: &T) -> io::Result<()> {
    let service = Opened::service(name, SERVICE_CHANGE_CONFIG | access)?;
    // SAFETY: the service is open; the structure is the level's, and what it points to outlives the call.
    checked(unsafe {
        ChangeServiceConfig2W(service.0, level, std::ptr::from_ref(value).cast::<c_void>())
    })
}

/// Asks for the structure `T` of this level, which lies at the beginning of the buffer.
fn get(name: &str, level: SERVICE_CONFIG) -> io::Result<Vec<u64>> {
    let service = Opened::service(name, SERVICE_QUERY_CONFIG)?;
    with_room(|at, size, needed| {
        // SAFETY: the service is open; the buffer has that size.
        unsafe { QueryServiceConfig2W(service.0, level, at, size, needed) }
    })
}

/// # Errors
/// Those of ChangeServiceConfig2W; so the others here.
pub fn set_description(name: &str, description: &str) -> io::Result<()> {
    let mut description = wide(description)?;
    let value = SERVICE_DESCRIPTIONW {
        lpDescription: description.as_mut_ptr(),
    };
    set(name, 0, SERVICE_CONFIG_DESCRIPTION, &value)
}

/// # Errors
/// Those of QueryServiceConfig2W; so the others here.
pub fn description(name: &str) -> io::Result<String> {
    let buffer = get(name, SERVICE_CONFIG_DESCRIPTION)?;
    // SAFETY: the call has put this structure there, and its text behind it.
    Ok(unsafe {
        let value = &*buffer.as_ptr().cast::<SERVICE_DESCRIPTIONW>();
        text(value.lpDescription)
    })
}

/// # Errors
/// As above.
pub fn set_recovery(name: &str, recovery: &Recovery) -> io::Result<()> {
    let mut command = wide(&recovery.command)?;
    let mut message = wide(&recovery.reboot_message)?;
    let mut actions: Vec<SC_ACTION> = recovery
        .actions
        .iter()
        .map(|&(kind, delay)| SC_ACTION {
            Type: kind,
            Delay: delay,
        })
        .collect();
    let count = u32::try_from(actions.len()).unwrap_or(u32::MAX);
    if actions.is_empty() {
        // A list without elements deletes what is there; no list leaves it.
        actions.push(SC_ACTION { Type: 0, Delay: 0 });
    }
    let value = SERVICE_FAILURE_ACTIONSW {
        dwResetPeriod: recovery.reset,
        lpRebootMsg: message.as_mut_ptr(),
        lpCommand: command.as_mut_ptr(),
        cActions: count,
        lpsaActions: actions.as_mut_ptr(),
    };
    // To start a service again takes the right to start it.
    let access = if recovery.actions.iter().any(|&(kind, _)| kind == 1) {
        SERVICE_START
    } else {
        0
    };
    set(name, access, SERVICE_CONFIG_FAILURE_ACTIONS, &value)
}

/// # Errors
/// As above.
pub fn recovery(name: &str) -> io::Result<Recovery> {
    let buffer = get(name, SERVICE_CONFIG_FAILURE_ACTIONS)?;
    // SAFETY: the call has put this structure there, and texts and list behind it.
    Ok(unsafe {
        let value = &*buffer.as_ptr().cast::<SERVICE_FAILURE_ACTIONSW>();
        let count = if value.lpsaActions.is_null() {
            0
        } else {
            value.cActions as usize
        };
        Recovery {
            reset: value.dwResetPeriod,
            actions: (0..count)
                .map(|n| {
                    let action = *value.lpsaActions.add(n);
                    (action.Type, action.Delay)
                })
                .collect(),
            command: text(value.lpCommand),
            reboot_message: text(value.lpRebootMsg),
        }
    })
}

/// Whether a stop with an error is a failure, too.
///
/// # Errors
/// As above.
pub fn set_non_crash(name: &str, on: bool) -> io::Result<()> {
    let value = SERVICE_FAILURE_ACTIONS_FLAG {
        fFailureActionsOnNonCrashFailures: on.into(),
    };
    set(name, 0, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &value)
}

/// # Errors
/// As above.
pub fn non_crash(name: &str) -> io::Result<bool> {
    let buffer = get(name, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG)?;
    // SAFETY: the call has put this structure there.
    let value = unsafe { *buffer.as_ptr().cast::<SERVICE_FAILURE_ACTIONS_FLAG>() };
    Ok(value.fFailureActionsOnNonCrashFailures != 0)
}

/// # Errors
/// As above.
pub fn set_delayed(name: &str, on: bool) -> io::Result<()> {
    let value = SERVICE_DELAYED_AUTO_START_INFO {
        fDelayedAutostart: on.into(),
    };
    set(name, 0, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &value)
}

/// # Errors
/// As above.
pub fn delayed(name: &str) -> io::Result<bool> {
    let buffer = get(name, SERVICE_CONFIG_DELAYED_AUTO_START_INFO)?;
    // SAFETY: the call has put this structure there.
    let value = unsafe { *buffer.as_ptr().cast::<SERVICE_DELAYED_AUTO_START_INFO>() };
    Ok(value.fDelayedAutostart != 0)
}

/// How long a preshutdown may take, in milliseconds.
///
/// # Errors
/// As above.
pub fn set_preshutdown(name: &str, milliseconds: u32) -> io::Result<()> {
    let value = SERVICE_PRESHUTDOWN_INFO {
        dwPreshutdownTimeout: milliseconds,
    };
    set(name, 0, SERVICE_CONFIG_PRESHUTDOWN_INFO, &value)
}

/// # Errors
/// As above.
pub fn preshutdown(name: &str) -> io::Result<u32> {
    let buffer = get(name, SERVICE_CONFIG_PRESHUTDOWN_INFO)?;
    // SAFETY: the call has put this structure there.
    let value = unsafe { *buffer.as_ptr().cast::<SERVICE_PRESHUTDOWN_INFO>() };
    Ok(value.dwPreshutdownTimeout)
}

/// Whether the service's own identifier is in its token: 0 no, 1 yes, 3 yes and in the list of restricting ones.
///
/// # Errors
/// As above.
pub fn set_sid(name: &str, kind: u32) -> io::Result<()> {
    let value = SERVICE_SID_INFO {
        dwServiceSidType: kind,
    };
    set(name, 0, SERVICE_CONFIG_SERVICE_SID_INFO, &value)
}

/// # Errors
/// As above.
pub fn sid(name: &str) -> io::Result<u32> {
    let buffer = get(name, SERVICE_CONFIG_SERVICE_SID_INFO)?;
    // SAFETY: the call has put this structure there.
    let value = unsafe { *buffer.as_ptr().cast::<SERVICE_SID_INFO>() };
    Ok(value.dwServiceSidType)
}

/// The privileges that the service keeps of those of its account; none listed: all.
///
/// # Errors
/// As above.
pub fn set_privileges(name: &str, privileges: &[String]) -> io::Result<()> {
    let mut privileges = list(privileges)?;
    let value = SERVICE_REQUIRED_PRIVILEGES_INFOW {
        pmszRequiredPrivileges: privileges.as_mut_ptr(),
    };
    set(name, 0, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &value)
}

/// # Errors
/// As above.
pub fn privileges(name: &str) -> io::Result<Vec<String>> {
    let buffer = get(name, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO)?;
    // SAFETY: the call has put this structure there, and its texts behind it.
    Ok(unsafe {
        let value = &*buffer.as_ptr().cast::<SERVICE_REQUIRED_PRIVILEGES_INFOW>();
        texts(value.pmszRequiredPrivileges)
    })
}
