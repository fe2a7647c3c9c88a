//! Accounts by their names, and the right to log on as a service that one of them needs.

#![allow(unsafe_code)]

use std::io;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_INVALID_SID, ERROR_NONE_MAPPED, ERROR_TRUSTED_RELATIONSHIP_FAILURE,
    LocalFree, NTSTATUS, STATUS_SUCCESS,
};
use windows_sys::Win32::Security::Authentication::Identity::{
    LSA_HANDLE, LSA_OBJECT_ATTRIBUTES, LSA_UNICODE_STRING, LsaAddAccountRights, LsaClose,
    LsaEnumerateAccountRights, LsaFreeMemory, LsaNtStatusToWinError, LsaOpenPolicy,
    LsaRemoveAccountRights, POLICY_CREATE_ACCOUNT, POLICY_LOOKUP_NAMES,
};
use windows_sys::Win32::Security::Authorization::ConvertStringSidToSidW;
use windows_sys::Win32::Security::{
    CopySid, LookupAccountNameW, LookupAccountSidW, PSID, SECURITY_MAX_SID_SIZE, SID_NAME_USE,
    SidTypeAlias, SidTypeGroup,
};
use windows_sys::Win32::System::SystemInformation::{ComputerNameNetBIOS, GetComputerNameExW};

use super::text_of;
use crate::win32::{checked, code, wide};

/// The right without which the manager starts no service as an account (error 1069).
const LOG_ON_AS_SERVICE: &str = "SeServiceLogonRight";

/// Who has this one may not, whatever else they were given.
const DENY_LOG_ON_AS_SERVICE: &str = "SeDenyServiceLogonRight";

/// A security identifier as Windows has it in memory.
struct Sid([u64; (SECURITY_MAX_SID_SIZE as usize).div_ceil(8)]);

impl Sid {
    fn as_ptr(&mut self) -> PSID {
        self.0.as_mut_ptr().cast()
    }

    fn empty() -> Self {
        Self([0; (SECURITY_MAX_SID_SIZE as usize).div_ceil(8)])
    }

    fn of(name: &str) -> io::Result<Self> {
        Ok(Self::look_up(name)?.0)
    }

    /// Of its text, `S-1-…`.
    fn of_text(text: &str) -> io::Result<Self> {
        let text = wide(text)?;
        let (mut made, mut sid): (PSID, Self) = (null_mut(), Self::empty());
        // SAFETY: the text ends with a zero; what is made is valid, copied into a buffer of the size that is said, and
        // freed once.
        unsafe {
            checked(ConvertStringSidToSidW(text.as_ptr(), &mut made))?;
            let copied = checked(CopySid(SECURITY_MAX_SID_SIZE, sid.as_ptr(), made));
            LocalFree(made);
            copied.map(|()| sid)
        }
    }

    /// With the name of the domain that has it, which may be this machine, and what it is.
    fn look_up(name: &str) -> io::Result<(Self, String, SID_NAME_USE)> {
        let name = wide(name)?;
        let mut sid = Self::empty();
        let mut size = SECURITY_MAX_SID_SIZE;
        let mut domain = [0_u16; 256];
        let mut length = domain.len() as u32;
        let mut kind = 0;
        // SAFETY: the name ends with a zero; both buffers are as large as is said.
        checked(unsafe {
            LookupAccountNameW(
                null(),
                name.as_ptr(),
                sid.as_ptr(),
                &mut size,
                domain.as_mut_ptr(),
                &mut length,
                &mut kind,
            )
        })?;
        Ok((sid, before_zero(&domain), kind))
    }
}

fn before_zero(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0);
    String::from_utf16_lossy(&units[..end.unwrap_or(units.len())])
}

/// Nobody has this name, or this identifier.
fn nobody(error: &io::Error) -> bool {
    let of_nobody = [
        ERROR_NONE_MAPPED,
        ERROR_TRUSTED_RELATIONSHIP_FAILURE,
        ERROR_INVALID_SID,
    ];
    code(error).is_some_and(|code| of_nobody.contains(&code))
}

/// The security identifier of an account, as text; `None`: there is none of this name.
///
/// # Errors
/// It could not be found out, as where a domain does not answer.
pub fn sid_of(name: &str) -> io::Result<Option<String>> {
    Ok(look_up(name)?.map(|found| found.sid.to_string()))
}

/// Somebody whom Windows knows by name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// Their identifier, as text.
    pub sid: Arc<str>,
    /// They are several: a group of this machine or of a domain.
    pub group: bool,
}

/// Whom this name means; `None`: nobody.
///
/// # Errors
/// As of [`sid_of`].
pub(crate) fn look_up(name: &str) -> io::Result<Option<Found>> {
    match Sid::look_up(name) {
        Ok((mut sid, _, kind)) => {
            // SAFETY: it is a valid identifier, which outlives the call.
            let sid = unsafe { text_of(sid.as_ptr()) }?;
            let group = [SidTypeGroup, SidTypeAlias].contains(&kind);
            Ok(Some(Found { sid, group }))
        }
        Err(error) if nobody(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an account is this machine's own, and not that of a domain or of Windows itself.
///
/// # Errors
/// There is no such account, or it could not be found out.
pub fn is_local(name: &str) -> io::Result<bool> {
    let (_, domain, _) = Sid::look_up(name)?;
    let mut own = [0_u16; 64];
    let mut length = own.len() as u32;
    // SAFETY: the text has as much room as is said.
    checked(unsafe { GetComputerNameExW(ComputerNameNetBIOS, own.as_mut_ptr(), &mut length) })?;
    Ok(domain.eq_ignore_ascii_case(&before_zero(&own)))
}

/// The name of the account or group that an identifier stands for, `DOMAIN\NAME`; `None`: nobody knows it.
///
/// # Errors
/// It could not be found out, as where a domain does not answer.
pub fn name_of(sid: &str) -> io::Result<Option<String>> {
    let mut sid = Sid::of_text(sid)?;
    let (mut name, mut domain) = ([0_u16; 257], [0_u16; 257]);
    let (mut name_room, mut domain_room) = (name.len() as u32, domain.len() as u32);
    let mut kind = 0;
    // SAFETY: the identifier is valid; both buffers are as large as is said.
    let answer = checked(unsafe {
        LookupAccountSidW(
            null(),
            sid.as_ptr(),
            name.as_mut_ptr(),
            &mut name_room,
            domain.as_mut_ptr(),
            &mut domain_room,
            &mut kind,
        )
    });
    match answer {
        Err(error) if nobody(&error) => Ok(None),
        Err(error) => Err(error),
        Ok(()) => {
            let (name, domain) = (before_zero(&name), before_zero(&domain));
            Ok(Some(if domain.is_empty() {
                name
            } else {
                format!(r"{domain}\{name}")
            }))
        }
    }
}

/// The machine's policy, open.
struct Policy(LSA_HANDLE);

impl Policy {
    fn open(access: u32) -> io::Result<Self> {
        let attributes = LSA_OBJECT_ATTRIBUTES {
            Length: size_of::<LSA_OBJECT_ATTRIBUTES>() as u32,
            ..LSA_OBJECT_ATTRIBUTES::default()
        };
        let mut policy = 0;
        // SAFETY: the attributes outlive the call; null means this machine; the handle goes to a local.
        answered(unsafe { LsaOpenPolicy(null(), &attributes, access, &mut policy) })?;
        Ok(Self(policy))
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else closes it.
        unsafe { LsaClose(self.0) };
    }
}

fn answered(status: NTSTATUS) -> io::Result<()> {
    if status == STATUS_SUCCESS {
        return Ok(());
    }
    // SAFETY: takes a number.
    let error = unsafe { LsaNtStatusToWinError(status) };
    Err(io::Error::from_raw_os_error(error.cast_signed()))
}

/// The name of the right as Windows takes it, beside the characters that it points to.
fn right(characters: &mut [u16]) -> LSA_UNICODE_STRING {
    // The zero at the end is not counted.
    let length = (characters.len().saturating_sub(1) * 2) as u16;
    LSA_UNICODE_STRING {
        Length: length,
        MaximumLength: length + 2,
        Buffer: characters.as_mut_ptr(),
    }
}

/// Whether an account was given the right to log on as a service itself (one of its groups may have it, too).
///
/// # Errors
/// There is no such account, or the policy may not be read.
pub fn may_be_service(account: &str) -> io::Result<bool> {
    let rights = rights_of(Sid::of(account)?)?;
    Ok(rights.iter().any(|right| right == LOG_ON_AS_SERVICE))
}

/// Whether this account or group was itself given the right to log on as a service, and whether it was denied that.
///
/// # Errors
/// The policy may not be read.
pub fn service_log_on(sid: &str) -> io::Result<(bool, bool)> {
    let rights = rights_of(Sid::of_text(sid)?)?;
    let has = |wanted: &str| rights.iter().any(|right| right == wanted);
    Ok((has(LOG_ON_AS_SERVICE), has(DENY_LOG_ON_AS_SERVICE)))
}

/// The rights that somebody was given themselves.
fn rights_of(mut sid: Sid) -> io::Result<Vec<String>> {
    let policy = Policy::open(POLICY_LOOKUP_NAMES.cast_unsigned())?;
    let (mut rights, mut count) = (null_mut::<LSA_UNICODE_STRING>(), 0);
    // SAFETY: the policy is open, the identifier valid; list and number go to locals.
    let status =
        unsafe { LsaEnumerateAccountRights(policy.0, sid.as_ptr(), &mut rights, &mut count) };
    match answered(status) {
        // It was never given any.
        Err(error) if code(&error) == Some(ERROR_FILE_NOT_FOUND) => return Ok(Vec::new()),
        answer => answer?,
    }
    // SAFETY: there are that many texts, each of the length that it says; they are freed once.
    unsafe {
        let texts = (0..count as usize).map(|n| {
            let right = &*rights.add(n);
            let length = usize::from(right.Length / 2);
            String::from_utf16_lossy(std::slice::from_raw_parts(right.Buffer, length))
        });
        let texts = texts.collect();
        LsaFreeMemory(rights.cast());
        Ok(texts)
    }
}

/// Gives an account the right to log on as a service, or takes it away.
///
/// # Errors
/// There is no such account, or the policy may not be changed.
pub fn let_be_service(account: &str, allowed: bool) -> io::Result<()> {
    let mut sid = Sid::of(account)?;
    let access = POLICY_LOOKUP_NAMES | POLICY_CREATE_ACCOUNT;
    let policy = Policy::open(access.cast_unsigned())?;
    let mut characters = wide(LOG_ON_AS_SERVICE)?;
    let right = right(&mut characters);
    // SAFETY: the policy is open, the identifier valid, the text outlives the call.
    answered(unsafe {
        if allowed {
            LsaAddAccountRights(policy.0, sid.as_ptr(), &right, 1)
        } else {
            LsaRemoveAccountRights(policy.0, sid.as_ptr(), false, &right, 1)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_name_and_an_identifier_that_lead_to_each_other() {
        let name = name_of("S-1-1-0").expect("it is looked up");
        let name = name.expect("Windows knows everybody, in its own language");
        let sid = sid_of(&name).expect("it is looked up");
        assert_eq!(sid.as_deref(), Some("S-1-1-0"));
        assert!(!is_local(&name).expect("there is one"));
        assert!(name_of("somebody").is_err(), "that is no identifier");
        let own = crate::account::Account::own().expect("it is told");
        assert!(name_of(own.sid()).expect("it is looked up").is_some());
    }

    #[test]
    fn the_rights_of_somebody_who_was_given_none_are_none() {
        let nobody = service_log_on("S-1-5-21-4294967295-2-3-4711");
        // Without rights the policy may not be read.
        assert!(matches!(nobody, Ok((false, false)) | Err(_)), "{nobody:?}");
    }
}
