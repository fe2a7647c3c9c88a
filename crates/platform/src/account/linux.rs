use std::fmt;

use rustix::process::geteuid;

/// A user of the system: a number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    uid: u32,
}

impl Account {
    /// The one that this process acts for.
    ///
    /// # Errors
    /// Never on this system.
    pub fn own() -> std::io::Result<Self> {
        Ok(Self::of_user(geteuid().as_raw()))
    }

    /// The user of this number.
    #[must_use]
    pub fn of_user(uid: u32) -> Self {
        Self { uid }
    }

    /// Somebody who could not be told: may command nothing.
    #[must_use]
    pub fn unknown() -> Self {
        Self { uid: u32::MAX }
    }

    /// Whether they may command what belongs to `owner`: the owner, and root.
    #[must_use]
    pub fn may_command(&self, owner: &Self) -> bool {
        self == owner || self.uid == 0
    }
}

/// After "it belongs to".
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}", self.uid)
    }
}

/// Whether this process may do everything: abide then serves the whole machine.
#[must_use]
pub fn is_administrator() -> bool {
    geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_and_root_command_and_nobody_else_does() {
        let owner = Account::of_user(1000);
        assert!(owner.may_command(&owner));
        assert!(Account::of_user(0).may_command(&owner));
        assert!(!Account::of_user(1001).may_command(&owner));
        assert!(!Account::unknown().may_command(&owner));
        assert_eq!(owner.to_string(), "user 1000");
    }
}
