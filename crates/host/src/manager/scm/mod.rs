//! The Service Control Manager of Windows: services are values of the registry that it writes itself.
//!
//! ```text
//!  Service ──► registration (pure) ──► write ──► calls ──► Windows, or a test that stands in for it
//!                  ╰─► --dry-run        ╰─ taken back when one fails
//! ```

mod act;
mod calls;
mod command_line;
mod explain;
mod registration;
mod rights;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use abide_model::{AccountKind, AccountName};

pub use registration::Registration;

use super::{Change, Status};
use crate::plan::{Plan, difference};
use crate::process::pause;
use crate::{Error, Service};
use act::Limit;
use calls::{Calls, Value};

/// Between two looks at whether a name is gone.
const LOOK: Duration = Duration::from_millis(25);

/// Where the manager keeps its services, below `HKEY_LOCAL_MACHINE`.
const SERVICES: &str = r"SYSTEM\CurrentControlSet\Services";

/// What the doctor judges a service by, as far as the manager tells.
#[cfg(feature = "doctor")]
pub(crate) struct Examined {
    /// Its values.
    pub registration: Registration,
    /// abide has made it.
    pub ours: bool,
    /// The program of its command line, as Windows splits that.
    pub program: Option<String>,
    /// Its account is there; `None`: that could not be found out.
    pub account: Option<bool>,
    /// The name by which Windows finds that account.
    pub account_name: String,
    /// It has to be given the right to log on as a service.
    pub needs_log_on: bool,
    /// What it depends on and is not there.
    pub missing: Vec<String>,
    /// What it depends on and is disabled.
    pub disabled: Vec<String>,
    /// It is marked for deletion.
    pub leaving: bool,
}

/// Whether an account of Windows logs on with a password: those of the system, virtual ones and managed ones do not.
#[must_use]
pub fn needs_password(account: &str) -> bool {
    AccountName::new(account).has_password()
}

/// Whether an account of Windows must be given the right to what is the machine's: every one but the machine's own.
#[must_use]
pub fn needs_rights(account: &str) -> bool {
    AccountName::new(account).kind() != AccountKind::System
}

/// The Service Control Manager of some machine.
#[derive(Clone)]
pub(super) struct Scm {
    calls: Arc<dyn Calls>,
}

impl Scm {
    /// This machine's.
    pub(super) fn of_this_machine() -> Self {
        Self {
            calls: calls::machine(),
        }
    }

    /// What is to be written.
    pub(super) fn plan(service: &Service) -> Result<Plan, Error> {
        Ok(Plan {
            registration: Some(Registration::of(service)?),
            notes: Registration::notes(service),
            ..Plan::default()
        })
    }

    /// Whether the account is there, before anything is written.
    pub(super) fn check(&self, service: &Service) -> Result<(), Error> {
        let wanted = Registration::of(service)?;
        let invalid = |why: String| Err(Error::Invalid(format!("install {}: {why}", service.name)));
        let account = AccountName::new(&wanted.account);
        if wanted.password.is_some() && !account.has_password() {
            return invalid(format!("{account} has no password; leave it out"));
        }
        // Virtual accounts are there when their service is.
        if matches!(account.kind(), AccountKind::System | AccountKind::Virtual) {
            return Ok(());
        }
        let there = self.calls.account_exists(account.looked_up());
        let there = there.map_err(|e| {
            explain::error(
                &format!("look for the account {account}"),
                &service.name,
                &e,
            )
        })?;
        if !there {
            return invalid(format!("there is no account {account}"));
        }
        let has_it = match write::read(&*self.calls, &service.name)? {
            Some((before, _)) => before.account.eq_ignore_ascii_case(account.as_str()),
            None => false,
        };
        if !has_it && wanted.password.is_none() && account.has_password() {
            return invalid(format!(
                "the account {account} logs on with a password; give it"
            ));
        }
        Ok(())
    }

    /// What writing it would change.
    pub(super) fn compare(&self, wanted: &Registration) -> Result<Change, Error> {
        let Some(before) = self.ours(wanted)? else {
            return Ok(Change::New);
        };
        let how = difference(&before.to_string(), &wanted.to_string());
        Ok(if how.is_empty() && wanted.password.is_none() {
            Change::None
        } else {
            let key = format!(r"HKLM\{}", Registration::key(&wanted.name));
            Change::Changed(vec![(PathBuf::from(key), how)])
        })
    }

    /// The one of this name, which must be ours; what is not asked for and has Windows's default counts as asked for.
    fn ours(&self, wanted: &Registration) -> Result<Option<Registration>, Error> {
        match write::read(&*self.calls, &wanted.name)? {
            None => Ok(None),
            Some((_, false)) => Err(Error::Foreign {
                name: wanted.name.clone(),
                what: "a service of that name is there that was not made by abide".to_owned(),
            }),
            Some((mut before, true)) => {
                if wanted.preshutdown.is_none() {
                    before.preshutdown = None;
                }
                Ok(Some(before))
            }
        }
    }

    /// Writes it. Returns what this Windows does not know. What was written is taken back if not all could be.
    pub(super) fn install(&self, wanted: &Registration) -> Result<Vec<String>, Error> {
        let before = self.ours(wanted)?;
        write::install(&*self.calls, wanted, before.as_ref())
    }

    pub(super) fn start(&self, name: &str, within: Duration) -> Result<(), Error> {
        act::start(&self.calls, name, within)
    }

    pub(super) fn stop(&self, name: &str, within: Duration) -> Result<(), Error> {
        act::stop(&*self.calls, name, &Limit::new(within))
    }

    pub(super) fn reload(&self, name: &str) -> Result<(), Error> {
        act::reload(&*self.calls, name)
    }

    pub(super) fn control(&self, name: &str, code: u8) -> Result<(), Error> {
        act::control(&*self.calls, name, code)
    }

    pub(super) fn status(&self, name: &str) -> Result<Status, Error> {
        act::status(&*self.calls, name)
    }

    /// Has it come up at boot, or only by hand.
    pub(super) fn enable(&self, name: &str, enabled: bool) -> Result<(), Error> {
        let action = format!("{} {name}", if enabled { "enable" } else { "disable" });
        let failed = |e| explain::error(&action, name, &e);
        let mut service = self.calls.configuration(name).map_err(failed)?;
        service.start = if enabled { 2 } else { 3 };
        self.calls.change(&service, false).map_err(failed)
    }

    /// Whether this library has made it; `None`: there is none of this name.
    pub(super) fn is_ours(&self, name: &str) -> Result<Option<bool>, Error> {
        Ok(write::read(&*self.calls, name)?.map(|(_, ours)| ours))
    }

    /// What there is of a service; `None`: there is none of this name.
    #[cfg(feature = "doctor")]
    pub(super) fn examine(&self, name: &str) -> Result<Option<Examined>, Error> {
        let Some((registration, ours)) = write::read(&*self.calls, name)? else {
            return Ok(None);
        };
        let account = AccountName::new(&registration.account);
        let there = match account.kind() {
            AccountKind::System => Some(true),
            _ => self.calls.account_exists(account.looked_up()).ok(),
        };
        let (mut missing, mut disabled) = (Vec::new(), Vec::new());
        let needed = registration.dependencies.iter();
        for other in needed.filter(|name| !registration::is_group(name)) {
            match self.calls.configuration(other) {
                Ok(found) if found.start == 4 => disabled.push(other.clone()),
                Err(e) if explain::not_there(&e) => missing.push(other.clone()),
                // What cannot be asked is not said to be wrong.
                _ => {}
            }
        }
        let mark = self.calls.value(&Registration::key(name), "DeleteFlag");
        Ok(Some(Examined {
            program: command_line::split(&registration.image_path).map(|(program, _)| program),
            account: there,
            account_name: account.looked_up().to_owned(),
            needs_log_on: account.logs_on_by_right(),
            missing,
            disabled,
            leaving: matches!(mark, Ok(Some(calls::Value::Number(1)))),
            ours,
            registration,
        }))
    }

    /// Its values, as text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Error> {
        Ok(write::read(&*self.calls, name)?.map(|(found, _)| found.to_string()))
    }

    /// The services that this library has made.
    pub(super) fn installed(&self) -> Result<Vec<String>, Error> {
        let keys = self.calls.keys(SERVICES);
        let keys = keys.map_err(|e| explain::error("list services", "", &e))?;
        let mut names: Vec<String> = keys
            .into_iter()
            .filter(|name| write::is_ours(&*self.calls, name))
            .collect();
        names.sort();
        Ok(names)
    }

    /// What each of those executes, word by word.
    pub(super) fn commands(&self) -> Result<Vec<(String, Vec<String>)>, Error> {
        let mut commands = Vec::new();
        for name in self.installed()? {
            let line = self.calls.value(&Registration::key(&name), "ImagePath");
            let line = line.map_err(|e| explain::error("read a command line", &name, &e))?;
            if let Some(Value::Text(line) | Value::Expanded(line)) = line
                && let Some((program, arguments)) = command_line::split(&line)
            {
                let words = std::iter::once(program).chain(arguments).collect();
                commands.push((name, words));
            }
        }
        Ok(commands)
    }

    /// Stops and removes it, and waits until its name is free.
    pub(super) fn remove(&self, name: &str, within: Duration) -> Result<(), Error> {
        let limit = Limit::new(within);
        act::stop(&*self.calls, name, &limit)?;
        // While its account is known: a virtual one goes with it.
        let left = rights::take_away(&*self.calls, name);
        let removed = write::remove(&*self.calls, name);
        removed.map_err(|e| explain::error(&format!("remove {name}"), name, &e))?;
        loop {
            match self.calls.state(name) {
                Err(error) if explain::not_there(&error) && left.is_empty() => return Ok(()),
                Err(error) if explain::not_there(&error) => {
                    return Err(Error::NotUp {
                        action: format!("take away what was given with {name}, which is gone"),
                        why: left.join("; "),
                    });
                }
                // Marked for deletion, or a moment before that.
                _ if limit.over() => {
                    let why = explain::meaning(1072).unwrap_or_default();
                    return Err(limit.timed_out(format!("{name} to be gone"), why.to_owned()));
                }
                _ => pause(LOOK),
            }
        }
    }
}

impl std::fmt::Debug for Scm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scm")
    }
}
