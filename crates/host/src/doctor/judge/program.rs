//! The program of a command: there, executable by its account, and nobody else's to change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::user_of;
use crate::doctor::definition::Command;
use crate::doctor::facts::{End, Facts, Head, Node, NodeKind, Trail, User};
use crate::doctor::finding::{Check, Finding};

/// A folder like `/tmp`, where only the owner of a thing can take it away.
const STICKY: u32 = 0o1000;

pub(super) fn judge(command: &Command, facts: &Facts, findings: &mut Vec<Finding>) {
    let Some(first) = command.words.first() else {
        return;
    };
    let by = &command.by;
    if let Some(finding) = unquoted(command, facts) {
        findings.push(finding);
        return;
    }
    let candidates = command.candidates();
    let found = candidates.iter().find(|path| {
        let trail = facts.trails.get(*path);
        trail.is_some_and(|trail| trail.end != End::Missing)
    });
    let Some(path) = found else {
        if candidates.is_empty()
            || candidates
                .iter()
                .any(|path| !facts.trails.contains_key(path))
        {
            // Nobody asked, or it depends on what is not known.
            return;
        }
        let where_to = if first.contains('/') {
            "put it there, or correct the path".to_owned()
        } else {
            format!(
                "install it, or give its path; it was looked for in {}",
                list(&command.path)
            )
        };
        findings.push(
            Finding::fault(
                Check::Program,
                format!("{first}, which {by} executes, is not there"),
                where_to,
            )
            .about(&candidates[0]),
        );
        return;
    };
    let Some(trail) = facts.trails.get(path) else {
        return;
    };
    let user = user_of(command, facts);
    match trail.last() {
        Some(node) => {
            findings.extend(executable(path, node, trail, user.as_ref(), facts));
            findings.extend(contents(path, by, facts));
        }
        None if trail.end == End::Loop => findings.push(
            Finding::fault(
                Check::Program,
                format!("{first}, which {by} executes, is a link that leads to itself"),
                "make it lead to the program",
            )
            .about(path),
        ),
        // We may not look; whoever executes it may.
        None => {}
    }
    let runs_as = user.unwrap_or_else(|| facts.default_user.clone());
    findings.extend(holes(path, "is executed", &runs_as, facts));
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(":")
}

/// The path has a blank in it and no quotes around it: what is executed is another file, or none.
fn unquoted(command: &Command, facts: &Facts) -> Option<Finding> {
    let first = command.words.first()?;
    let there = |path: &Path| {
        facts
            .node(path)
            .is_some_and(|node| node.kind != NodeKind::Folder)
    };
    let meant = command.unquoted().into_iter().find(|path| there(path));
    let meant = meant.or_else(|| {
        // Neither is there, but the folder is.
        let missing = facts.missing(Path::new(first));
        command.unquoted().into_iter().find(|path| {
            let folder = path.parent();
            missing
                && folder.is_some_and(|folder| {
                    folder.to_string_lossy().contains(' ')
                        && facts
                            .node(folder)
                            .is_some_and(|node| node.kind == NodeKind::Folder)
                })
        })
    })?;
    Some(
        Finding::fault(
            Check::Quoting,
            format!(
                "{} stands without quotes: {} executes {first} with the rest as its arguments",
                meant.display(),
                command.by
            ),
            format!("write \"{}\"", meant.display()),
        )
        .about(meant),
    )
}

fn executable(
    path: &Path,
    node: &Node,
    trail: &Trail,
    user: Option<&User>,
    facts: &Facts,
) -> Option<Finding> {
    let shown = path.display();
    if node.kind == NodeKind::Folder {
        return Some(
            Finding::fault(
                Check::Program,
                format!("{shown} is a folder, and no program"),
                "name the program in it",
            )
            .about(path),
        );
    }
    let fault =
        |what: String, fix: String| Some(Finding::fault(Check::Executable, what, fix).about(path));
    if node.mode & 0o111 == 0 {
        return fault(
            format!("{shown} is not executable ({:04o})", node.mode),
            format!("`chmod +x {shown}`"),
        );
    }
    let user = user?;
    let closed = trail
        .folders()
        .iter()
        .find(|folder| !folder.may_execute(user));
    if let Some(folder) = closed {
        let at = folder.path.display();
        return fault(
            format!(
                "{} may not execute {shown}: it may not enter {at} ({} {})",
                user.name,
                folder.permissions(),
                facts.name(folder.uid)
            ),
            format!("{}, or put the program elsewhere", letting_in(folder, user)),
        );
    }
    if !node.may_execute(user) {
        return fault(
            format!(
                "{} may not execute {shown} ({} {})",
                user.name,
                node.permissions(),
                facts.name(node.uid)
            ),
            match node.acl {
                Some(_) => format!("`setfacl -m u:{}:rx {shown}`", user.name),
                None => format!(
                    "`chmod o+rx {shown}`, or `chgrp` it to a group of {}",
                    user.name
                ),
            },
        );
    }
    None
}

/// What lets an account go through a folder: where a list says more than the mode, that may be what keeps it out.
pub(super) fn letting_in(folder: &Node, user: &User) -> String {
    let at = folder.path.display();
    match folder.acl {
        Some(_) => format!("`setfacl -m u:{}:x {at}`", user.name),
        None => format!("`chmod o+x {at}`"),
    }
}

/// It is something that this machine can execute.
fn contents(path: &Path, by: &str, facts: &Facts) -> Option<Finding> {
    let contents = facts.contents.get(path)?;
    let shown = path.display();
    let fault =
        |what: String, fix: &str| Some(Finding::fault(Check::Program, what, fix).about(path));
    if contents.noexec {
        return fault(
            format!("{shown} lies on a file system that is mounted noexec"),
            "put it elsewhere, or mount that one with exec",
        );
    }
    match &contents.head {
        Head::Elf { machine }
            if facts
                .elf_machine
                .is_some_and(|ours| !executes(ours, *machine)) =>
        {
            fault(
                format!("{shown} is a program for another kind of processor"),
                "build or fetch the one for this machine",
            )
        }
        Head::Empty => fault(
            format!("{shown}, which {by} executes, is empty"),
            "install it again",
        ),
        Head::Unknown => fault(
            format!("{shown} is neither a binary nor does it begin with #!"),
            "let its first line be `#!/bin/sh`, or that of its language",
        ),
        Head::Script(interpreter) if facts.missing(Path::new(interpreter)) => {
            let fix = if interpreter.ends_with('\r') {
                "it has the line ends of Windows: `sed -i 's/\\r$//'` takes them away"
            } else {
                "install that one, or correct its first line"
            };
            fault(
                format!(
                    "{shown} begins with #!{}, which is not there",
                    interpreter.trim_end()
                ),
                fix,
            )
        }
        _ => None,
    }
}

/// A processor of the first kind executes programs for the second: its own, and those of its forerunner
/// (`EM_X86_64` and `EM_386`, `EM_AARCH64` and `EM_ARM`; elf(5)).
fn executes(ours: u16, theirs: u16) -> bool {
    ours == theirs || matches!((ours, theirs), (62, 3) | (183, 40))
}

/// Somebody else could put something else in the place of a file: by writing to it, to its folder, or to one
/// above that. `runs_as` is whom it would serve.
pub(in crate::doctor) fn holes(
    path: &Path,
    what: &str,
    runs_as: &User,
    facts: &Facts,
) -> Option<Finding> {
    let trail = facts.trails.get(path)?;
    trail
        .nodes
        .iter()
        .find_map(|node| hole(path, node, what, runs_as, facts))
}

fn hole(path: &Path, node: &Node, what: &str, runs_as: &User, facts: &Facts) -> Option<Finding> {
    let sticky = node.kind == NodeKind::Folder && node.mode & STICKY != 0;
    let at = node.path.display();
    let it = if node.path == path {
        format!("{at}, which {what},")
    } else {
        format!("{at}, on the way to {}, which {what},", path.display())
    };
    let fault = |how: String, fix: String| {
        let finding = Finding::fault(Check::Writable, format!("{it} {how}"), fix);
        Some(finding.about(&node.path))
    };
    if node.mode & 0o002 != 0 && !sticky {
        return fault(
            format!("can be written to by everyone ({:04o})", node.mode),
            format!("`chmod o-w {at}`"),
        );
    }
    let unseen = facts.unseen == Some(node.uid);
    if node.uid != 0 && node.uid != runs_as.uid && !unseen {
        let owner = facts.name(node.uid);
        return fault(
            format!(
                "belongs to {owner}, who could put something else there that runs as {}",
                runs_as.name
            ),
            format!("`chown root {at}`, or let it run as {owner}"),
        );
    }
    let (users, groups) = node.writers();
    if sticky {
        return None;
    }
    let is_trusted = |name: &str| {
        [runs_as.name.as_str(), "root"].contains(&name)
            || facts
                .names
                .get(&node.uid)
                .is_some_and(|owner| owner == name)
    };
    let (mut others, mut taken) = (BTreeSet::new(), Vec::new());
    for user in users {
        let name = facts.name(user);
        if !is_trusted(&name) {
            taken.push(format!("-x u:{name}"));
            others.insert(name);
        }
    }
    for group in groups.into_iter().filter(|group| *group != 0) {
        let members = facts.members.get(&group).into_iter().flatten();
        let members: Vec<&String> = members.filter(|name| !is_trusted(name)).collect();
        if members.is_empty() {
            continue;
        }
        others.extend(members.into_iter().cloned());
        taken.push(if group == node.gid {
            "-m g::rx".to_owned()
        } else {
            format!("-x g:{group}")
        });
    }
    if others.is_empty() {
        return None;
    }
    let others: Vec<String> = others.into_iter().collect();
    fault(
        format!(
            "can be written to by {} ({})",
            others.join(", "),
            node.permissions()
        ),
        match node.acl {
            Some(_) => format!("`setfacl {} {at}`", taken.join(" ")),
            None => format!("`chmod g-w {at}`"),
        },
    )
}
