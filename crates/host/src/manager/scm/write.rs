//! Writing a registration, over one of ours or anew, so that it can be taken back.

use std::io;

use super::calls::{Calls, Setting, Value};
use super::explain;
use super::registration::Registration;
use super::rights;
use crate::Error;
use crate::service::{Recovery, Right, ServiceSid};

/// Below the service's key, in that of its parameters: who has made it. It goes with the key.
const MARK: &str = "InstalledBy";
const MARKED: &str = "abide-host";

/// Types of events that are reported: error, warning, information, and the two of audits.
const TYPES: u32 = 1 | 2 | 4 | 8 | 16;

/// A service as it is, and whether it is one of ours; `None`: there is none.
pub(super) fn read(calls: &dyn Calls, name: &str) -> Result<Option<(Registration, bool)>, Error> {
    let failed = |e: io::Error| explain::error(&format!("look at {name}"), name, &e);
    let mut found = match calls.configuration(name) {
        Err(error) if explain::not_there(&error) => return Ok(None),
        found => found.map_err(failed)?,
    };
    let key = Registration::key(name);
    if let Some(Value::Texts(variables)) = calls.value(&key, "Environment").map_err(failed)? {
        found.environment = variables;
    }
    // Wine's QueryServiceConfigW does not tell them.
    let listed = |value| match calls.value(&key, value) {
        Ok(Some(Value::Texts(names))) => Ok(names),
        Ok(_) => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    };
    let (services, groups) = (listed("DependOnService")?, listed("DependOnGroup")?);
    if found.dependencies.is_empty() {
        let groups = groups.iter().map(|group| Registration::group(group));
        found.dependencies = services.into_iter().chain(groups).collect();
    }
    let source = Registration::source_key(name);
    if let Some(Value::Text(file) | Value::Expanded(file)) =
        calls.value(&source, "EventMessageFile").map_err(failed)?
    {
        found.event_messages = Some(file);
    }
    found.rights = rights::noted(calls, name).map_err(failed)?;
    Ok(Some((found, is_ours(calls, name))))
}

/// Whether this library has made it.
pub(super) fn is_ours(calls: &dyn Calls, name: &str) -> bool {
    let key = Registration::parameters(name);
    matches!(calls.value(&key, MARK), Ok(Some(Value::Text(who))) if who == MARKED)
}

/// How something that was done is taken back.
pub(super) enum Undo {
    /// The service was made.
    Delete,
    /// It was changed.
    Restore(Box<Registration>),
    /// Its source in the Event Log was made.
    DeleteSource,
    /// The source was changed.
    RestoreSource(String),
    /// Its variables were set.
    RestoreEnvironment(Vec<String>),
    /// Its account was given the right to log on.
    Forbid(String),
    /// That right was taken from an account that has it no more.
    Permit(String),
    /// An account was given a right to something of the service's.
    Disallow(String, Right),
    /// It was taken away from one that has it no more.
    Allow(String, Right),
    /// A value among its parameters was set.
    RestoreParameter(&'static str, Option<Value>),
}

/// A registration that is being written.
pub(super) struct Writing<'a> {
    pub calls: &'a dyn Calls,
    pub wanted: &'a Registration,
    pub undo: Vec<Undo>,
    notes: Vec<String>,
}

/// Writes all of it. Returns what this Windows does not know. What was written is taken back if not all could be.
pub(super) fn install(
    calls: &dyn Calls,
    wanted: &Registration,
    before: Option<&Registration>,
) -> Result<Vec<String>, Error> {
    let mut writing = Writing {
        calls,
        wanted,
        undo: Vec::new(),
        notes: Vec::new(),
    };
    match writing.write(before) {
        Ok(()) => Ok(writing.notes),
        Err(error) => {
            let action = format!("install {}", wanted.name);
            let error = explain::error(&action, &wanted.name, &error);
            let left = take_back(calls, &wanted.name, writing.undo);
            Err(error.half_done(left))
        }
    }
}

impl Writing<'_> {
    fn write(&mut self, before: Option<&Registration>) -> io::Result<()> {
        let (calls, wanted) = (self.calls, self.wanted);
        let account = match before {
            None => {
                calls.create(wanted)?;
                self.undo.push(Undo::Delete);
                let key = Registration::parameters(&wanted.name);
                calls.set_value(&key, MARK, &Value::Text(MARKED.to_owned()))?;
                true
            }
            Some(before) => {
                let account = !before.account.eq_ignore_ascii_case(&wanted.account)
                    || wanted.password.is_some();
                self.undo.push(Undo::Restore(Box::new(before.clone())));
                if account || basic(before) != basic(wanted) {
                    calls.change(wanted, account)?;
                }
                account
            }
        };
        let fresh = fresh(wanted);
        for setting in differing(before.unwrap_or(&fresh), wanted) {
            match calls.set(&wanted.name, &setting) {
                Err(error) if explain::unknown_setting(&error) => self.notes.push(format!(
                    "this Windows does not know the setting {}",
                    setting.name()
                )),
                done => done?,
            }
        }
        self.environment(before)?;
        self.source(before)?;
        self.log_on(before, account)?;
        self.rights(before)
    }

    fn environment(&mut self, before: Option<&Registration>) -> io::Result<()> {
        let old = before
            .map(|before| before.environment.clone())
            .unwrap_or_default();
        if old == self.wanted.environment {
            return Ok(());
        }
        set_environment(self.calls, &self.wanted.name, &self.wanted.environment)?;
        if before.is_some() {
            self.undo.push(Undo::RestoreEnvironment(old));
        }
        Ok(())
    }

    fn source(&mut self, before: Option<&Registration>) -> io::Result<()> {
        let name = &self.wanted.name;
        let old = before.and_then(|before| before.event_messages.clone());
        match (&old, &self.wanted.event_messages) {
            (old, new) if old == new => {}
            (Some(old), None) => {
                self.calls.delete_key(&Registration::source_key(name))?;
                self.undo.push(Undo::RestoreSource(old.clone()));
            }
            (old, Some(new)) => {
                let undo = match old {
                    Some(old) => Undo::RestoreSource(old.clone()),
                    None => Undo::DeleteSource,
                };
                self.undo.push(undo);
                set_source(self.calls, name, new)?;
            }
            (None, None) => {}
        }
        Ok(())
    }
}

/// A source in the Event Log, as its viewer wants it.
fn set_source(calls: &dyn Calls, name: &str, messages: &str) -> io::Result<()> {
    let key = Registration::source_key(name);
    calls.set_value(
        &key,
        "EventMessageFile",
        &Value::Expanded(messages.to_owned()),
    )?;
    calls.set_value(&key, "TypesSupported", &Value::Number(TYPES))?;
    calls.set_value(&key, MARK, &Value::Text(MARKED.to_owned()))
}

fn set_environment(calls: &dyn Calls, name: &str, variables: &[String]) -> io::Result<()> {
    let key = Registration::key(name);
    if variables.is_empty() {
        return calls.delete_value(&key, "Environment");
    }
    calls.set_value(&key, "Environment", &Value::Texts(variables.to_vec()))
}

/// What ChangeServiceConfigW sets, without the account.
fn basic(of: &Registration) -> (u32, u32, &str, &[String], &str) {
    (
        of.kind,
        of.start,
        &of.image_path,
        &of.dependencies,
        &of.display_name,
    )
}

/// One that was just made, as Windows has it then.
fn fresh(wanted: &Registration) -> Registration {
    Registration {
        description: String::new(),
        delayed: false,
        recovery: Recovery::default(),
        preshutdown: None,
        sid: ServiceSid::None,
        privileges: Vec::new(),
        ..wanted.clone()
    }
}

/// The settings that have to be set for the one to be like the other.
fn differing(old: &Registration, new: &Registration) -> Vec<Setting> {
    let mut settings = Vec::new();
    if old.description != new.description {
        settings.push(Setting::Description(new.description.clone()));
    }
    if old.delayed != new.delayed {
        settings.push(Setting::Delayed(new.delayed));
    }
    let bare = |recovery: &Recovery| Recovery {
        non_crash: false,
        ..recovery.clone()
    };
    if bare(&old.recovery) != bare(&new.recovery) {
        settings.push(Setting::Recovery(bare(&new.recovery)));
    }
    if old.recovery.non_crash != new.recovery.non_crash {
        settings.push(Setting::NonCrash(new.recovery.non_crash));
    }
    if old.preshutdown != new.preshutdown
        && let Some(time) = new.preshutdown
    {
        settings.push(Setting::Preshutdown(time));
    }
    if old.sid != new.sid {
        settings.push(Setting::Sid(new.sid));
    }
    if old.privileges != new.privileges {
        settings.push(Setting::Privileges(new.privileges.clone()));
    }
    settings
}

fn take_back(calls: &dyn Calls, name: &str, undo: Vec<Undo>) -> Vec<String> {
    let mut left = Vec::new();
    for step in undo.into_iter().rev() {
        let (what, done) = match step {
            Undo::Delete => ("the service", calls.delete(name)),
            Undo::DeleteSource => (
                "its source in the Event Log",
                calls.delete_key(&Registration::source_key(name)),
            ),
            Undo::RestoreSource(file) => (
                "its source in the Event Log",
                set_source(calls, name, &file),
            ),
            Undo::RestoreEnvironment(variables) => {
                ("its variables", set_environment(calls, name, &variables))
            }
            Undo::Forbid(account) => (
                "its account's right to log on as a service",
                calls.let_be_service(&account, false),
            ),
            Undo::Permit(account) => (
                "the right to log on as a service of the account that it had",
                calls.let_be_service(&account, true),
            ),
            Undo::Disallow(account, right) => {
                ("what its account was given", calls.forbid(&account, &right))
            }
            Undo::Allow(account, right) => (
                "what the account that it had was given",
                calls.allow(&account, &right),
            ),
            Undo::RestoreParameter(value, old) => (
                "what is noted with it",
                rights::put(calls, &Registration::parameters(name), value, old.as_ref()),
            ),
            Undo::Restore(before) => ("its settings", restore(calls, &before)),
        };
        if let Err(error) = done {
            left.push(format!("{what}: {error}"));
        }
    }
    left
}

/// As it was. A password that was replaced is not known any more.
fn restore(calls: &dyn Calls, before: &Registration) -> io::Result<()> {
    let now = calls.configuration(&before.name)?;
    let account = !now.account.eq_ignore_ascii_case(&before.account);
    calls.change(before, account)?;
    for setting in differing(&now, before) {
        calls.set(&before.name, &setting)?;
    }
    Ok(())
}

/// Removes the source that was registered with the service, and the service. It may run on until it is stopped.
pub(super) fn remove(calls: &dyn Calls, name: &str) -> io::Result<()> {
    let source = Registration::source_key(name);
    if matches!(calls.value(&source, MARK), Ok(Some(Value::Text(who))) if who == MARKED) {
        calls.delete_key(&source)?;
    }
    match calls.delete(name) {
        // ERROR_SERVICE_MARKED_FOR_DELETE: somebody was before us.
        Err(error) if error.raw_os_error() == Some(1072) => Ok(()),
        done => done,
    }
}
