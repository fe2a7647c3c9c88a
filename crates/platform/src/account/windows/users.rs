//! This machine's own accounts: the groups that they are in, and what keeps them from logging on.

#![allow(unsafe_code)]

use std::io;
use std::ptr::{null, null_mut};
use std::time::{SystemTime, UNIX_EPOCH};

use windows_sys::Win32::NetworkManagement::NetManagement::{
    LG_INCLUDE_INDIRECT, LOCALGROUP_USERS_INFO_0, MAX_PREFERRED_LENGTH, NetApiBufferFree,
    NetUserGetInfo, NetUserGetLocalGroups, UF_ACCOUNTDISABLE, UF_LOCKOUT, USER_INFO_3,
};

use super::named::sid_of;
use crate::win32::{answered, wide};

/// `TIMEQ_FOREVER`: it never expires (lmaccess.h).
const NEVER: u32 = u32::MAX;

/// What keeps an account from logging on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Closed {
    /// Somebody switched it off.
    pub disabled: bool,
    /// Too many wrong passwords.
    pub locked: bool,
    /// Its password has to be changed first.
    pub password_expired: bool,
    /// Its time is over.
    pub expired: bool,
}

/// What the network management calls made, which is freed with them.
struct Made<T>(*mut T);

impl<T> Drop for Made<T> {
    fn drop(&mut self) {
        // SAFETY: it is null, or was made by a call that says to free it so.
        unsafe { NetApiBufferFree(self.0.cast()) };
    }
}

/// What keeps an account of this machine from logging on. `name`: without a domain.
///
/// # Errors
/// Those of NetUserGetInfo: this machine has no such account, or does not say.
pub fn closed(name: &str) -> io::Result<Closed> {
    let name = wide(name)?;
    let mut made = Made::<USER_INFO_3>(null_mut());
    // SAFETY: the name ends with a zero; null means this machine; what is made goes to a local.
    answered(unsafe { NetUserGetInfo(null(), name.as_ptr(), 3, (&raw mut made.0).cast()) })?;
    if made.0.is_null() {
        return Err(io::ErrorKind::NotFound.into());
    }
    // SAFETY: at this level that is what was made, and it lives as long as its owner here.
    let told = unsafe { &*made.0 };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    Ok(Closed {
        disabled: told.usri3_flags & UF_ACCOUNTDISABLE != 0,
        locked: told.usri3_flags & UF_LOCKOUT != 0,
        password_expired: told.usri3_password_expired != 0,
        expired: told.usri3_acct_expires != NEVER && u64::from(told.usri3_acct_expires) < now,
    })
}

/// The identifiers of this machine's groups that an account is in, also by way of other groups.
///
/// # Errors
/// Those of NetUserGetLocalGroups: there is no such account, or it may not be asked for.
pub fn groups_of(name: &str) -> io::Result<Vec<String>> {
    let name = wide(name)?;
    let mut made = Made::<LOCALGROUP_USERS_INFO_0>(null_mut());
    let (mut read, mut all) = (0, 0);
    // SAFETY: the name ends with a zero; null means this machine; what is made and both numbers go to locals.
    answered(unsafe {
        NetUserGetLocalGroups(
            null(),
            name.as_ptr(),
            0,
            LG_INCLUDE_INDIRECT,
            (&raw mut made.0).cast(),
            MAX_PREFERRED_LENGTH,
            &mut read,
            &mut all,
        )
    })?;
    let mut groups = Vec::new();
    for n in 0..read as usize {
        // SAFETY: there are that many, each of which points to a text with a zero at its end.
        let name = unsafe {
            let text = (*made.0.add(n)).lgrui0_name;
            let length = (0..).take_while(|at| *text.add(*at) != 0).count();
            String::from_utf16_lossy(std::slice::from_raw_parts(text, length))
        };
        let sid = sid_of(&name)?;
        groups.push(sid.ok_or_else(|| io::Error::other(format!("nobody knows {name}")))?);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_is_not_there_has_neither_groups_nor_a_state() {
        assert!(closed("nobody-of-that-name").is_err());
        // Wine 8 takes everybody for an administrator, whoever is asked about.
        let groups = groups_of("nobody-of-that-name");
        if std::env::var_os("ABIDE_UNDER_WINE").is_none() {
            assert!(groups.is_err(), "{groups:?}");
        }
    }

    #[test]
    fn whoever_runs_this_may_log_on() {
        let own = crate::account::Account::own().expect("it is told");
        let name = super::super::name_of(own.sid()).expect("it is looked up");
        let name = name.expect("it has one");
        if !super::super::is_local(&name).expect("it is there") {
            return;
        }
        let name = name.rsplit('\\').next().unwrap_or(&name);
        // Wine knows fewer kinds of answers.
        if let Ok(state) = closed(name) {
            assert_eq!(state, Closed::default());
        }
    }
}
