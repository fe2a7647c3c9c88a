//! As whom units run: names of accounts of Windows, as people write them, and what a system is asked about users. Plain text:
//! what there is, only the system knows.

use std::fmt;
use std::path::Path;

/// What Windows calls the account of the machine itself.
const LOCAL_SYSTEM: &str = "LocalSystem";

/// Where its accounts for services are.
const AUTHORITY: &str = r"NT AUTHORITY\";

/// Where the accounts are that the Service Control Manager makes for its services.
const VIRTUAL: &str = r"NT SERVICE\";

/// An account of Windows, by the name that the Service Control Manager takes: `LocalSystem`, `NT AUTHORITY\LocalService`,
/// `.\web`, `SHOP\web`, `web@shop.example`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountName(String);

/// What an account is, as far as its name tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountKind {
    /// The machine itself: may do everything.
    System,
    /// One of those that Windows brings along for services, `LocalService` and `NetworkService`.
    Service,
    /// `NT SERVICE\NAME`: one service's own.
    Virtual,
    /// `DOMAIN\NAME$`: its password is known to the machines of the domain that may use it.
    Managed,
    /// A person's, or one that was made like a person's.
    User,
}

impl AccountName {
    /// As it is written; a bare name is one of this machine's.
    #[must_use]
    pub fn new(written: &str) -> Self {
        let lower = written.to_lowercase();
        let plain = lower
            .strip_prefix(&AUTHORITY.to_lowercase())
            .unwrap_or(&lower);
        Self(match plain {
            "localsystem" | "system" => LOCAL_SYSTEM.to_owned(),
            "localservice" | "local service" => format!("{AUTHORITY}LocalService"),
            "networkservice" | "network service" => format!("{AUTHORITY}NetworkService"),
            _ if written.contains(['\\', '@']) => written.to_owned(),
            // Without a domain the manager would look nowhere.
            _ => format!(r".\{written}"),
        })
    }

    /// The machine's own.
    #[must_use]
    pub fn system() -> Self {
        Self(LOCAL_SYSTEM.to_owned())
    }

    /// As the manager takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> AccountKind {
        let is_in = |place: &str| {
            let begin = self.0.get(..place.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(place))
        };
        if self.0 == LOCAL_SYSTEM {
            AccountKind::System
        } else if is_in(AUTHORITY) {
            AccountKind::Service
        } else if is_in(VIRTUAL) {
            AccountKind::Virtual
        } else if self.0.ends_with('$') {
            AccountKind::Managed
        } else {
            AccountKind::User
        }
    }

    /// Whether it logs on with a password that somebody knows.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.kind() == AccountKind::User
    }

    /// Whether it must have been given the right to log on as a service: Windows's own have it.
    #[must_use]
    pub fn logs_on_by_right(&self) -> bool {
        matches!(self.kind(), AccountKind::User | AccountKind::Managed)
    }

    /// The name by which Windows finds it: `.` stands for this machine only where somebody logs on.
    #[must_use]
    pub fn looked_up(&self) -> &str {
        match self.kind() {
            AccountKind::System => r"NT AUTHORITY\SYSTEM",
            _ => self.0.strip_prefix(r".\").unwrap_or(&self.0),
        }
    }

    /// Name and domain, as LogonUserW takes them: a name with `@` has its domain in it.
    #[must_use]
    pub fn logged_on(&self) -> (&str, Option<&str>) {
        match self.0.split_once('\\') {
            Some((domain, name)) => (name, Some(domain)),
            None => (&self.0, None),
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of users and groups before a unit runs as them.
pub trait Accounts {
    /// Whether a unit can run as this user.
    ///
    /// # Errors
    /// Why not.
    fn user(&self, name: &str) -> Result<(), Unfit>;

    /// Whether a unit can run with this group.
    ///
    /// # Errors
    /// Why not.
    fn group(&self, name: &str) -> Result<(), Unfit>;

    /// Whether this user can log on with the password that this file holds; `None`: none is named.
    ///
    /// # Errors
    /// Why not.
    fn password(&self, user: Option<&str>, file: Option<&Path>) -> Result<(), Unfit>;
}

/// Why a unit cannot run as somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfit {
    /// A sentence about what is written.
    pub why: String,
    /// There is nobody of this name.
    pub unknown: bool,
    /// The way out.
    pub help: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_becomes_what_the_manager_takes() {
        for (written, name, kind) in [
            ("system", "LocalSystem", AccountKind::System),
            (r"nt authority\System", "LocalSystem", AccountKind::System),
            (
                "LOCAL SERVICE",
                r"NT AUTHORITY\LocalService",
                AccountKind::Service,
            ),
            (
                "NetworkService",
                r"NT AUTHORITY\NetworkService",
                AccountKind::Service,
            ),
            (r"nt service\web", r"nt service\web", AccountKind::Virtual),
            (r"SHOP\web$", r"SHOP\web$", AccountKind::Managed),
            ("web", r".\web", AccountKind::User),
            (r".\wöb", r".\wöb", AccountKind::User),
            ("web@shop.example", "web@shop.example", AccountKind::User),
        ] {
            let account = AccountName::new(written);
            assert_eq!((account.as_str(), account.kind()), (name, kind));
            assert_eq!(AccountName::new(name), account, "it stays what it is");
        }
    }

    #[test]
    fn an_account_is_looked_up_and_logged_on_by_names_of_its_own() {
        let account = AccountName::new;
        assert_eq!(account("web").looked_up(), "web");
        assert_eq!(account("web").logged_on(), ("web", Some(".")));
        assert_eq!(account(r"SHOP\web").looked_up(), r"SHOP\web");
        assert_eq!(account(r"SHOP\web").logged_on(), ("web", Some("SHOP")));
        assert_eq!(account("web@shop").logged_on(), ("web@shop", None));
        assert_eq!(account("system").looked_up(), r"NT AUTHORITY\SYSTEM");
        let service = account("LocalService");
        assert_eq!(service.logged_on(), ("LocalService", Some("NT AUTHORITY")));
    }
}
