//! What is asked of Windows about services, one method a call or a few that belong together: so that a test can
//! stand in for Windows and see each call with its arguments. Errors carry Windows's number.

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::machine;

#[cfg(not(windows))]
mod absent;
#[cfg(not(windows))]
pub(super) use absent::machine;

#[cfg(test)]
pub(super) mod fake;

use std::io;
use std::time::Duration;

use super::registration::Registration;
use crate::service::{Recovery, Right, ServiceSid};

/// One setting of ChangeServiceConfig2W.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Setting {
    Description(String),
    Delayed(bool),
    Recovery(Recovery),
    NonCrash(bool),
    Preshutdown(Duration),
    Sid(ServiceSid),
    Privileges(Vec<String>),
}

impl Setting {
    /// Its name in the registry.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Description(_) => "Description",
            Self::Delayed(_) => "DelayedAutostart",
            Self::Recovery(_) => "FailureActions",
            Self::NonCrash(_) => "FailureActionsOnNonCrashFailures",
            Self::Preshutdown(_) => "PreshutdownTimeout",
            Self::Sid(_) => "ServiceSidType",
            Self::Privileges(_) => "RequiredPrivileges",
        }
    }
}

/// A value of the registry, below `HKEY_LOCAL_MACHINE`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    /// REG_SZ.
    Text(String),
    /// REG_EXPAND_SZ.
    Expanded(String),
    /// REG_MULTI_SZ.
    Texts(Vec<String>),
    /// REG_DWORD.
    Number(u32),
}

/// How a service is, in the manager's numbers (`SERVICE_STATUS_PROCESS`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct RunState {
    pub state: u32,
    pub pid: u32,
    pub exit: u32,
    pub own_exit: u32,
    pub checkpoint: u32,
}

/// Windows, as far as services are concerned.
pub(super) trait Calls: Send + Sync {
    /// CreateServiceW.
    fn create(&self, service: &Registration) -> io::Result<()>;
    /// ChangeServiceConfigW; with the account, or leaving that as it is.
    fn change(&self, service: &Registration, account: bool) -> io::Result<()>;
    /// ChangeServiceConfig2W.
    fn set(&self, name: &str, setting: &Setting) -> io::Result<()>;
    /// QueryServiceConfigW and QueryServiceConfig2W. What lies elsewhere in the registry is not in it.
    fn configuration(&self, name: &str) -> io::Result<Registration>;
    /// QueryServiceStatusEx.
    fn state(&self, name: &str) -> io::Result<RunState>;
    /// StartServiceW.
    fn start(&self, name: &str) -> io::Result<()>;
    /// ControlService.
    fn control(&self, name: &str, code: u32) -> io::Result<()>;
    /// DeleteService.
    fn delete(&self, name: &str) -> io::Result<()>;
    /// EnumDependentServicesW: those that run.
    fn dependents(&self, name: &str) -> io::Result<Vec<String>>;
    /// Waits until a process has ended; whether it has.
    fn ended(&self, pid: u32, within: Duration) -> io::Result<bool>;
    /// RegQueryValueExW.
    fn value(&self, key: &str, name: &str) -> io::Result<Option<Value>>;
    /// RegCreateKeyExW, RegSetValueExW.
    fn set_value(&self, key: &str, name: &str, value: &Value) -> io::Result<()>;
    /// RegDeleteValueW.
    fn delete_value(&self, key: &str, name: &str) -> io::Result<()>;
    /// RegDeleteTreeW.
    fn delete_key(&self, key: &str) -> io::Result<()>;
    /// RegEnumKeyExW.
    fn keys(&self, key: &str) -> io::Result<Vec<String>>;
    /// LookupAccountNameW: whether there is such an account.
    fn account_exists(&self, account: &str) -> io::Result<bool>;
    /// LsaEnumerateAccountRights: whether it may log on as a service.
    fn may_be_service(&self, account: &str) -> io::Result<bool>;
    /// LsaAddAccountRights, LsaRemoveAccountRights.
    fn let_be_service(&self, account: &str, allowed: bool) -> io::Result<()>;
    /// SetNamedSecurityInfoW: an entry for the account in the access list of a folder or file. It may be there.
    fn allow(&self, account: &str, right: &Right) -> io::Result<()>;
    /// SetNamedSecurityInfoW, without that entry. Entry and file may be gone.
    fn forbid(&self, account: &str, right: &Right) -> io::Result<()>;
}
