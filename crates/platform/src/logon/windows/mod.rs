//! Logons of Windows.
//!
//! ```text
//!  name ── is it abide's own account? ──► nothing to do
//!   │ no
//!   ├── the rights that abide needs for another one: refused without them, before anything is asked for
//!   ├── the password, read from its file now, judged before, wiped after
//!   ├── LogonUserW: as a service, else as a batch job, whichever the account may
//!   ├── LoadUserProfileW: once for each account
//!   └──► a token, kept for the unit's hooks and checks
//! ```

mod before;
mod calls;
mod explain;
mod password;
mod refusals;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::windows::io::OwnedHandle;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use abide_model::{AccountKind, AccountName};
use windows_sys::Win32::Foundation::{ERROR_LOGON_FAILURE, ERROR_LOGON_TYPE_NOT_GRANTED};
use windows_sys::Win32::Security::{LOGON32_LOGON, LOGON32_LOGON_BATCH, LOGON32_LOGON_SERVICE};

use crate::account::SYSTEM;
use crate::win32::code;

pub use before::known;
pub(crate) use calls::{Calls, Machine};
use password::Password;
use refusals::Refusals;

/// With this Windows asks the domain for the real one (`SERVICE_ACCOUNT_PASSWORD` of lmaccess.h).
const MANAGED: &str = "_SA_{262E99C9-6160-4871-ACEC-4E61736B6F21}";

/// Whom the notify pipe of a unit is for beside abide: an account, by its identifier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner(pub(crate) Arc<str>);

/// Somebody else than abide's own account, logged on.
#[derive(Clone, Debug)]
pub(crate) struct Whom {
    /// Their primary token.
    pub token: Arc<OwnedHandle>,
    /// Their identifier.
    pub sid: Arc<str>,
    /// What could not be done for them and need not stop a start.
    pub warning: Option<String>,
}

/// Nobody was logged on.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Windows's number, if it gave one.
    pub code: Option<u32>,
    /// Reads after "cannot".
    pub text: String,
}

impl Refused {
    fn new(text: String) -> Self {
        Self { code: None, text }
    }
}

/// A user and the file with their password, as a configuration names them.
type Key = (String, Option<PathBuf>);

/// Who is logged on for units.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<State>);

#[derive(Default)]
struct State {
    /// The last logon of each: hooks and checks of a unit take part in it.
    tokens: BTreeMap<Key, Whom>,
    /// Whose profiles are loaded, by identifier.
    profiles: BTreeSet<Arc<str>>,
    refusals: Refusals,
}

/// Those of this process.
pub(crate) fn sessions() -> &'static Sessions {
    static SESSIONS: OnceLock<Sessions> = OnceLock::new();
    SESSIONS.get_or_init(Sessions::default)
}

/// The identifier of a user, if they are somebody else than abide's own account.
///
/// # Errors
/// There is nobody of this name, or nobody who could be logged on.
pub(crate) fn other(
    calls: &dyn Calls,
    user: &str,
) -> Result<Option<(AccountName, Arc<str>)>, Refused> {
    let name = AccountName::new(user);
    let look_up = |error: io::Error| Refused {
        code: code(&error),
        text: format!("look up the account {name}: {}", explain::words(&error)),
    };
    let own = calls.own().map_err(look_up)?;
    let sid: Arc<str> = match name.kind() {
        AccountKind::System => SYSTEM.into(),
        _ => match calls.look_up(name.looked_up()).map_err(look_up)? {
            Some(found) => found.sid,
            None => {
                return Err(Refused::new(format!(
                    "run as {name}: there is no such account on this machine; make it, or change `user`"
                )));
            }
        },
    };
    if sid == own {
        return Ok(None);
    }
    match name.kind() {
        AccountKind::System => Err(Refused::new(format!(
            "run as {name}: only abide that runs as {name} itself can; install it as a service (`abide install`), or change `user`"
        ))),
        AccountKind::Virtual => {
            let why = crate::absent::VIRTUAL_ACCOUNTS.reason;
            Err(Refused::new(format!("run as {name}: {why}")))
        }
        _ => Ok(Some((name, sid))),
    }
}

impl Sessions {
    /// Logs a user on; `None`: it is abide's own account. `again`: with the password that the file has now, else who is logged
    /// on already will do. May block for as long as a domain does not answer.
    ///
    /// # Errors
    /// Nobody was logged on.
    pub fn log_on(
        &self,
        calls: &dyn Calls,
        user: &str,
        file: Option<&Path>,
        again: bool,
    ) -> Result<Option<Whom>, Refused> {
        let key: Key = (user.to_lowercase(), file.map(Path::to_owned));
        if !again && let Some(whom) = self.state().tokens.get(&key) {
            return Ok(Some(whom.clone()));
        }
        let Some((name, sid)) = other(calls, user)? else {
            return Ok(None);
        };
        let lacking = calls
            .lacking()
            .map_err(|error| Refused::new(format!("look at abide's own rights: {error}")))?;
        if !lacking.is_empty() {
            return Err(Refused::new(explain::lacking(&name, &lacking)));
        }
        let token = Arc::new(self.token(calls, &name, file)?);
        let mut whom = Whom {
            token,
            sid,
            warning: None,
        };
        if name.kind() != AccountKind::Service {
            self.load_profile(calls, &name, &mut whom);
        }
        self.state().tokens.insert(key, whom.clone());
        Ok(Some(whom))
    }

    fn token(
        &self,
        calls: &dyn Calls,
        name: &AccountName,
        file: Option<&Path>,
    ) -> Result<OwnedHandle, Refused> {
        let refuse = |text: String| Refused::new(format!("log on as {name}: {text}"));
        match (name.kind(), file) {
            (AccountKind::User, Some(file)) => {
                let (password, stamp) = calls.password(file).map_err(refuse)?;
                let now = Instant::now();
                let earlier = self.state().refusals.of(name, stamp, now);
                if let Some(earlier) = earlier {
                    return Err(refuse(explain::not_again(file, earlier)));
                }
                let answer = log_on(calls, name, Some(&password));
                drop(password);
                let wrong = matches!(&answer, Err(e) if code(e) == Some(ERROR_LOGON_FAILURE));
                self.state()
                    .refusals
                    .note(name, stamp, wrong.then_some(now));
                answer.map_err(|error| explain::logon(name, Some(file), &error))
            }
            (AccountKind::User, None) => Err(refuse(
                "it logs on with a password; name a file that holds it, as `password_file`"
                    .to_owned(),
            )),
            (_, Some(_)) => Err(refuse(
                "it has no password that anybody knows; take `password_file` out".to_owned(),
            )),
            (AccountKind::Managed, None) => {
                let known = Password::new(MANAGED);
                let answer = log_on(calls, name, Some(&known));
                answer.map_err(|error| explain::logon(name, None, &error))
            }
            (_, None) => {
                let answer = log_on(calls, name, None);
                answer.map_err(|error| explain::logon(name, None, &error))
            }
        }
    }

    /// So that the user's part of the registry, and the folders in it, are theirs. It stays loaded for as long as this process lives.
    fn load_profile(&self, calls: &dyn Calls, name: &AccountName, whom: &mut Whom) {
        // Held while it is loaded: who comes meanwhile needs it as well.
        let mut state = self.state();
        if state.profiles.contains(&whom.sid) {
            return;
        }
        match calls.load_profile(&whom.token, name.logged_on().0) {
            Ok(()) => {
                state.profiles.insert(Arc::clone(&whom.sid));
            }
            Err(error) => {
                let why = explain::words(&error);
                whom.warning = Some(format!(
                    "cannot load the profile of {name}: {why}; its programs find that of no user"
                ));
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As a service if the account may, else as a batch job: an account has that right by itself when it is an administrator's.
fn log_on(
    calls: &dyn Calls,
    name: &AccountName,
    password: Option<&Password>,
) -> io::Result<OwnedHandle> {
    let (user, domain) = name.logged_on();
    let by = |kind: LOGON32_LOGON| calls.log_on(user, domain, password, kind);
    match by(LOGON32_LOGON_SERVICE) {
        Err(error) if code(&error) == Some(ERROR_LOGON_TYPE_NOT_GRANTED) => by(LOGON32_LOGON_BATCH),
        answer => answer,
    }
}

/// Whom the pipes of a unit are to be open to: its user, if that is somebody else.
///
/// # Errors
/// As for [`other`].
pub(crate) fn owner(user: Option<&str>) -> Result<Option<Owner>, Refused> {
    let Some(user) = user else {
        return Ok(None);
    };
    Ok(other(&Machine, user)?.map(|(_, sid)| Owner(sid)))
}
