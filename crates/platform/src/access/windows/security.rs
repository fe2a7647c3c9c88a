//! What an access list says, as plain data.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::Path;

use windows_sys::Win32::Security::INHERIT_ONLY_ACE;
use windows_sys::Win32::System::SystemServices::{
    ACCESS_ALLOWED_ACE_TYPE, ACCESS_ALLOWED_CALLBACK_ACE_TYPE, ACCESS_DENIED_ACE_TYPE,
    ACCESS_DENIED_CALLBACK_ACE_TYPE,
};

use super::{ENTRY_HEAD, List};

/// Who owns a file or folder, and what its access list says of the thing itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Security {
    /// The owner's identifier, as text; `None`: nobody owns it.
    pub owner: Option<String>,
    /// In their order; `None`: without a list, everybody may do everything.
    pub entries: Option<Vec<Entry>>,
}

/// One line of an access list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Whether it allows these rights, or denies them.
    pub allows: bool,
    /// It holds under a condition only, which is not looked at.
    pub conditional: bool,
    /// An access mask.
    pub rights: u32,
    /// Whom it is about: an identifier, as text.
    pub sid: String,
}

impl Security {
    /// That of a file or folder.
    ///
    /// # Errors
    /// Those of GetNamedSecurityInfoW.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::told(&List::of(path)?))
    }

    /// That of an open file, whatever takes its place meanwhile.
    ///
    /// # Errors
    /// Those of GetSecurityInfo.
    pub(crate) fn of_open(file: &File) -> io::Result<Self> {
        Ok(Self::told(&List::of_open(file)?))
    }

    fn told(list: &List) -> Self {
        let entries = list.entries.as_ref().map(|entries| {
            let entries = entries.iter();
            entries.filter_map(|bytes| Entry::parse(bytes)).collect()
        });
        Self {
            owner: list.owner.as_deref().and_then(text_of),
            entries,
        }
    }
}

impl Entry {
    /// As ACCESS_ALLOWED_ACE and its kin have it; `None`: it is not about the thing itself, or neither allows nor
    /// denies.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, flags) = (u32::from(*bytes.first()?), u32::from(*bytes.get(1)?));
        if flags & INHERIT_ONLY_ACE != 0 {
            return None;
        }
        let (allows, conditional) = match kind {
            ACCESS_ALLOWED_ACE_TYPE => (true, false),
            ACCESS_DENIED_ACE_TYPE => (false, false),
            ACCESS_ALLOWED_CALLBACK_ACE_TYPE => (true, true),
            ACCESS_DENIED_CALLBACK_ACE_TYPE => (false, true),
            _ => return None,
        };
        Some(Self {
            allows,
            conditional,
            rights: u32::from_le_bytes(bytes.get(4..ENTRY_HEAD)?.try_into().ok()?),
            sid: text_of(bytes.get(ENTRY_HEAD..)?)?,
        })
    }
}

/// An identifier as text ([MS-DTYP] 2.4.2.1, 2.4.2.2): revision, count, an authority of six bytes, and as many numbers.
fn text_of(sid: &[u8]) -> Option<String> {
    let (revision, count) = (*sid.first()?, usize::from(*sid.get(1)?));
    let mut authority = [0; 8];
    authority[2..].copy_from_slice(sid.get(2..8)?);
    let mut text = format!("S-{revision}-{}", u64::from_be_bytes(authority));
    for number in sid.get(8..8 + count * 4)?.chunks_exact(4) {
        let number = u32::from_le_bytes(number.try_into().ok()?);
        // Writing to a String cannot fail.
        let _ = write!(text, "-{number}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::{Access, bytes_of, entry};
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written_and_what_only_others_inherit_is_none() {
        for sid in ["S-1-1-0", "S-1-5-19", "S-1-5-21-4294967295-2-3-1000"] {
            let bytes = bytes_of(sid).expect("an identifier");
            let mut written = entry(&bytes, Access::Read, true);
            let read = Entry::parse(&written).expect("it is about the folder, too");
            assert_eq!((&*read.sid, read.rights), (sid, 0x0012_00a9));
            assert!(read.allows && !read.conditional);
            written[0] = ACCESS_DENIED_CALLBACK_ACE_TYPE as u8;
            let denied = Entry::parse(&written).expect("it is");
            assert!(!denied.allows && denied.conditional);
            written[1] |= INHERIT_ONLY_ACE as u8;
            assert_eq!(Entry::parse(&written), None);
        }
        assert_eq!(Entry::parse(&[0, 0, 20]), None, "it is cut off");
    }

    #[test]
    fn who_owns_a_file_and_who_may_use_it_is_read() {
        let place = tempfile::tempdir().expect("a directory");
        let home = place.path().join("home");
        crate::private::create_directory(&home).expect("it is made");
        let found = Security::of(&home).expect("it is told");
        assert!(found.owner.is_some_and(|owner| owner.starts_with("S-1-")));
        assert!(found.entries.is_some_and(|entries| !entries.is_empty()));
        let file = home.join("state");
        let open = File::create(&file).expect("it is made");
        let (by_name, by_handle) = (Security::of(&file), Security::of_open(&open));
        assert_eq!(by_handle.expect("it is told"), by_name.expect("it is told"));
        assert!(Security::of(&place.path().join("none")).is_err());
    }
}
