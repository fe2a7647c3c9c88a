//! Accounts by their names, and the right to log on as a service that one of them needs.

#![allow(unsafe_code)]

use std::io;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_NONE_MAPPED, ERROR_TRUSTED_RELATIONSHIP_FAILURE, NTSTATUS,
    STATUS_SUCCESS,
};
use windows_sys::Win32::Security::Authentication::Identity::{
    LSA_HANDLE, LSA_OBJECT_ATTRIBUTES, LSA_UNICODE_STRING, LsaAddAccountRights, LsaClose,
    LsaEnumerateAccountRights, LsaFreeMemory, LsaNtStatusToWinError, LsaOpenPolicy,
    LsaRemoveAccountRights, POLICY_CREATE_ACCOUNT, POLICY_LOOKUP_NAMES,
};
use windows_sys::Win32::Security::{LookupAccountNameW, PSID, SECURITY_MAX_SID_SIZE};

use super::text_of;
use crate::win32::{checked, code, wide};

/// The right without which the manager starts no service as an account (error 1069).
const LOG_ON_AS_SERVICE: &str = "SeServiceLogonRight";

/// A security identifier as Windows has it in memory.
struct Sid([u64; (SECURITY_MAX_SID_SIZE as usize).div_ceil(8)]);

impl Sid {
    fn as_ptr(&mut self) -> PSID {
        self.0.as_mut_ptr().cast()
    }

    fn of(name: &str) -> io::Result<Self> {
        let name = wide(name)?;
        let mut sid = Self([0; (SECURITY_MAX_SID_SIZE as usize).div_ceil(8)]);
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
        Ok(sid)
    }
}

/// The security identifier of an account, as text; `None`: there is none of this name.
///
/// # Errors
/// It could not be found out, as where a domain does not answer.
pub fn sid_of(name: &str) -> io::Result<Option<String>> {
    match Sid::of(name) {
        // SAFETY: it is a valid identifier, which outlives the call.
        Ok(mut sid) => unsafe { text_of(sid.as_ptr()) }.map(|text| Some(text.to_string())),
        Err(error)
            if matches!(
                code(&error),
                Some(ERROR_NONE_MAPPED | ERROR_TRUSTED_RELATIONSHIP_FAILURE)
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
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
    let mut sid = Sid::of(account)?;
    let policy = Policy::open(POLICY_LOOKUP_NAMES.cast_unsigned())?;
    let (mut rights, mut count) = (null_mut::<LSA_UNICODE_STRING>(), 0);
    // SAFETY: the policy is open, the identifier valid; list and number go to locals.
    let status =
        unsafe { LsaEnumerateAccountRights(policy.0, sid.as_ptr(), &mut rights, &mut count) };
    match answered(status) {
        // It was never given any.
        Err(error) if code(&error) == Some(ERROR_FILE_NOT_FOUND) => return Ok(false),
        answer => answer?,
    }
    let wanted: Vec<u16> = LOG_ON_AS_SERVICE.encode_utf16().collect();
    // SAFETY: there are that many texts, each of the length that it says; they are freed once.
    unsafe {
        let found = (0..count as usize).any(|n| {
            let right = &*rights.add(n);
            let length = usize::from(right.Length / 2);
            std::slice::from_raw_parts(right.Buffer, length) == wanted
        });
        LsaFreeMemory(rights.cast());
        Ok(found)
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
