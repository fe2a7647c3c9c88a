//! The account of a service of Windows.

use abide_platform::account;

use super::service_sid;
use crate::doctor::scm::access::Token;
use crate::doctor::scm::account::{Account, Closed, LogOn, token};
use crate::manager::Examined;

/// Who asks, by name, and to access lists. In which groups of a domain they are is not asked.
pub(super) fn own() -> (String, Option<Token>) {
    let Ok(own) = account::Account::own() else {
        return (String::new(), None);
    };
    let name = account::name_of(own.sid()).ok().flatten();
    let token = Token {
        user: own.sid().to_owned(),
        groups: ["S-1-1-0", "S-1-5-11", "S-1-5-32-545"]
            .map(str::to_owned)
            .into(),
        whole: false,
    };
    (name.unwrap_or_else(|| own.sid().to_owned()), Some(token))
}

/// Who asks, if that is an administrator.
pub(super) fn administrator() -> Option<String> {
    let own = account::Account::own().ok()?;
    account::is_administrator().then(|| own.sid().to_owned())
}

/// The account of a service, and who that is to access lists.
pub(super) fn of_service(examined: &Examined) -> (Account, Option<Token>) {
    let name = examined.account_name.as_str();
    let mut found = Account {
        there: examined.account,
        is_windows_own: !examined.needs_log_on,
        ..Account::default()
    };
    let Some(sid) = identifier(name) else {
        return (found, None);
    };
    let local = account::is_local(name).unwrap_or(false);
    let plain = name.rsplit('\\').next().unwrap_or(name);
    let groups = account::groups_of(if local { plain } else { name }).ok();
    let token = token(
        &examined.registration,
        &sid,
        groups,
        local,
        service_sid(&examined.registration),
    );
    if local {
        found.closed = account::closed(plain).ok().map(|closed| Closed {
            disabled: closed.disabled,
            locked: closed.locked,
            password_expired: closed.password_expired,
            expired: closed.expired,
        });
    }
    if examined.needs_log_on {
        found.log_on = log_on(&token);
    }
    (found, Some(token))
}

/// Of the three that Windows itself has, in whatever language, without asking.
fn identifier(name: &str) -> Option<String> {
    let of_windows = match name.to_ascii_lowercase().as_str() {
        "" | r"nt authority\system" => Some("S-1-5-18"),
        r"nt authority\localservice" => Some("S-1-5-19"),
        r"nt authority\networkservice" => Some("S-1-5-20"),
        _ => None,
    };
    match of_windows {
        Some(sid) => Some(sid.to_owned()),
        None => account::sid_of(name).ok()?,
    }
}

/// `None`: one of them could not be asked for.
fn log_on(token: &Token) -> Option<LogOn> {
    let mut found = LogOn {
        whole: token.whole,
        ..LogOn::default()
    };
    for sid in token.groups.iter().chain([&token.user]) {
        let (given, denied) = account::service_log_on(sid).ok()?;
        found.given |= given;
        found.denied |= denied;
    }
    Some(found)
}
