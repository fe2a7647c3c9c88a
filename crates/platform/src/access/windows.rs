#![allow(unsafe_code)]

mod security;

pub use security::{Entry, Security};

use std::fs::File;
use std::io;
use std::path::Path;
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSidToSidW, GetNamedSecurityInfoW, GetSecurityInfo, SE_FILE_OBJECT,
    SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACE_HEADER, ACL, ACL_REVISION, CONTAINER_INHERIT_ACE, DACL_SECURITY_INFORMATION, GetAce,
    GetLengthSid, GetSecurityDescriptorControl, INHERITED_ACE, OBJECT_INHERIT_ACE,
    OBJECT_SECURITY_INFORMATION, OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, PSID, SE_DACL_PROTECTED, UNPROTECTED_DACL_SECURITY_INFORMATION,
};
use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_GENERIC_EXECUTE, FILE_GENERIC_READ, FILE_GENERIC_WRITE,
};
use windows_sys::Win32::System::SystemServices::{ACCESS_ALLOWED_ACE_TYPE, ACCESS_DENIED_ACE_TYPE};

use crate::win32::{answered, checked, long, raw, wide};

/// The longest path that is asked about without the prefix that lifts the limit.
const LONGEST_PATH: usize = 247;

/// Bytes of an access list before its first entry, and of an entry of the usual kind before its identifier (winnt.h).
const LIST_HEAD: usize = size_of::<ACL>();
const ENTRY_HEAD: usize = size_of::<ACE_HEADER>() + size_of::<u32>();

/// What is asked for of a file or folder.
const ASKED: OBJECT_SECURITY_INFORMATION = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;

/// What is given. In a folder it holds for all that is in it, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading, writing, executing, removing; not the access list itself, nor the owner.
    Change,
    /// Reading and executing.
    Read,
}

impl Access {
    fn mask(self) -> u32 {
        let reading = FILE_GENERIC_READ | FILE_GENERIC_EXECUTE;
        match self {
            Self::Change => reading | FILE_GENERIC_WRITE | DELETE,
            Self::Read => reading,
        }
    }
}

/// Lets the account with this identifier do that with a file, or with a folder and all that is in it.
///
/// # Errors
/// It is not there, or its access list may not be changed.
pub fn allow(path: &Path, sid: &str, access: Access) -> io::Result<()> {
    let sid = bytes_of(sid)?;
    each_list(path, &mut |path, folder| {
        rewrite(path, |entries| with(entries, &entry(&sid, access, folder)))
    })
}

/// Takes away what [`allow`] has given, and nothing that others gave.
///
/// # Errors
/// Its access list may not be changed. What is not there any more is no error.
pub fn forbid(path: &Path, sid: &str, access: Access) -> io::Result<()> {
    let sid = bytes_of(sid)?;
    let done = each_list(path, &mut |path, folder| {
        rewrite(path, |entries| {
            without(entries, &entry(&sid, access, folder))
        })
    });
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Does it with the file or folder itself, and with those folders in it that inherit nothing. Links lead elsewhere.
fn each_list(path: &Path, act: &mut dyn FnMut(&Path, bool) -> io::Result<()>) -> io::Result<()> {
    let kind = std::fs::symlink_metadata(path)?.file_type();
    act(path, kind.is_dir())?;
    if !kind.is_dir() {
        return Ok(());
    }
    for inner in std::fs::read_dir(path)? {
        let inner = inner?;
        if !inner.file_type()?.is_dir() {
            continue;
        }
        match each_protected(&inner.path(), act) {
            // Whoever runs there has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(())
}

fn each_protected(
    path: &Path,
    act: &mut dyn FnMut(&Path, bool) -> io::Result<()>,
) -> io::Result<()> {
    if List::of(path)?.protected {
        return each_list(path, act);
    }
    Ok(())
}

fn rewrite(path: &Path, change: impl FnOnce(&[Vec<u8>]) -> Vec<Vec<u8>>) -> io::Result<()> {
    let list = List::of(path)?;
    let Some(entries) = &list.entries else {
        // Everybody may do everything.
        return Ok(());
    };
    let changed = change(entries);
    if changed == *entries {
        return Ok(());
    }
    write(path, &changed, list.protected)
}

/// Entries as they are in memory: ours behind those that deny and that are the object's own, before what is inherited.
fn with(entries: &[Vec<u8>], ours: &Vec<u8>) -> Vec<Vec<u8>> {
    let mut changed = entries.to_vec();
    if !entries.contains(ours) {
        let denies = |entry: &&Vec<u8>| {
            u32::from(entry[0]) == ACCESS_DENIED_ACE_TYPE
                && u32::from(entry[1]) & INHERITED_ACE == 0
        };
        let at = entries.iter().take_while(denies).count();
        changed.insert(at, ours.clone());
    }
    changed
}

fn without(entries: &[Vec<u8>], ours: &Vec<u8>) -> Vec<Vec<u8>> {
    let others = entries.iter().filter(|entry| *entry != ours);
    others.cloned().collect()
}

/// An entry that allows, as ACCESS_ALLOWED_ACE has it.
fn entry(sid: &[u8], access: Access, folder: bool) -> Vec<u8> {
    let inherited = if folder {
        OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE
    } else {
        0
    };
    let length = (ENTRY_HEAD + sid.len()) as u16;
    let mut entry = vec![ACCESS_ALLOWED_ACE_TYPE as u8, inherited as u8];
    entry.extend(length.to_le_bytes());
    entry.extend(access.mask().to_le_bytes());
    entry.extend(sid);
    entry
}

/// A whole list, as ACL and its entries have it.
fn list_of(entries: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let length = LIST_HEAD + entries.iter().map(Vec::len).sum::<usize>();
    let full = |_| io::Error::other("there is no room for one more entry in its access list");
    let length = u16::try_from(length.next_multiple_of(4)).map_err(full)?;
    let count = u16::try_from(entries.len()).map_err(full)?;
    let mut list = vec![ACL_REVISION as u8, 0];
    list.extend(length.to_le_bytes());
    list.extend(count.to_le_bytes());
    list.extend([0, 0]);
    entries.iter().for_each(|entry| list.extend(entry));
    list.resize(length.into(), 0);
    Ok(list)
}

/// The bytes of an identifier that is given as text.
fn bytes_of(sid: &str) -> io::Result<Vec<u8>> {
    let text = wide(sid)?;
    let mut made: PSID = null_mut();
    // SAFETY: the text ends with a zero; what is made is valid, has the length that it says, and is freed once.
    unsafe {
        checked(ConvertStringSidToSidW(text.as_ptr(), &mut made))?;
        let bytes = std::slice::from_raw_parts(made.cast::<u8>(), GetLengthSid(made) as usize);
        let bytes = bytes.to_vec();
        LocalFree(made);
        Ok(bytes)
    }
}

/// The access list of a file or folder.
struct List {
    /// The identifier of its owner; `None`: nobody owns it.
    owner: Option<Vec<u8>>,
    /// `None`: it has none.
    entries: Option<Vec<Vec<u8>>>,
    /// It inherits nothing.
    protected: bool,
}

impl List {
    fn of(path: &Path) -> io::Result<Self> {
        let name = wide(long(path.to_owned(), LONGEST_PATH))?;
        // SAFETY: the path ends with a zero.
        Self::asked(|owner, list, memory| unsafe {
            let (kind, group) = (SE_FILE_OBJECT, null_mut());
            let sacl = null_mut();
            GetNamedSecurityInfoW(name.as_ptr(), kind, ASKED, owner, group, list, sacl, memory)
        })
    }

    fn of_open(file: &File) -> io::Result<Self> {
        // SAFETY: the handle is borrowed for the call.
        Self::asked(|owner, list, memory| unsafe {
            let (kind, group) = (SE_FILE_OBJECT, null_mut());
            GetSecurityInfo(
                raw(file),
                kind,
                ASKED,
                owner,
                group,
                list,
                null_mut(),
                memory,
            )
        })
    }

    /// `ask`: puts there what was [`ASKED`] for, and the memory in which it lies.
    fn asked(
        ask: impl FnOnce(*mut PSID, *mut *mut ACL, *mut PSECURITY_DESCRIPTOR) -> u32,
    ) -> io::Result<Self> {
        let mut owner: PSID = null_mut();
        let mut list: *mut ACL = null_mut();
        let mut memory: PSECURITY_DESCRIPTOR = null_mut();
        answered(ask(&mut owner, &mut list, &mut memory))?;
        // SAFETY: owner and list lie in the memory, which is freed once, after all that is needed was copied.
        unsafe {
            let read = Self::read(owner, list, memory);
            LocalFree(memory);
            read
        }
    }

    /// # Safety
    /// Owner and list are null or lie in the memory, and all are valid.
    unsafe fn read(owner: PSID, list: *mut ACL, memory: PSECURITY_DESCRIPTOR) -> io::Result<Self> {
        let (mut control, mut revision) = (0, 0);
        // SAFETY: as the caller promises; an identifier has the length that it says.
        let owner = (!owner.is_null()).then(|| unsafe {
            std::slice::from_raw_parts(owner.cast::<u8>(), GetLengthSid(owner) as usize).to_vec()
        });
        // SAFETY: as the caller promises; both numbers go to locals.
        checked(unsafe { GetSecurityDescriptorControl(memory, &mut control, &mut revision) })?;
        let protected = control & SE_DACL_PROTECTED != 0;
        if list.is_null() {
            return Ok(Self {
                owner,
                entries: None,
                protected,
            });
        }
        let mut entries = Vec::new();
        // SAFETY: as the caller promises.
        let count = unsafe { (*list).AceCount };
        for index in 0..u32::from(count) {
            let mut at = null_mut();
            // SAFETY: the index is one of the list's, and an entry has the length that its head says.
            entries.push(unsafe {
                checked(GetAce(list, index, &mut at))?;
                let length = (*at.cast::<ACE_HEADER>()).AceSize;
                std::slice::from_raw_parts(at.cast::<u8>(), length.into()).to_vec()
            });
        }
        Ok(Self {
            owner,
            entries: Some(entries),
            protected,
        })
    }
}

fn write(path: &Path, entries: &[Vec<u8>], protected: bool) -> io::Result<()> {
    let name = wide(long(path.to_owned(), LONGEST_PATH))?;
    // In words of four bytes, as Windows wants it aligned.
    let list: Vec<u32> = list_of(entries)?
        .chunks_exact(4)
        .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
        .collect();
    let inheritance = if protected {
        PROTECTED_DACL_SECURITY_INFORMATION
    } else {
        UNPROTECTED_DACL_SECURITY_INFORMATION
    };
    // SAFETY: the path ends with a zero; the list is whole, as long as it says, and outlives the call; nothing else is
    // set.
    answered(unsafe {
        SetNamedSecurityInfoW(
            name.as_ptr(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION | inheritance,
            null_mut(),
            null_mut(),
            list.as_ptr().cast(),
            null_mut(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LocalService.
    const SERVICE: &str = "S-1-5-19";

    fn ours(access: Access, folder: bool) -> Vec<u8> {
        entry(&bytes_of(SERVICE).expect("an identifier"), access, folder)
    }

    #[test]
    fn an_entry_and_a_list_are_as_windows_has_them() {
        let folder = ours(Access::Change, true);
        // Allowed; for files and folders in it; 20 bytes; 0x1301bf; revision 1, one number, authority 5, 19.
        let expected = [
            0, 3, 20, 0, 0xbf, 0x01, 0x13, 0, 1, 1, 0, 0, 0, 0, 0, 5, 19, 0, 0, 0,
        ];
        assert_eq!(folder, expected);
        let file = ours(Access::Read, false);
        assert_eq!(file[..8], [0, 0, 20, 0, 0xa9, 0, 0x12, 0]);
        let list = list_of(&[folder, file]).expect("it fits");
        assert_eq!(list[..8], [2, 0, 48, 0, 2, 0, 0, 0]);
        assert_eq!(list.len(), 48);
    }

    #[test]
    fn what_was_given_is_taken_away_and_nothing_else() {
        let (mine, more) = (ours(Access::Change, true), ours(Access::Read, true));
        let mut deny = more.clone();
        deny[0] = ACCESS_DENIED_ACE_TYPE as u8;
        let mut inherited = more.clone();
        inherited[1] |= INHERITED_ACE as u8;
        let before = [deny.clone(), inherited.clone(), more.clone()];
        let after = with(&before, &mine);
        assert_eq!(after, [deny, mine.clone(), inherited, more]);
        assert_eq!(with(&after, &mine), after, "it is there once");
        assert_eq!(without(&after, &mine), before);
    }

    #[test]
    fn rights_can_be_given_to_a_folder_and_a_file_and_taken_away() {
        let place = tempfile::tempdir().expect("a directory");
        let home = place.path().join("hömé");
        crate::private::create_directory(&home.join("state")).expect("it is made");
        let file = place.path().join("shop.toml");
        std::fs::write(&file, "").expect("it is written");
        for (path, access) in [(&home, Access::Change), (&file, Access::Read)] {
            allow(path, SERVICE, access).expect("it is given");
            forbid(path, SERVICE, access).expect("it is taken away");
        }
        forbid(&place.path().join("none"), SERVICE, Access::Read).expect("nothing to take away");
        let none = allow(&place.path().join("none"), SERVICE, Access::Read);
        assert_eq!(
            none.expect_err("it is not there").kind(),
            io::ErrorKind::NotFound
        );
        assert!(allow(&file, "somebody", Access::Read).is_err());
    }
}
