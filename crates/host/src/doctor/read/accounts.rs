//! Accounts, as `passwd` and `group` have them (passwd(5), group(5)).

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::facts::User;

/// Both files, read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Accounts {
    users: Vec<(String, u32, u32)>,
    groups: Vec<(String, u32, Vec<String>)>,
}

impl Accounts {
    /// From their texts. Lines that are none are left out.
    pub(super) fn parse(passwd: &str, group: &str) -> Self {
        let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let users = passwd.lines().filter_map(|line| {
            let fields = fields(line);
            let number = |n: usize| fields.get(n)?.parse().ok();
            Some((fields.first()?.clone(), number(2)?, number(3)?))
        });
        let groups = group.lines().filter_map(|line| {
            let fields = fields(line);
            let members = fields.get(3)?.split(',').filter(|name| !name.is_empty());
            Some((
                fields.first()?.clone(),
                fields.get(2)?.parse().ok()?,
                members.map(str::to_owned).collect(),
            ))
        });
        Self {
            users: users.collect(),
            groups: groups.collect(),
        }
    }

    /// By name or number.
    pub(super) fn user(&self, asked: &str) -> Option<User> {
        let number: Option<u32> = asked.parse().ok();
        let found = self
            .users
            .iter()
            .find(|(name, uid, _)| name == asked || Some(*uid) == number);
        let (name, uid, gid) = match (found, number) {
            (Some(found), _) => found.clone(),
            // A number needs no name.
            (None, Some(uid)) => (format!("user {uid}"), uid, uid),
            (None, None) => return None,
        };
        let groups = self
            .groups
            .iter()
            .filter(|(_, _, members)| members.contains(&name))
            .map(|(_, gid, _)| *gid);
        Some(User {
            groups: groups.collect(),
            name,
            uid,
            gid,
        })
    }

    /// By name or number.
    pub(super) fn group(&self, asked: &str) -> Option<u32> {
        let by_name = self.groups.iter().find(|(name, ..)| name == asked);
        by_name
            .map(|(_, gid, _)| *gid)
            .or_else(|| asked.parse().ok())
    }

    /// Who is in each group, by name.
    pub(super) fn members(&self) -> BTreeMap<u32, BTreeSet<String>> {
        let mut members: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for (name, _, gid) in &self.users {
            members.entry(*gid).or_default().insert(name.clone());
        }
        for (_, gid, names) in &self.groups {
            members
                .entry(*gid)
                .or_default()
                .extend(names.iter().cloned());
        }
        members
    }

    /// Names by number.
    pub(super) fn names(&self) -> BTreeMap<u32, String> {
        let names = self.users.iter().rev();
        names.map(|(name, uid, _)| (*uid, name.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_groups_and_a_number_needs_no_name() {
        let accounts = Accounts::parse(
            "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/sh\nbroken\n",
            "root:x:0:\nada:x:1000:\nstaff:x:50:ada,bob\n",
        );
        let ada = accounts.user("ada").expect("ada");
        assert_eq!((ada.uid, ada.gid), (1000, 1000));
        assert!(ada.groups.contains(&50));
        assert_eq!(accounts.user("1000"), Some(ada));
        assert_eq!(accounts.user("4711").map(|user| user.uid), Some(4711));
        assert_eq!(accounts.user("eve"), None);
        assert_eq!(accounts.group("staff"), Some(50));
        assert_eq!(accounts.group("nobody"), None);
        assert!(accounts.members()[&50].contains("bob"));
        assert_eq!(accounts.names()[&0], "root");
    }
}
