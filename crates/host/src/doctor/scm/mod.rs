//! A service of the Service Control Manager, judged by what was read of it. Pure.

// Only Windows has what there is to read.
#![cfg_attr(not(windows), allow(dead_code))]

pub(super) mod access;
pub(super) mod account;
pub(super) mod execution;
pub(super) mod image;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::{Check, Finding};
use crate::manager::Registration;
use crate::service::RecoveryKind;
use account::Account;
use execution::Execution;

/// `SERVICE_INTERACTIVE_PROCESS`.
const INTERACTIVE: u32 = 0x100;

/// What was read of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ScmFacts {
    /// Its values; its source's message file is among them.
    pub registration: Registration,
    /// abide has made it.
    pub ours: bool,
    /// It is to go as soon as nobody has it open.
    pub leaving: bool,
    /// The path up to its ending, where blanks in it have no quotes, and what Windows tries first.
    pub meant: Option<(PathBuf, PathBuf)>,
    /// Its account.
    pub account: Account,
    /// What it depends on and is not there.
    pub missing: Vec<String>,
    /// What it depends on and nobody can start.
    pub disabled: Vec<String>,
    /// What is executed: first what ImagePath says, if it says anything, then what the unit says that it hosts.
    pub execution: Execution,
    /// The message file of its source has a text; `None`: there is no source.
    pub texts: Option<bool>,
}

/// All that is wrong with it.
pub(super) fn judge(facts: &ScmFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let registration = &facts.registration;
    if facts.leaving {
        findings.push(Finding::fault(
            Check::Registered,
            format!("{} is marked for deletion: it goes when nobody has it open any more, and nobody can start it", registration.name),
            "close services.msc and whatever else looks at services, or restart the machine; then install it again",
        ));
    }
    values(registration, &mut findings);
    recovery(facts, &mut findings);
    dependencies(facts, &mut findings);
    account::judge(
        &registration.account,
        &facts.account,
        facts.ours,
        &mut findings,
    );
    if registration.image_path.trim().is_empty() {
        findings.push(Finding::fault(
            Check::Definition,
            "its ImagePath is empty: there is nothing to execute",
            "install it again",
        ));
    }
    if let Some((meant, first)) = &facts.meant {
        findings.push(
            Finding::fault(
                Check::Quoting,
                format!(
                    "{} stands without quotes in ImagePath: Windows tries {} first",
                    meant.display(),
                    tried(first).display()
                ),
                format!("write \"{}\"", meant.display()),
            )
            .about(meant),
        );
    }
    findings.extend(execution::judge(&facts.execution));
    source(facts, &mut findings);
    findings
}

/// Start, Type, PreshutdownTimeout, Environment.
fn values(registration: &Registration, findings: &mut Vec<Finding>) {
    let name = &registration.name;
    match registration.start {
        2 | 3 => {}
        4 => findings.push(Finding::warning(
            Check::Boot,
            format!("{name} is disabled: it does not come up at boot, and nobody can start it"),
            format!("`abide enable {name}`, or `sc config {name} start= demand`"),
        )),
        other => findings.push(Finding::fault(
            Check::Definition,
            format!("its Start is {other}, which only drivers have"),
            format!("`sc config {name} start= auto`"),
        )),
    }
    if registration.kind & 0x30 == 0 {
        findings.push(Finding::fault(
            Check::Definition,
            format!(
                "its Type is {:#x}: no service that is a process",
                registration.kind
            ),
            format!("`sc config {name} type= own`"),
        ));
    } else if registration.kind & INTERACTIVE != 0 {
        findings.push(Finding::warning(
            Check::Definition,
            "it is to show windows (Type has 0x100), which services cannot since Windows Vista",
            format!("`sc config {name} type= own`"),
        ));
    }
    if registration.preshutdown == Some(Duration::ZERO) {
        findings.push(Finding::warning(
            Check::Definition,
            "it has no time to stop when the machine does (PreshutdownTimeout is 0)",
            "install it again with --preshutdown 30s",
        ));
    }
    for line in &registration.environment {
        if line.split_once('=').is_none_or(|(name, _)| name.is_empty()) {
            findings.push(Finding::warning(
                Check::Environment,
                format!("a line of its Environment sets nothing: {line}"),
                "write NAME=TEXT",
            ));
        }
    }
}

/// FailureActions and what belongs to them.
fn recovery(facts: &ScmFacts, findings: &mut Vec<Finding>) {
    let registration = &facts.registration;
    let recovery = &registration.recovery;
    let mut warn =
        |what: &str, fix: &str| findings.push(Finding::warning(Check::Definition, what, fix));
    if facts.ours && registration.start == 2 && recovery.actions.is_empty() {
        warn(
            "nothing starts it again if its process dies (FailureActions)",
            "install it again with --recover restart:1s",
        );
    }
    let runs = recovery
        .actions
        .iter()
        .any(|action| action.kind == RecoveryKind::Run);
    let command = recovery.command.as_deref().unwrap_or_default();
    if runs && command.trim().is_empty() {
        warn(
            "a program is to be run when it fails (FailureActions), and none is named (FailureCommand)",
            "`sc failure NAME command= \"PROGRAM\"`, or take that action out",
        );
    }
    let differ = recovery.actions.windows(2).any(|two| two[0] != two[1]);
    if differ && recovery.reset.is_zero() {
        warn(
            "failures are counted anew at once (FailureActions): only the first action is ever taken",
            "install it again with a time, as in --recover-reset 1d",
        );
    }
}

/// DependOnService.
fn dependencies(facts: &ScmFacts, findings: &mut Vec<Finding>) {
    let mut fault =
        |what: String, fix: &str| findings.push(Finding::fault(Check::Dependency, what, fix));
    let name = &facts.registration.name;
    let needed = &facts.registration.dependencies;
    if needed
        .iter()
        .any(|needed| needed.eq_ignore_ascii_case(name))
    {
        fault(
            format!("{name} needs itself (DependOnService), and so never starts"),
            "take that out",
        );
    }
    for dependency in &facts.missing {
        fault(
            format!(
                "{dependency}, which it needs (DependOnService), is not a service of this machine"
            ),
            "install that one, correct its name, or take it out",
        );
    }
    for dependency in &facts.disabled {
        fault(
            format!(
                "{dependency}, which it needs (DependOnService), is disabled: it cannot be started"
            ),
            &format!("`sc config {dependency} start= demand`, or take it out"),
        );
    }
}

/// What Windows makes of a path without quotes first.
fn tried(first: &Path) -> PathBuf {
    if first.extension().is_some() {
        first.to_owned()
    } else {
        first.with_extension("exe")
    }
}

fn source(facts: &ScmFacts, findings: &mut Vec<Finding>) {
    let name = &facts.registration.name;
    match (&facts.registration.event_messages, facts.texts) {
        (Some(file), Some(false)) => findings.push(Finding::fault(
            Check::Log,
            format!("the message file of its source in the Event Log, {file}, is not there or has no texts"),
            "install it again, or correct EventMessageFile",
        )),
        (None, _) if facts.ours => findings.push(Finding::fault(
            Check::Log,
            format!("{name} has no source in the Event Log: its texts are not shown"),
            "install it again",
        )),
        _ => {}
    }
}
