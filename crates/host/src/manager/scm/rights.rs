//! What an account that is not the machine's must be given: the right to log on as a service, and to what is the service's;
//! and what the identifier of a restricted service must be.
//! What was given is noted with the service, so that it can be taken away with it, and nothing that it had otherwise.

use std::io;
use std::path::PathBuf;

use abide_model::AccountName;

use super::calls::{Calls, Value};
use super::registration::Registration;
use super::write::{Undo, Writing};
use crate::service::{Access, Holder, Right};

/// Values of the service's key `Parameters`: a line for each folder or file, and the account that got the right to log on.
const RIGHTS: &str = "Rights";
const LOG_ON: &str = "LogOnRightGivenTo";

/// Where ObjectName, its account, is in a service's key.
const ACCOUNT: &str = "ObjectName";

fn word(access: Access) -> &'static str {
    match access {
        Access::Change => "change",
        Access::Read => "read",
    }
}

/// As it is shown: `change C:\ProgramData\abide\hosted\web`.
pub(super) fn text(right: &Right) -> String {
    format!("{} {}", word(right.access), right.path.display())
}

/// Before what is noted of a right that is the service's identifier's.
const OF_IDENTIFIER: &str = "identifier ";

fn note(right: &Right) -> String {
    match right.holder {
        Holder::Account => text(right),
        Holder::Identifier => format!("{OF_IDENTIFIER}{}", text(right)),
    }
}

/// Whose a right is that comes with a service of this name and account.
pub(super) fn holder(name: &str, account: &str, right: &Right) -> String {
    match right.holder {
        Holder::Account => account.to_owned(),
        Holder::Identifier => format!(r"NT SERVICE\{name}"),
    }
}

/// All of a registration, each with its holder.
fn given(of: &Registration) -> Vec<(String, Right)> {
    let rights = of.rights.iter();
    rights
        .map(|right| (holder(&of.name, &of.account, right), right.clone()))
        .collect()
}

fn parse(line: &str) -> Option<Right> {
    let (holder, line) = match line.strip_prefix(OF_IDENTIFIER) {
        Some(line) => (Holder::Identifier, line),
        None => (Holder::Account, line),
    };
    let (first, path) = line.split_once(' ')?;
    let access = [Access::Change, Access::Read]
        .into_iter()
        .find(|access| word(*access) == first)?;
    let path = PathBuf::from(path);
    Some(Right {
        holder,
        path,
        access,
    })
}

/// What was given with a service.
pub(super) fn noted(calls: &dyn Calls, name: &str) -> io::Result<Vec<Right>> {
    let found = calls.value(&Registration::parameters(name), RIGHTS)?;
    Ok(match found {
        Some(Value::Texts(lines)) => lines.iter().filter_map(|line| parse(line)).collect(),
        _ => Vec::new(),
    })
}

/// Whether another service has this account.
fn is_shared(calls: &dyn Calls, account: &str, name: &str) -> io::Result<bool> {
    for other in calls.keys(super::SERVICES)? {
        if other.eq_ignore_ascii_case(name) {
            continue;
        }
        let key = Registration::key(&other);
        if let Some(Value::Text(of) | Value::Expanded(of)) = calls.value(&key, ACCOUNT)?
            && of.eq_ignore_ascii_case(account)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The right to log on that was given with the service, if no other service needs it by now.
fn log_on_to_take(calls: &dyn Calls, name: &str, account: &str) -> io::Result<bool> {
    let given = calls.value(&Registration::parameters(name), LOG_ON)?;
    let given = matches!(given, Some(Value::Text(to)) if to.eq_ignore_ascii_case(account));
    Ok(given && !is_shared(calls, account, name)?)
}

/// Which one it was about, unless it is the administrator's own right that is missing.
fn about(account: &str, right: &Right, error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return error;
    }
    let path = right.path.display();
    io::Error::other(format!("let {account} use {path}: {error}"))
}

impl Writing<'_> {
    /// The right to log on; `account`: that one is new, or its password.
    pub(super) fn log_on(
        &mut self,
        before: Option<&Registration>,
        account: bool,
    ) -> io::Result<()> {
        let (calls, wanted) = (self.calls, self.wanted);
        if let Some(before) = before
            && !before.account.eq_ignore_ascii_case(&wanted.account)
            && log_on_to_take(calls, &wanted.name, &before.account)?
        {
            calls.let_be_service(&before.account, false)?;
            self.undo.push(Undo::Permit(before.account.clone()));
            self.set_parameter(LOG_ON, None)?;
        }
        if !account
            || !AccountName::new(&wanted.account).logs_on_by_right()
            || calls.may_be_service(&wanted.account)?
        {
            return Ok(());
        }
        calls.let_be_service(&wanted.account, true)?;
        self.undo.push(Undo::Forbid(wanted.account.clone()));
        self.set_parameter(LOG_ON, Some(Value::Text(wanted.account.clone())))
    }

    /// The rights to its folders and files. Those that it has are given again: a folder may be another one by now.
    pub(super) fn rights(&mut self, before: Option<&Registration>) -> io::Result<()> {
        let (calls, wanted) = (self.calls, self.wanted);
        let old = before.map(given).unwrap_or_default();
        let new = given(wanted);
        let has = |all: &[(String, Right)], (holder, right): &(String, Right)| {
            all.iter()
                .any(|(of, is)| of.eq_ignore_ascii_case(holder) && is == right)
        };
        for gone in old.iter().filter(|old| !has(&new, old)) {
            let (holder, right) = gone;
            self.undo.push(Undo::Allow(holder.clone(), right.clone()));
            let done = calls.forbid(holder, right);
            done.map_err(|error| about(holder, right, error))?;
        }
        for wanted in &new {
            let (holder, right) = wanted;
            if !has(&old, wanted) {
                self.undo
                    .push(Undo::Disallow(holder.clone(), right.clone()));
            }
            let done = calls.allow(holder, right);
            done.map_err(|error| about(holder, right, error))?;
        }
        if before.map_or(&[][..], |before| &before.rights) != wanted.rights {
            let lines: Vec<String> = wanted.rights.iter().map(note).collect();
            self.set_parameter(RIGHTS, (!lines.is_empty()).then_some(Value::Texts(lines)))?;
        }
        Ok(())
    }

    /// A value of the key `Parameters`; `None`: it is to be there no more.
    fn set_parameter(&mut self, value: &'static str, new: Option<Value>) -> io::Result<()> {
        let key = Registration::parameters(&self.wanted.name);
        let old = self.calls.value(&key, value)?;
        self.undo.push(Undo::RestoreParameter(value, old));
        put(self.calls, &key, value, new.as_ref())
    }
}

/// Sets a value, or removes it.
pub(super) fn put(
    calls: &dyn Calls,
    key: &str,
    name: &str,
    value: Option<&Value>,
) -> io::Result<()> {
    match value {
        Some(value) => calls.set_value(key, name, value),
        None => match calls.value(key, name)? {
            Some(_) => calls.delete_value(key, name),
            None => Ok(()),
        },
    }
}

/// Takes away all that was given with a service, before that goes. Returns what could not be, and why.
pub(super) fn take_away(calls: &dyn Calls, name: &str) -> Vec<String> {
    let mut left = Vec::new();
    let Ok(found) = calls.configuration(name) else {
        // It is gone already, with its note of what was given.
        return left;
    };
    let account = &found.account;
    match noted(calls, name) {
        Ok(rights) => {
            for right in &rights {
                let holder = holder(name, account, right);
                if let Err(error) = calls.forbid(&holder, right) {
                    left.push(about(&holder, right, error).to_string());
                }
            }
        }
        Err(error) => left.push(format!("the note of its rights: {error}")),
    }
    let log_on = log_on_to_take(calls, name, account).and_then(|take| {
        if take {
            calls.let_be_service(account, false)?;
        }
        Ok(())
    });
    if let Err(error) = log_on {
        left.push(format!(
            "the right of {account} to log on as a service: {error}"
        ));
    }
    left
}
