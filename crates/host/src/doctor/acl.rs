//! Access control lists beside the modes, as Linux keeps them with files (acl(5)).

/// What a list says that the mode does not: what the owner and everybody else may do stands there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Acl {
    /// Accounts by number, and what each may do (`0o7`).
    pub users: Vec<(u32, u32)>,
    /// What the file's own group may do.
    pub group: u32,
    /// Groups by number.
    pub groups: Vec<(u32, u32)>,
    /// The most that any of these may do.
    pub mask: u32,
}

/// As `system.posix_acl_access` begins (`linux/posix_acl_xattr.h`).
const VERSION: u32 = 2;

/// Tags of entries (`linux/posix_acl.h`).
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;

impl Acl {
    /// Reads the attribute `system.posix_acl_access`. `None`: it says no more than the mode, or is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (version, entries) = bytes.split_first_chunk()?;
        if u32::from_le_bytes(*version) != VERSION {
            return None;
        }
        let mut list = Self {
            mask: 0o7,
            ..Self::default()
        };
        for entry in entries.chunks_exact(8) {
            let tag = u16::from_le_bytes([entry[0], entry[1]]);
            let may = u32::from(u16::from_le_bytes([entry[2], entry[3]]));
            let who = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
            match tag {
                USER => list.users.push((who, may)),
                GROUP_OBJ => list.group = may,
                GROUP => list.groups.push((who, may)),
                MASK => list.mask = may,
                _ => {}
            }
        }
        (!list.users.is_empty() || !list.groups.is_empty()).then_some(list)
    }

    /// Whether an account that is not the owner may do this, if the list says so. `is_in`: whether it is in a group; `own`:
    /// the file's. `None`: it may do what everybody may.
    pub(super) fn allows(
        &self,
        user: u32,
        is_in: impl Fn(u32) -> bool,
        own: u32,
        wanted: u32,
    ) -> Option<bool> {
        let may = |may: u32| may & self.mask & wanted == wanted;
        if let Some((_, named)) = self.users.iter().find(|(who, _)| *who == user) {
            return Some(may(*named));
        }
        let groups = self.groups.iter().copied().chain([(own, self.group)]);
        let mut mine = groups.filter(|(who, _)| is_in(*who)).peekable();
        mine.peek()?;
        // One that allows it is enough.
        Some(mine.any(|(_, named)| may(named)))
    }

    /// Which accounts and groups may write, the file's own group among them.
    pub(super) fn writers(&self, own: u32) -> (Vec<u32>, Vec<u32>) {
        let those = |list: &[(u32, u32)]| -> Vec<u32> {
            let writing = list.iter().filter(|(_, may)| may & self.mask & 0o2 != 0);
            writing.map(|(who, _)| *who).collect()
        };
        let groups = [&[(own, self.group)], self.groups.as_slice()].concat();
        (those(&self.users), those(&groups))
    }
}

/// An attribute, as setfacl(1) has it made: an entry for the owner, these, and one for everybody else.
#[cfg(test)]
pub(super) fn attribute(entries: &[(u16, u16, u32)], others: u16) -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let mut bytes = VERSION.to_le_bytes().to_vec();
    let first = [(0x01, 0o7, NOBODY)];
    let last = [(0x20, others, NOBODY)];
    for (tag, may, who) in first.iter().chain(entries).chain(&last) {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(may.to_le_bytes());
        bytes.extend(who.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: u32 = u32::MAX;

    #[test]
    fn the_first_of_user_group_and_others_that_concerns_an_account_decides() {
        let bytes = attribute(
            &[
                (USER, 0o7, 1000),
                (USER, 0o0, 1001),
                (GROUP_OBJ, 0o0, NONE),
                (GROUP, 0o5, 50),
                (GROUP, 0o4, 51),
                (MASK, 0o5, NONE),
            ],
            0o5,
        );
        let list = Acl::parse(&bytes).expect("a list");
        let ask = |user: u32, groups: &[u32], wanted| {
            list.allows(user, |group| groups.contains(&group), 7, wanted)
        };
        assert_eq!(ask(1000, &[], 0o5), Some(true));
        assert_eq!(ask(1000, &[], 0o2), Some(false), "the mask takes it away");
        assert_eq!(ask(1001, &[50], 0o1), Some(false), "it is named itself");
        assert_eq!(ask(1002, &[7, 50], 0o1), Some(true), "one group is enough");
        assert_eq!(ask(1002, &[7, 51], 0o1), Some(false), "others do not count");
        assert_eq!(ask(1002, &[60], 0o1), None);
        assert_eq!(list.writers(7), (vec![], vec![]));
        let open = Acl {
            mask: 0o7,
            ..list.clone()
        };
        assert_eq!(open.writers(7), (vec![1000], vec![]));
    }

    #[test]
    fn a_list_that_says_no_more_than_the_mode_is_none() {
        assert_eq!(Acl::parse(&attribute(&[(GROUP_OBJ, 0o5, NONE)], 0)), None);
        assert_eq!(Acl::parse(&[]), None);
        assert_eq!(Acl::parse(&[1, 0, 0, 0]), None);
        let cut = &attribute(&[(USER, 0o7, 1000)], 0)[..9];
        assert_eq!(Acl::parse(cut), None);
    }
}
