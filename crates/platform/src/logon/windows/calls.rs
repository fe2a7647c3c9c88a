//! What is asked of Windows about accounts, one method a call or a few that belong together, so that a test can stand
//! in for Windows and see each call with its arguments. Errors carry Windows's number.

#![allow(unsafe_code)]

use std::io;
use std::os::windows::io::OwnedHandle;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, HANDLE, LUID};
use windows_sys::Win32::Security::{
    GetTokenInformation, LOGON32_LOGON, LOGON32_PROVIDER_DEFAULT, LUID_AND_ATTRIBUTES, LogonUserW,
    LookupPrivilegeValueW, SE_ASSIGNPRIMARYTOKEN_NAME, SE_IMPERSONATE_NAME, SE_INCREASE_QUOTA_NAME,
    TOKEN_PRIVILEGES, TOKEN_QUERY, TokenPrivileges,
};
use windows_sys::Win32::UI::Shell::{LoadUserProfileW, PROFILEINFOW};

use super::password::{self, Password, Stamp};
use crate::account::{Account, Found, look_up, own_token};
use crate::win32::{checked, code, owned, raw, wide};

/// The rights that whoever starts a program as somebody else needs, and how they are called in the local security policy.
const NEEDED: [(*const u16, &str); 3] = [
    (
        SE_ASSIGNPRIMARYTOKEN_NAME,
        "SeAssignPrimaryTokenPrivilege (\"replace a process level token\")",
    ),
    (
        SE_INCREASE_QUOTA_NAME,
        "SeIncreaseQuotaPrivilege (\"adjust memory quotas for a process\")",
    ),
    (
        SE_IMPERSONATE_NAME,
        "SeImpersonatePrivilege (\"impersonate a client after authentication\")",
    ),
];

/// That no window tells of what goes wrong (profinfo.h).
const PI_NOUI: u32 = 1;

/// Windows, as far as logons are concerned.
pub(crate) trait Calls {
    /// The identifier of the account of this process (GetTokenInformation).
    fn own(&self) -> io::Result<Arc<str>>;
    /// LookupAccountNameW; `None`: there is none of this name.
    fn look_up(&self, name: &str) -> io::Result<Option<Found>>;
    /// Those of the needed rights that this process does not have (GetTokenInformation). One that is there and not enabled
    /// will do: CreateProcessAsUserW enables it for itself.
    fn lacking(&self) -> io::Result<Vec<&'static str>>;
    /// What a file holds, if nobody may read it who should not; which state of it that is. Errors: a clause.
    fn password(&self, file: &Path) -> Result<(Password, Stamp), String>;
    /// LogonUserW.
    fn log_on(
        &self,
        user: &str,
        domain: Option<&str>,
        password: Option<&Password>,
        kind: LOGON32_LOGON,
    ) -> io::Result<OwnedHandle>;
    /// LoadUserProfileW, never undone.
    fn load_profile(&self, token: &OwnedHandle, user: &str) -> io::Result<()>;
}

/// This machine.
pub(crate) struct Machine;

impl Calls for Machine {
    fn own(&self) -> io::Result<Arc<str>> {
        Ok(Account::own()?.sid().into())
    }

    fn look_up(&self, name: &str) -> io::Result<Option<Found>> {
        look_up(name)
    }

    fn lacking(&self) -> io::Result<Vec<&'static str>> {
        let held = privileges()?;
        let mut lacking = Vec::new();
        for (name, words) in NEEDED {
            let mut known = LUID::default();
            // SAFETY: the name is a constant that ends with a zero; the number goes to a local.
            checked(unsafe { LookupPrivilegeValueW(null(), name, &mut known) })?;
            let is = |luid: &LUID| (luid.LowPart, luid.HighPart) == (known.LowPart, known.HighPart);
            if !held.iter().any(is) {
                lacking.push(words);
            }
        }
        Ok(lacking)
    }

    fn password(&self, file: &Path) -> Result<(Password, Stamp), String> {
        password::read(file)
    }

    fn log_on(
        &self,
        user: &str,
        domain: Option<&str>,
        password: Option<&Password>,
        kind: LOGON32_LOGON,
    ) -> io::Result<OwnedHandle> {
        let user = wide(user)?;
        let domain = domain.map(wide).transpose()?;
        let mut token: HANDLE = null_mut();
        // SAFETY: all texts end with a zero and live until after the call; the token goes to a local, and is ours.
        unsafe {
            checked(LogonUserW(
                user.as_ptr(),
                domain.as_ref().map_or(null(), |domain| domain.as_ptr()),
                password.map_or(null(), Password::as_ptr),
                kind,
                LOGON32_PROVIDER_DEFAULT,
                &mut token,
            ))?;
            owned(token)
        }
    }

    fn load_profile(&self, token: &OwnedHandle, user: &str) -> io::Result<()> {
        let mut user = wide(user)?;
        let mut info = PROFILEINFOW {
            dwSize: size_of::<PROFILEINFOW>() as u32,
            dwFlags: PI_NOUI,
            lpUserName: user.as_mut_ptr(),
            ..PROFILEINFOW::default()
        };
        // SAFETY: the structure says its size; the name ends with a zero and outlives the call. The key that comes back is
        // left open: who closes it has the profile unloaded under programs that use it.
        checked(unsafe { LoadUserProfileW(raw(token), &mut info) })
    }
}

/// Those that are in the token of this process, enabled or not.
fn privileges() -> io::Result<Vec<LUID>> {
    let token = own_token(TOKEN_QUERY)?;
    let mut length = 0;
    // SAFETY: without a buffer it only says how large one must be, which it calls an error.
    let answer = checked(unsafe {
        GetTokenInformation(raw(&token), TokenPrivileges, null_mut(), 0, &mut length)
    });
    match answer {
        Err(error) if code(&error) != Some(ERROR_INSUFFICIENT_BUFFER) => return Err(error),
        _ => {}
    }
    let mut buffer = vec![0_u64; (length as usize).div_ceil(8).max(1)];
    // SAFETY: the buffer is aligned and as long as is said; there are as many entries in it as it says.
    unsafe {
        checked(GetTokenInformation(
            raw(&token),
            TokenPrivileges,
            buffer.as_mut_ptr().cast(),
            size_of_val(&buffer[..]) as u32,
            &mut length,
        ))?;
        let told = buffer.as_ptr().cast::<TOKEN_PRIVILEGES>();
        let first = (&raw const (*told).Privileges).cast::<LUID_AND_ATTRIBUTES>();
        let count = (*told).PrivilegeCount as usize;
        Ok((0..count).map(|n| (*first.add(n)).Luid).collect())
    }
}
