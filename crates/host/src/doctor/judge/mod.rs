//! What was read and what was found, judged. Everything here is a function of plain data.

mod program;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use super::definition::{Command, Definition, Log};
use super::facts::{End, Facts, NodeKind, User};
use super::finding::{Check, Finding};
use crate::Scope;

/// All that is wrong with a service, in the order of [`Check`], each thing once.
pub(super) fn service(
    definition: &Definition,
    facts: &Facts,
    present: &BTreeMap<String, bool>,
) -> Vec<Finding> {
    let mut findings = definition.findings.clone();
    for dependency in &definition.dependencies {
        if present.get(&dependency.name) == Some(&false) {
            findings.push(missing(&dependency.by, &dependency.name));
        }
    }
    for command in &definition.commands {
        account(command, definition.launchd, facts, &mut findings);
        program::judge(command, facts, &mut findings);
        directory(command, facts, &mut findings);
    }
    for (files, what) in [
        (&definition.files, "says what is executed"),
        (&definition.reads, "says what its variables are"),
    ] {
        for file in files {
            let refused = definition
                .launchd
                .and_then(|scope| refused(file, scope, facts));
            let hole = program::holes(file, what, &facts.default_user, facts);
            // That it is refused says what is wrong with the file itself.
            let hole = hole.filter(|hole| refused.is_none() || hole.about.as_ref() != Some(file));
            findings.extend(refused.into_iter().chain(hole));
        }
    }
    for file in &definition.reads {
        if facts.missing(file) {
            findings.push(
                Finding::fault(
                    Check::Environment,
                    format!(
                        "{}, which is to be read before the start, is not there",
                        file.display()
                    ),
                    "put it there, or write a minus before its name if it may be missing",
                )
                .about(file),
            );
        }
    }
    for log in &definition.logs {
        findings.extend(log_is_there(log, facts));
    }
    in_order(findings)
}

/// Sorted by check, without doubles.
pub(super) fn in_order(findings: Vec<Finding>) -> Vec<Finding> {
    let mut sorted: Vec<Finding> = Vec::new();
    for finding in findings {
        if !sorted.contains(&finding) {
            sorted.push(finding);
        }
    }
    sorted.sort_by_key(|finding| (finding.level, finding.check));
    sorted
}

fn missing(by: &str, name: &str) -> Finding {
    if by.ends_with("edBy=") {
        return Finding::fault(
            Check::Boot,
            format!("{by}{name}: there is no such target, so nothing starts the service at boot"),
            "write WantedBy=multi-user.target, then `systemctl daemon-reload` and `systemctl reenable` it",
        );
    }
    Finding::fault(
        Check::Dependency,
        format!("{name}, which it needs ({by}), is not a service of this machine"),
        "install that one, correct its name, or take it out",
    )
}

/// launchd passes over a list that others than its owner may write to, or that belongs to somebody else than root and
/// the one whose services they are ("dubious" in `launchctl`'s words).
fn refused(file: &Path, scope: Scope, facts: &Facts) -> Option<Finding> {
    let node = facts.node(file)?;
    let shown = file.display();
    let fault =
        |what: String, fix: String| Some(Finding::fault(Check::Writable, what, fix).about(file));
    let own = scope == Scope::User && node.uid == facts.default_user.uid;
    if node.uid != 0 && !own {
        return fault(
            format!(
                "{shown} belongs to {}, and launchd does not take what is neither root's nor its user's",
                facts.name(node.uid)
            ),
            match scope {
                Scope::System => format!("`chown root:wheel {shown}`"),
                Scope::User => format!("`chown {} {shown}`", facts.default_user.name),
            },
        );
    }
    if node.mode & 0o022 != 0 {
        return fault(
            format!(
                "{shown} can be written to by others than its owner ({}), and launchd does not take it then",
                node.permissions()
            ),
            format!("`chmod go-w {shown}`"),
        );
    }
    None
}

fn account(command: &Command, launchd: Option<Scope>, facts: &Facts, findings: &mut Vec<Finding>) {
    if command.account.dynamic {
        return;
    }
    let make = |program: &str, name: &str| match launchd {
        Some(_) => "make it in the system's settings, or name another".to_owned(),
        None => format!("make it (`{program} --system {name}`), or name another"),
    };
    if let Some(user) = &command.account.user
        && facts.users.get(user) == Some(&None)
    {
        findings.push(Finding::fault(
            Check::Account,
            format!("there is no user {user}, as whom it is to run"),
            make("useradd", user),
        ));
    }
    if let Some(group) = &command.account.group
        && facts.groups.get(group) == Some(&None)
    {
        findings.push(Finding::fault(
            Check::Account,
            format!("there is no group {group}, as which it is to run"),
            make("groupadd", group),
        ));
    }
}

/// The account that executes a command; `None`: it is not known.
fn user_of(command: &Command, facts: &Facts) -> Option<User> {
    if command.account.dynamic {
        return None;
    }
    let mut user = match &command.account.user {
        Some(name) => facts.users.get(name).cloned().flatten()?,
        None => facts.default_user.clone(),
    };
    if let Some(group) = &command.account.group {
        user.gid = facts.groups.get(group).copied().flatten()?;
    }
    Some(user)
}

fn directory(command: &Command, facts: &Facts, findings: &mut Vec<Finding>) {
    let Some(path) = &command.directory else {
        return;
    };
    let Some(trail) = facts.trails.get(path) else {
        return;
    };
    let shown = path.display();
    let fault = |what: String, fix: String| Finding::fault(Check::Directory, what, fix).about(path);
    match (trail.end, trail.last()) {
        (End::Missing | End::Loop, _) => findings.push(fault(
            format!("its working directory, {shown}, is not there"),
            format!("`mkdir -p {shown}`, or name another"),
        )),
        (End::There, Some(node)) if node.kind != NodeKind::Folder => findings.push(fault(
            format!("its working directory, {shown}, is no directory"),
            "name another".to_owned(),
        )),
        (End::There, Some(_)) => {
            let Some(user) = user_of(command, facts) else {
                return;
            };
            let closed = trail.nodes.iter().find(|node| !node.may_execute(&user));
            if let Some(node) = closed {
                findings.push(fault(
                    format!(
                        "{} may not enter its working directory, {shown}: {} is {} {}",
                        user.name,
                        node.path.display(),
                        node.permissions(),
                        facts.name(node.uid)
                    ),
                    format!(
                        "{}, or give it to {}",
                        program::letting_in(node, &user),
                        user.name
                    ),
                ));
            }
        }
        _ => {}
    }
}

fn log_is_there(log: &Log, facts: &Facts) -> Option<Finding> {
    let fault = |path: &Path, what: String, fix: String| {
        Some(Finding::fault(Check::Log, what, fix).about(path))
    };
    match log {
        Log::File(file) => {
            let folder = file.parent()?;
            if facts.missing(folder) {
                return fault(
                    file,
                    format!(
                        "its output goes to {}, whose folder is not there",
                        file.display()
                    ),
                    format!("`mkdir -p {}`", folder.display()),
                );
            }
            let is_folder = facts
                .node(file)
                .is_some_and(|node| node.kind == NodeKind::Folder);
            if is_folder {
                return fault(
                    file,
                    format!("its output goes to {}, which is a folder", file.display()),
                    "name a file".to_owned(),
                );
            }
            None
        }
        Log::Folder(folder) if facts.missing(folder) => fault(
            folder,
            format!(
                "its output goes to {}, which is not there",
                folder.display()
            ),
            format!("`mkdir -p {}`", folder.display()),
        ),
        Log::Socket { path, listener } if facts.missing(path) => fault(
            path,
            format!(
                "its output goes to {}, where nobody listens",
                path.display()
            ),
            format!("start {listener}"),
        ),
        Log::Folder(_) | Log::Socket { .. } => None,
    }
}
