//! A service of the Service Control Manager, judged by what was read of it. Pure.

// Only Windows has what there is to read.
#![cfg_attr(not(windows), allow(dead_code))]

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::finding::{Check, Finding};
use crate::manager::Registration;

/// What was read of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ScmFacts {
    /// Its values; its source's message file is among them.
    pub registration: Registration,
    /// abide has made it.
    pub ours: bool,
    /// The file that is executed, as Windows splits the command line; `None`: there is none.
    pub program: Option<PathBuf>,
    /// What is there.
    pub found: Found,
    /// The path up to its ending, where blanks in it have no quotes.
    pub meant: Option<PathBuf>,
    /// Files and folders on the way, and others than administrators who may put something else there.
    pub changers: Vec<(PathBuf, Vec<String>)>,
    /// The account is there; `None`: it could not be found out.
    pub account: Option<bool>,
    /// What it depends on and is not there.
    pub missing: Vec<String>,
    /// The message file of its source has a text; `None`: there is no source.
    pub texts: Option<bool>,
}

/// What lies where the program should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// A program.
    Program,
    /// A file that is none.
    Other,
    Folder,
    Nothing,
    /// This process may not look.
    Hidden,
}

/// All that is wrong with it.
pub(super) fn judge(facts: &ScmFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let registration = &facts.registration;
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
    }
    for dependency in &facts.missing {
        findings.push(Finding::fault(
            Check::Dependency,
            format!(
                "{dependency}, which it needs (DependOnService), is not a service of this machine"
            ),
            "install that one, correct its name, or take it out",
        ));
    }
    if facts.account == Some(false) {
        findings.push(Finding::fault(
            Check::Account,
            format!(
                "there is no account {}, as which it is to run",
                registration.account
            ),
            "make it, or name another with --account",
        ));
    }
    program(facts, &mut findings);
    for (path, who) in &facts.changers {
        findings.push(
            Finding::fault(
                Check::Writable,
                format!(
                    "{} can be written to by {}, who could put something else there that runs as {}",
                    path.display(),
                    who.join(", "),
                    registration.account
                ),
                format!("`icacls \"{}\"` shows who may; take that right away", path.display()),
            )
            .about(path),
        );
    }
    source(facts, &mut findings);
    if facts.ours && registration.start == 2 && registration.recovery.actions.is_empty() {
        findings.push(Finding::warning(
            Check::Definition,
            "nothing starts it again if its process dies (FailureActions)",
            "install it again with --recover restart:1s",
        ));
    }
    findings
}

fn program(facts: &ScmFacts, findings: &mut Vec<Finding>) {
    let Some(program) = &facts.program else {
        findings.push(Finding::fault(
            Check::Definition,
            "its ImagePath is empty: there is nothing to execute",
            "install it again",
        ));
        return;
    };
    if let Some(meant) = &facts.meant {
        findings.push(
            Finding::fault(
                Check::Quoting,
                format!(
                    "{} stands without quotes in ImagePath: Windows tries {} first",
                    meant.display(),
                    tried(program).display()
                ),
                format!("write \"{}\"", meant.display()),
            )
            .about(meant),
        );
        return;
    }
    let shown = program.display();
    let fault = |what: String, fix: &str| Finding::fault(Check::Program, what, fix).about(program);
    findings.extend(match facts.found {
        Found::Program | Found::Hidden => None,
        Found::Nothing => Some(fault(
            format!("{shown}, which ImagePath executes, is not there"),
            "put it there, or correct the path",
        )),
        Found::Folder => Some(fault(
            format!("{shown} is a folder, and no program"),
            "name the program in it",
        )),
        Found::Other => Some(fault(
            format!("{shown} is no program that Windows can execute"),
            "build or fetch the one for this machine",
        )),
    });
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
