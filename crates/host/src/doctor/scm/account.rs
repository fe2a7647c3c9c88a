//! The account of a service: who it is to access lists, and whether it may log on.

use std::collections::BTreeSet;

use super::access::{EVERYONE, Token};
use crate::doctor::finding::{Check, Finding};
use crate::manager::Registration;
use crate::service::ServiceSid;

/// What was read of an account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::doctor) struct Account {
    /// It is there; `None`: that could not be found out.
    pub there: Option<bool>,
    /// It logs on without anybody's leave: one of Windows's own, or one that is there for the service.
    pub is_windows_own: bool,
    /// What keeps it from logging on; `None`: it is not this machine's, or could not be asked.
    pub closed: Option<Closed>,
    /// `None`: that could not be found out.
    pub log_on: Option<LogOn>,
}

/// What keeps an account from logging on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::doctor) struct Closed {
    pub disabled: bool,
    /// After too many wrong passwords.
    pub locked: bool,
    pub password_expired: bool,
    pub expired: bool,
}

/// The right to log on as a service, as it was given to the account and to the groups of it that are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::doctor) struct LogOn {
    pub given: bool,
    pub denied: bool,
    /// All its groups are known.
    pub whole: bool,
}

/// What is wrong with it. `ours`: abide has made the service, and gave its account the right.
pub(super) fn judge(name: &str, account: &Account, ours: bool, findings: &mut Vec<Finding>) {
    let mut fault =
        |what: String, fix: String| findings.push(Finding::fault(Check::Account, what, fix));
    if account.there == Some(false) {
        fault(
            format!("there is no account {name}, as which it is to run"),
            "make it, or name another with --account".to_owned(),
        );
        return;
    }
    let plain = name.rsplit('\\').next().unwrap_or(name);
    let closed = account.closed.unwrap_or_default();
    for (is, what, fix) in [
        (
            closed.disabled,
            "is switched off",
            format!("`net user \"{plain}\" /active:yes`"),
        ),
        (
            closed.locked,
            "is locked after wrong passwords",
            format!(
                "`net user \"{plain}\" /active:yes`, and give the right password (`sc config … password=`)"
            ),
        ),
        (
            closed.expired,
            "has expired",
            format!("`net user \"{plain}\" /expires:never`"),
        ),
        (
            closed.password_expired,
            "has a password that must be changed first",
            format!(
                "`net user \"{plain}\" *` sets one, which the service must be told (`abide install … --account`)"
            ),
        ),
    ] {
        if is {
            fault(format!("{name}, as which it is to run, {what}"), fix);
        }
    }
    let Some(log_on) = account.log_on.filter(|_| !account.is_windows_own) else {
        return;
    };
    let policy = "secpol.msc, Local Policies, User Rights Assignment";
    if log_on.denied {
        fault(
            format!("{name} is denied the right to log on as a service"),
            format!("take it, or its group, out of \"Deny log on as a service\" ({policy})"),
        );
    } else if !log_on.given {
        let what = format!("{name} was not given the right to log on as a service");
        let fix = format!(
            "`abide install` it again with --account, or put it into \"Log on as a service\" ({policy}); a policy of the domain may take that back"
        );
        if log_on.whole {
            fault(what, fix);
        } else if ours {
            let what = format!("{what}, unless a group of its domain was");
            findings.push(Finding::warning(Check::Account, what, fix));
        }
    }
}

/// Whom a service runs as, to access lists. `groups`: this machine's that the account was put into; `None`: not known.
/// `local`: the account is this machine's. `service`: the service's own identifier, where it has one.
pub(in crate::doctor) fn token(
    registration: &Registration,
    sid: &str,
    groups: Option<Vec<String>>,
    local: bool,
    service: Option<String>,
) -> Token {
    const AUTHENTICATED: &str = "S-1-5-11";
    const ADMINISTRATORS: &str = "S-1-5-32-544";
    const ALL_SERVICES: &str = "S-1-5-80-0";
    // Users; who was logged on as a service, on this machine, of this organization.
    const OF_A_SERVICE: [&str; 4] = ["S-1-5-32-545", "S-1-5-6", "S-1-2-0", "S-1-5-15"];
    let system = sid == "S-1-5-18";
    let mut all: BTreeSet<String> = [EVERYONE, AUTHENTICATED].map(str::to_owned).into();
    if system {
        all.insert(ADMINISTRATORS.to_owned());
    } else {
        all.extend(OF_A_SERVICE.map(str::to_owned));
    }
    if sid.starts_with("S-1-5-80-") {
        all.insert(ALL_SERVICES.to_owned());
    }
    if local {
        // The group of all accounts of a machine or domain, and what stands for local ones.
        let domain = sid.rsplit_once('-').map_or(sid, |(domain, _)| domain);
        all.extend([format!("{domain}-513"), "S-1-5-113".to_owned()]);
    }
    if registration.sid != ServiceSid::None {
        all.extend(service);
        all.insert(ALL_SERVICES.to_owned());
    }
    let of_windows = !sid.starts_with("S-1-5-21-");
    let whole = system || (groups.is_some() && (local || of_windows));
    all.extend(groups.into_iter().flatten());
    Token {
        user: sid.to_owned(),
        groups: all,
        whole,
    }
}
