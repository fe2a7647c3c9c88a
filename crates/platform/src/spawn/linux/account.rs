//! Users and groups, from wherever the system has them (getpwnam(3) and its kin).

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};

/// The text buffers of getpwnam_r begin this large, and grow.
const BUFFER: usize = 1024;
const LARGEST: usize = 1 << 20;

/// One account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: String,
    pub shell: String,
}

/// An account by name, or by number. `Ok(None)`: there is none. Errors: the error number.
pub(super) fn by_name(name: &str) -> Result<Option<Account>, i32> {
    let Ok(text) = CString::new(name) else {
        return Ok(None);
    };
    // SAFETY: getpwnam_r fills `entry` with pointers into `buffer`; both outlive the use.
    let found = look_up(|entry, buffer, result| unsafe {
        libc::getpwnam_r(
            text.as_ptr(),
            entry,
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            result,
        )
    })?;
    match (found, name.parse()) {
        (None, Ok(uid)) => by_number(uid),
        (found, _) => Ok(found),
    }
}

/// The account of this number.
pub(super) fn by_number(uid: u32) -> Result<Option<Account>, i32> {
    // SAFETY: as for getpwnam_r.
    look_up(|entry, buffer, result| unsafe {
        libc::getpwuid_r(uid, entry, buffer.as_mut_ptr().cast(), buffer.len(), result)
    })
}

fn look_up(
    mut call: impl FnMut(*mut libc::passwd, &mut [u8], *mut *mut libc::passwd) -> i32,
) -> Result<Option<Account>, i32> {
    let mut buffer = vec![0; BUFFER];
    loop {
        // SAFETY: passwd is plain pointers and numbers; all zero is a valid value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut result = std::ptr::null_mut();
        match call(&raw mut entry, &mut buffer, &raw mut result) {
            libc::ERANGE if buffer.len() < LARGEST => buffer.resize(buffer.len() * 4, 0),
            libc::EINTR => {}
            // What getpwnam(3) calls "not found" has several spellings.
            0 | libc::ENOENT | libc::ESRCH if result.is_null() => return Ok(None),
            0 => {
                // SAFETY: the strings of a filled entry end with a zero, inside `buffer`.
                let text = |p: *const libc::c_char| unsafe {
                    if p.is_null() {
                        String::new()
                    } else {
                        CStr::from_ptr(p).to_string_lossy().into_owned()
                    }
                };
                return Ok(Some(Account {
                    name: text(entry.pw_name),
                    uid: entry.pw_uid,
                    gid: entry.pw_gid,
                    home: text(entry.pw_dir),
                    shell: text(entry.pw_shell),
                }));
            }
            error => return Err(error),
        }
    }
}

/// A group's number by its name, or the number itself. `Ok(None)`: there is none.
pub(super) fn group(name: &str) -> Result<Option<u32>, i32> {
    let Ok(text) = CString::new(name) else {
        return Ok(None);
    };
    let mut buffer = vec![0_u8; BUFFER];
    loop {
        // SAFETY: group is plain pointers and a number; getgrnam_r fills it with pointers into `buffer`.
        let (error, gid) = unsafe {
            let mut entry: libc::group = std::mem::zeroed();
            let mut result = std::ptr::null_mut();
            let space = (buffer.as_mut_ptr().cast(), buffer.len());
            let error = libc::getgrnam_r(
                text.as_ptr(),
                &raw mut entry,
                space.0,
                space.1,
                &raw mut result,
            );
            (error, (!result.is_null()).then_some(entry.gr_gid))
        };
        match error {
            libc::ERANGE if buffer.len() < LARGEST => buffer.resize(buffer.len() * 4, 0),
            libc::EINTR => {}
            0 | libc::ENOENT | libc::ESRCH => return Ok(gid.or_else(|| name.parse().ok())),
            error => return Err(error),
        }
    }
}

/// All groups of a user (initgroups(3)), the primary one included.
pub(super) fn groups_of(name: &str, primary: u32) -> Vec<u32> {
    let Ok(text) = CString::new(name) else {
        return vec![primary];
    };
    let mut groups: Vec<libc::gid_t> = vec![0; 32];
    loop {
        let mut count = i32::try_from(groups.len()).unwrap_or(i32::MAX);
        // SAFETY: `count` says how many numbers fit into `groups`.
        let result = unsafe {
            libc::getgrouplist(text.as_ptr(), primary, groups.as_mut_ptr(), &raw mut count)
        };
        let wanted = usize::try_from(count).unwrap_or(0);
        if result >= 0 {
            groups.truncate(wanted);
            return groups;
        }
        if wanted <= groups.len() {
            return vec![primary];
        }
        groups.resize(wanted, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_by_name_and_by_number() {
        let root = by_name("root")
            .expect("accounts can be read")
            .expect("root exists");
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(by_name("0"), Ok(Some(root)));
        assert_eq!(by_name("no-such-user-here"), Ok(None));
        assert_eq!(group("0"), Ok(Some(0)));
        assert_eq!(group("no-such-group-here"), Ok(None));
        assert!(groups_of("root", 0).contains(&0));
    }
}
