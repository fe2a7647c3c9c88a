//! Access lists, evaluated as Windows does it. The account is not asked to try: the doctor is not that account.
//!
//! Lines are gone through in their order; each that is about one of the account's identifiers takes what it allows off
//! the rights that are still wanted, and refuses all if it denies one of them ("How AccessCheck Works"). Whether the
//! account is in a group of a domain is not known here: what hangs on such a line is not judged.

use std::collections::{BTreeMap, BTreeSet};

pub(in crate::doctor) const READ_DATA: u32 = 0x1;
/// Of a folder: to put a file into it.
pub(in crate::doctor) const WRITE_DATA: u32 = 0x2;
const APPEND_DATA: u32 = 0x4;
/// Of a folder: to go through it, and to work in it.
pub(in crate::doctor) const EXECUTE: u32 = 0x20;
const DELETE_CHILD: u32 = 0x40;
pub(in crate::doctor) const DELETE: u32 = 0x1_0000;
const WRITE_DAC: u32 = 0x4_0000;
const WRITE_OWNER: u32 = 0x8_0000;

/// What the general rights mean for files (`FILE_ALL_ACCESS` and its kin, winnt.h).
const GENERAL: [(u32, u32); 4] = [
    (0x8000_0000, 0x12_0089),
    (0x4000_0000, 0x12_0116),
    (0x2000_0000, 0x12_00a0),
    (0x1000_0000, 0x1f_01ff),
];

pub(in crate::doctor) const EVERYONE: &str = "S-1-1-0";
const CREATOR_OWNER: &str = "S-1-3-0";
/// Stands for whoever owns the thing, instead of what owners may do otherwise.
const OWNER_RIGHTS: &str = "S-1-3-4";
const SYSTEM: &str = "S-1-5-18";
const ADMINISTRATORS: &str = "S-1-5-32-544";
/// The service that installs Windows's own files, and owns them.
const TRUSTED_INSTALLER: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";

/// Who owns a file or folder, and what its access list says of the thing itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::doctor) struct Security {
    /// `None`: nobody owns it.
    pub owner: Option<String>,
    /// In their order; `None`: without a list, everybody may do everything.
    pub entries: Option<Vec<Entry>>,
}

/// One line of an access list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::doctor) struct Entry {
    /// Or denies.
    pub allows: bool,
    /// It holds under a condition only, which is not looked at.
    pub conditional: bool,
    pub rights: u32,
    pub sid: String,
}

/// Whom a service runs as, to an access list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::doctor) struct Token {
    /// The account's own identifier.
    pub user: String,
    /// Those of the groups that it is in.
    pub groups: BTreeSet<String>,
    /// No group is missing there.
    pub whole: bool,
}

/// Whether something may be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::doctor) enum Answer {
    Yes,
    No,
    /// That hangs on something that is not known.
    Unknown,
}

impl Token {
    fn has(&self, sid: &str) -> Answer {
        if self.user == sid || self.groups.contains(sid) {
            return Answer::Yes;
        }
        // Only groups of this machine or a domain are joined by people.
        let joined = ["S-1-5-21-", "S-1-5-32-"];
        if self.whole || !joined.iter().any(|group| sid.starts_with(group)) {
            Answer::No
        } else {
            Answer::Unknown
        }
    }
}

impl Entry {
    /// With the general rights spelt out.
    fn rights(&self) -> u32 {
        let general = GENERAL.iter().filter(|(bit, _)| self.rights & bit != 0);
        general.fold(self.rights, |rights, (_, meant)| rights | meant)
    }
}

impl Security {
    /// Whether an account may do all of this.
    pub(super) fn allows(&self, token: &Token, wanted: u32) -> Answer {
        // What is not known is taken to be in the account's way, then in its favour.
        if self.checked(token, wanted, false) {
            Answer::Yes
        } else if self.checked(token, wanted, true) {
            Answer::Unknown
        } else {
            Answer::No
        }
    }

    fn checked(&self, token: &Token, wanted: u32, in_favour: bool) -> bool {
        let Some(entries) = &self.entries else {
            return true;
        };
        let mut left = wanted;
        for entry in entries {
            let applies = match self.concerns(entry, token) {
                Answer::Yes if !entry.conditional => true,
                Answer::No => false,
                Answer::Yes | Answer::Unknown => entry.allows == in_favour,
            };
            if applies && entry.allows {
                left &= !entry.rights();
            } else if applies && entry.rights() & left != 0 {
                return false;
            }
        }
        left == 0
    }

    fn concerns(&self, entry: &Entry, token: &Token) -> Answer {
        match (&*entry.sid, &self.owner) {
            (OWNER_RIGHTS, Some(owner)) => token.has(owner),
            (sid, _) => token.has(sid),
        }
    }

    /// Whether a line that denies one of these is about the account.
    pub(super) fn denies(&self, token: &Token, wanted: u32) -> bool {
        let mut entries = self.entries.iter().flatten();
        entries.any(|entry| {
            !entry.allows
                && entry.rights() & wanted != 0
                && self.concerns(entry, token) == Answer::Yes
        })
    }

    /// Who may do one of these, but those who may do everything on a machine, and these.
    pub(in crate::doctor) fn strangers(&self, rights: u32, known: &[&str]) -> BTreeSet<String> {
        let Some(entries) = &self.entries else {
            return [EVERYONE.to_owned()].into();
        };
        let trusted = |sid: &str| known.contains(&sid) || is_trusted(sid);
        let mut found: BTreeSet<String> = entries
            .iter()
            .filter(|entry| entry.allows && !entry.conditional && entry.sid != OWNER_RIGHTS)
            .map(|entry| entry.sid.clone())
            .collect();
        found.retain(|sid| !trusted(sid) && self.granted(sid) & rights != 0);
        // An owner may write the list anew, unless that itself says otherwise.
        let said = entries.iter().find(|entry| entry.sid == OWNER_RIGHTS);
        if let Some(owner) = self.owner.as_ref().filter(|owner| !trusted(owner))
            && said.is_none_or(|entry| entry.allows && entry.rights() & rights != 0)
        {
            found.insert(owner.clone());
        }
        found
    }

    /// All that somebody may do who is nothing but this, and one of everybody.
    fn granted(&self, sid: &str) -> u32 {
        let (mut allowed, mut denied) = (0, 0);
        let entries = self.entries.iter().flatten();
        for entry in entries.filter(|entry| entry.sid == sid || entry.sid == EVERYONE) {
            if entry.allows {
                allowed |= entry.rights() & !denied;
            } else {
                denied |= entry.rights() & !allowed;
            }
        }
        allowed
    }
}

fn is_trusted(sid: &str) -> bool {
    // The first administrator, and the administrators of a domain and of all of them, by the last number.
    let by_number = sid.starts_with("S-1-5-21-")
        && ["-500", "-512", "-519"]
            .iter()
            .any(|end| sid.ends_with(end));
    by_number || [SYSTEM, ADMINISTRATORS, TRUSTED_INSTALLER, CREATOR_OWNER].contains(&sid)
}

/// What lets somebody put something else in the place of a file.
pub(super) const CHANGE_FILE: u32 = WRITE_DATA | APPEND_DATA | DELETE | WRITE_DAC | WRITE_OWNER;

/// Of the folder that it is in.
pub(in crate::doctor) const CHANGE_FOLDER: u32 =
    WRITE_DATA | DELETE_CHILD | DELETE | WRITE_DAC | WRITE_OWNER;

/// Of those above that: who may only add something there leaves what is there in its place.
pub(super) const CHANGE_ABOVE: u32 = DELETE_CHILD | DELETE | WRITE_DAC | WRITE_OWNER;

/// Of the root of a disk, which nobody can take away.
pub(super) const CHANGE_ROOT: u32 = DELETE_CHILD | WRITE_DAC | WRITE_OWNER;

/// Identifiers, with the names that are known.
pub(super) fn names(of: &BTreeSet<String>, known: &BTreeMap<String, String>) -> String {
    let names: Vec<&str> = of
        .iter()
        .map(|sid| known.get(sid).unwrap_or(sid).as_str())
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "S-1-5-32-545";
    const ADA: &str = "S-1-5-21-1-2-3-1001";
    const STAFF: &str = "S-1-5-21-9-9-9-1500";
    const READ: u32 = 0x12_00a9;
    const MODIFY: u32 = 0x13_01bf;

    fn line(allows: bool, sid: &str, rights: u32) -> Entry {
        Entry {
            allows,
            conditional: false,
            rights,
            sid: sid.to_owned(),
        }
    }

    fn list(entries: &[Entry]) -> Security {
        Security {
            owner: Some(ADMINISTRATORS.to_owned()),
            entries: Some(entries.to_vec()),
        }
    }

    fn ada(whole: bool) -> Token {
        Token {
            user: ADA.to_owned(),
            groups: [EVERYONE, USERS].map(str::to_owned).into(),
            whole,
        }
    }

    #[test]
    fn rights_add_up_and_the_first_line_about_one_of_them_decides() {
        let ask = |entries: &[Entry]| list(entries).allows(&ada(true), EXECUTE | READ_DATA);
        assert_eq!(ask(&[]), Answer::No);
        assert_eq!(ask(&[line(true, USERS, READ)]), Answer::Yes);
        let both = [line(true, USERS, READ_DATA), line(true, ADA, EXECUTE)];
        assert_eq!(ask(&both), Answer::Yes);
        assert_eq!(ask(&both[..1]), Answer::No);
        let denied = [line(false, EVERYONE, EXECUTE), line(true, ADA, READ)];
        assert_eq!(ask(&denied), Answer::No);
        // What a parent denies stands behind what the thing itself allows.
        let inherited = [line(true, ADA, READ), line(false, EVERYONE, EXECUTE)];
        assert_eq!(ask(&inherited), Answer::Yes);
        assert_eq!(ask(&[line(true, STAFF, READ)]), Answer::No);
        assert_eq!(ask(&[line(true, USERS, 0x1000_0000)]), Answer::Yes);
        let none = Security::default();
        assert_eq!(none.allows(&ada(true), EXECUTE), Answer::Yes);
    }

    #[test]
    fn what_hangs_on_a_group_of_a_domain_or_a_condition_is_not_known() {
        let ask = |entries: &[Entry]| list(entries).allows(&ada(false), EXECUTE);
        assert_eq!(ask(&[line(true, STAFF, READ)]), Answer::Unknown);
        let denied = [line(false, STAFF, EXECUTE), line(true, ADA, READ)];
        assert_eq!(ask(&denied), Answer::Unknown);
        // A service is never the one who sits there.
        assert_eq!(ask(&[line(true, "S-1-5-4", READ)]), Answer::No);
        let sure = [line(true, ADA, READ), line(false, STAFF, EXECUTE)];
        assert_eq!(ask(&sure), Answer::Yes);
        let mut conditional = line(true, ADA, READ);
        conditional.conditional = true;
        assert_eq!(ask(&[conditional]), Answer::Unknown);
    }

    #[test]
    fn an_owner_may_do_what_the_line_about_owners_says() {
        let mut mine = list(&[line(true, OWNER_RIGHTS, READ)]);
        assert_eq!(mine.allows(&ada(true), EXECUTE), Answer::No);
        mine.owner = Some(ADA.to_owned());
        assert_eq!(mine.allows(&ada(true), EXECUTE), Answer::Yes);
        assert!(mine.strangers(CHANGE_FILE, &[]).is_empty());
        mine.entries = Some(Vec::new());
        assert_eq!(mine.strangers(CHANGE_FILE, &[]), [ADA.to_owned()].into());
        assert!(mine.strangers(CHANGE_FILE, &[ADA]).is_empty());
    }

    #[test]
    fn strangers_are_who_may_change_it_and_not_who_may_do_so_anyway() {
        // As `C:\Program Files` has it.
        let programs = [
            line(true, TRUSTED_INSTALLER, 0x1f_01ff),
            line(true, SYSTEM, MODIFY),
            line(true, ADMINISTRATORS, MODIFY),
            line(true, USERS, READ),
            line(true, "S-1-15-2-1", READ),
        ];
        assert!(list(&programs).strangers(CHANGE_FOLDER, &[]).is_empty());
        let users = [line(true, USERS, MODIFY), line(true, STAFF, MODIFY)];
        assert_eq!(list(&users).strangers(CHANGE_FILE, &[]).len(), 2);
        let denied = [&[line(false, EVERYONE, MODIFY)], &users[..]].concat();
        assert!(list(&denied).strangers(CHANGE_FILE, &[]).is_empty());
        // As `C:\` has it: who may make folders there replaces none.
        let root = [line(true, "S-1-5-11", APPEND_DATA)];
        assert!(list(&root).strangers(CHANGE_FOLDER, &[]).is_empty());
    }
}
