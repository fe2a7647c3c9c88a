//! What can be said of a user before anything is started. Who says it may be somebody else than the daemon will be, so what
//! only the daemon may see is left to the start.

use std::io::ErrorKind;
use std::path::Path;

use abide_model::{AccountKind, AccountName, Accounts, Unfit};

use super::calls::{Calls, Machine};
use super::password;
use crate::absent;
use crate::account::SYSTEM;

/// What this system has to say of accounts.
#[must_use]
pub fn known() -> Option<Box<dyn Accounts + Send + Sync>> {
    Some(Box::new(Machine))
}

impl Accounts for Machine {
    fn user(&self, name: &str) -> Result<(), Unfit> {
        user(self, name)
    }

    fn group(&self, _name: &str) -> Result<(), Unfit> {
        Err(unfit(absent::GROUPS.reason, None))
    }

    fn password(&self, user: Option<&str>, file: Option<&Path>) -> Result<(), Unfit> {
        fits(self, user, file)?;
        match file {
            Some(file) => judged(file),
            None => Ok(()),
        }
    }
}

fn unfit(why: impl Into<String>, help: Option<&str>) -> Unfit {
    Unfit {
        why: why.into(),
        unknown: false,
        help: help.map(str::to_owned),
    }
}

pub(super) fn user(calls: &dyn Calls, name: &str) -> Result<(), Unfit> {
    let account = AccountName::new(name);
    match account.kind() {
        AccountKind::System => return Ok(()),
        AccountKind::Virtual => return Err(unfit(absent::VIRTUAL_ACCOUNTS.reason, None)),
        _ => {}
    }
    match calls.look_up(account.looked_up()) {
        Ok(Some(found)) if found.group => Err(unfit(
            format!("{account} is a group, and no user"),
            Some("name one of its users"),
        )),
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Unfit {
            why: format!("there is no user {account} on this machine"),
            unknown: true,
            help: Some("make it: `New-LocalUser NAME`, or `net user NAME * /add`".to_owned()),
        }),
        // A domain that does not answer now may do so when the unit starts.
        Err(_) => Ok(()),
    }
}

/// Whether there is a password where the user has one, and only there.
pub(super) fn fits(
    calls: &dyn Calls,
    user: Option<&str>,
    file: Option<&Path>,
) -> Result<(), Unfit> {
    let Some(user) = user else {
        return match file {
            None => Ok(()),
            Some(_) => Err(unfit("it is nobody's", Some("name whose it is, as `user`"))),
        };
    };
    let account = AccountName::new(user);
    match (account.has_password(), file) {
        (true, None) if !is_own(calls, &account) => Err(unfit(
            format!("{account} logs on with a password, and no file with it is named"),
            Some(
                "write it into a file that nobody but administrators and the system may read, and name that: `password_file = 'C:\\…'`",
            ),
        )),
        (false, Some(_)) => Err(unfit(
            format!("{account} has no password that anybody knows"),
            Some("take it out"),
        )),
        _ => Ok(()),
    }
}

fn is_own(calls: &dyn Calls, account: &AccountName) -> bool {
    let found = match account.kind() {
        AccountKind::System => Some(SYSTEM.into()),
        _ => calls
            .look_up(account.looked_up())
            .ok()
            .flatten()
            .map(|found| found.sid),
    };
    found.is_some_and(|sid| calls.own().is_ok_and(|own| own == sid))
}

/// Whether it is there, holds a password, and nobody may read it who should not. Whoever may not look is no judge.
fn judged(file: &Path) -> Result<(), Unfit> {
    match std::fs::File::open(file) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !file.is_dir() => Ok(()),
        _ => match password::read(file) {
            Ok(_) => Ok(()),
            Err(why) => Err(unfit(why, None)),
        },
    }
}
