#![allow(unsafe_code)]

mod named;
mod users;

pub(crate) use named::{Found, look_up};
pub use named::{is_local, let_be_service, may_be_service, name_of, service_log_on, sid_of};
pub use users::{Closed, closed, groups_of};

use std::fmt;
use std::io;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::ptr::null_mut;
use std::sync::Arc;

use windows_sys::Win32::Foundation::{HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::{
    CheckTokenMembership, CreateWellKnownSid, GetTokenInformation, ImpersonateLoggedOnUser, PSID,
    RevertToSelf, SECURITY_MAX_SID_SIZE, SID_AND_ATTRIBUTES, TOKEN_ACCESS_MASK, TOKEN_GROUPS,
    TOKEN_QUERY, TOKEN_USER, TokenRestrictedSids, TokenUser, WinBuiltinAdministratorsSid,
};
use windows_sys::Win32::System::Pipes::ImpersonateNamedPipeClient;
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThread, OpenProcessToken, OpenThreadToken,
};

use crate::win32::{checked, owned, raw};

/// The security identifier of the system itself.
pub(crate) const SYSTEM: &str = "S-1-5-18";

/// That of the machine's administrators.
pub(crate) const ADMINISTRATORS: &str = "S-1-5-32-544";

/// A user of the system: a security identifier, and whether they act as an administrator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// As text (`S-1-5-…`); empty: it could not be told.
    sid: Arc<str>,
    administrator: bool,
}

impl Account {
    /// The one that this process acts for.
    ///
    /// # Errors
    /// Those of OpenProcessToken and GetTokenInformation.
    pub fn own() -> io::Result<Self> {
        Ok(Self {
            sid: user_of(&own_token(TOKEN_QUERY)?)?,
            administrator: is_administrator(),
        })
    }

    /// The one at the other end of a named pipe, which we serve: by their token, which a client of ours lets us
    /// see but not use. To be asked after something was read from the pipe; before, Windows refuses.
    ///
    /// # Errors
    /// Those of ImpersonateNamedPipeClient, OpenThreadToken and GetTokenInformation.
    pub fn of_client(pipe: &impl AsHandle) -> io::Result<Self> {
        // SAFETY: the handle is borrowed for the call.
        checked(unsafe { ImpersonateNamedPipeClient(raw(pipe)) })?;
        let disguise = Disguise;
        let mut token: HANDLE = null_mut();
        // SAFETY: the token goes to a local, and is ours. It is opened in our own name: the client's may not
        // be allowed to.
        let token = unsafe {
            checked(OpenThreadToken(
                GetCurrentThread(),
                TOKEN_QUERY,
                1,
                &mut token,
            ))?;
            owned(token)?
        };
        let administrator = is_administrator();
        drop(disguise);
        Ok(Self {
            sid: user_of(&token)?,
            administrator,
        })
    }

    /// Somebody who could not be told: may command nothing.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            sid: "".into(),
            administrator: false,
        }
    }

    /// Whether they may command what belongs to `owner`: the owner, the machine's administrators, and the
    /// system itself.
    #[must_use]
    pub fn may_command(&self, owner: &Self) -> bool {
        !self.sid.is_empty()
            && (self.sid == owner.sid || self.administrator || &*self.sid == SYSTEM)
    }

    /// As text, `S-1-5-…`.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }
}

/// After "it belongs to".
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sid.is_empty() {
            f.write_str("an unknown account")
        } else {
            write!(f, "account {}", self.sid)
        }
    }
}

/// Has this thread act for whose token it is, until what is returned is dropped.
pub(crate) fn act_as(token: &OwnedHandle) -> io::Result<Disguise> {
    // SAFETY: the token is borrowed for the call.
    checked(unsafe { ImpersonateLoggedOnUser(raw(token)) })?;
    Ok(Disguise)
}

/// The token of this process.
pub(crate) fn own_token(rights: TOKEN_ACCESS_MASK) -> io::Result<OwnedHandle> {
    let mut token: HANDLE = null_mut();
    // SAFETY: the token goes to a local, and is ours.
    unsafe {
        checked(OpenProcessToken(GetCurrentProcess(), rights, &mut token))?;
        owned(token)
    }
}

/// The thread acts for somebody else until this is dropped.
pub(crate) struct Disguise;

impl Drop for Disguise {
    fn drop(&mut self) {
        // SAFETY: it asks for nothing.
        if unsafe { RevertToSelf() } == 0 {
            // To go on would be to act with a stranger's rights, or a stranger with ours.
            std::process::abort();
        }
    }
}

/// Whether who this thread acts for is an administrator, and not only could be one (elevated, where the
/// system asks for that): abide then serves the whole machine.
#[must_use]
pub fn is_administrator() -> bool {
    let mut sid = [0_u64; (SECURITY_MAX_SID_SIZE as usize).div_ceil(8)];
    let mut size = SECURITY_MAX_SID_SIZE;
    let mut member = 0;
    // SAFETY: the buffer is as large as any identifier is; without a token that of the thread is looked at,
    // or the process's.
    let told = unsafe {
        CreateWellKnownSid(
            WinBuiltinAdministratorsSid,
            null_mut(),
            sid.as_mut_ptr().cast(),
            &mut size,
        ) != 0
            && CheckTokenMembership(null_mut(), sid.as_mut_ptr().cast(), &mut member) != 0
    };
    told && member != 0
}

/// The identifier of the service that this process is, if it is a restricted one (`SERVICE_SID_TYPE_RESTRICTED`): it can
/// write only to what that identifier, too, may write to.
///
/// # Errors
/// Those of OpenProcessToken.
pub(crate) fn own_service() -> io::Result<Option<Arc<str>>> {
    let restricting = restricting(&own_token(TOKEN_QUERY)?).unwrap_or_default();
    Ok(restricting.into_iter().find(|sid| is_of_one_service(sid)))
}

/// Not `S-1-5-80-0`, which all services have.
fn is_of_one_service(sid: &str) -> bool {
    sid.starts_with("S-1-5-80-") && sid != "S-1-5-80-0"
}

/// The identifiers that restrict a token; none: it is not restricted. Wine does not tell them.
fn restricting(token: &OwnedHandle) -> io::Result<Vec<Arc<str>>> {
    let mut length = 0;
    // SAFETY: nothing is written but the length that is needed.
    unsafe {
        GetTokenInformation(raw(token), TokenRestrictedSids, null_mut(), 0, &mut length);
    }
    let mut buffer = vec![0_u64; (length as usize).div_ceil(8).max(8)];
    // SAFETY: the buffer is aligned, and as long as is said; what is told are a count, so many pointers, and the identifiers
    // that they point to, in the same buffer.
    unsafe {
        checked(GetTokenInformation(
            raw(token),
            TokenRestrictedSids,
            buffer.as_mut_ptr().cast(),
            (buffer.len() * 8) as u32,
            &mut length,
        ))?;
        let groups = buffer.as_ptr().cast::<TOKEN_GROUPS>();
        let first = (&raw const (*groups).Groups).cast::<SID_AND_ATTRIBUTES>();
        (0..(*groups).GroupCount as usize)
            .map(|index| text_of((*first.add(index)).Sid))
            .collect()
    }
}

fn user_of(token: &OwnedHandle) -> io::Result<Arc<str>> {
    let mut buffer = [0_u64; 32];
    let mut length = 0;
    // SAFETY: the buffer is aligned, and as long as is said; a user is a pointer and an identifier of at most
    // 68 bytes, which lies in the same buffer.
    unsafe {
        checked(GetTokenInformation(
            raw(token),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            size_of_val(&buffer) as u32,
            &mut length,
        ))?;
        text_of((*buffer.as_ptr().cast::<TOKEN_USER>()).User.Sid)
    }
}

/// An identifier as text.
///
/// # Safety
/// It points to a valid one.
pub(crate) unsafe fn text_of(sid: PSID) -> io::Result<Arc<str>> {
    let mut text = null_mut();
    // SAFETY: as the caller promises; the text ends with a zero, and is freed once.
    unsafe {
        checked(ConvertSidToStringSidW(sid, &mut text))?;
        let mut length = 0;
        while *text.add(length) != 0 {
            length += 1;
        }
        let words = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        Ok(words.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(sid: &str, administrator: bool) -> Account {
        Account {
            sid: sid.into(),
            administrator,
        }
    }

    #[test]
    fn the_owner_administrators_and_the_system_command_and_nobody_else_does() {
        let owner = account("S-1-5-21-1-2-3-1000", false);
        assert!(owner.may_command(&owner));
        assert!(account("S-1-5-21-1-2-3-500", true).may_command(&owner));
        assert!(account(SYSTEM, false).may_command(&owner));
        assert!(!account("S-1-5-21-1-2-3-1001", false).may_command(&owner));
        assert!(!Account::unknown().may_command(&owner));
        assert!(!Account::unknown().may_command(&Account::unknown()));
    }

    #[test]
    fn only_the_identifier_of_one_service_is_that_of_this_process() {
        assert!(is_of_one_service("S-1-5-80-1-2-3-4-5"));
        assert!(!is_of_one_service("S-1-5-80-0"), "all services have it");
        assert!(!is_of_one_service("S-1-1-0"));
        assert_eq!(own_service().expect("it is asked"), None, "a test is none");
    }

    #[test]
    fn this_process_has_an_account() {
        let own = Account::own().expect("it is told");
        assert!(own.sid().starts_with("S-1-"), "{own}");
        assert!(own.may_command(&own));
    }
}
