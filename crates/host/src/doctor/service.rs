//! One service, from its manager's word to what is on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::definition::{Command, Definition, Log, launchd, script, systemd};
use super::finding::{Check, Finding, Level};
use super::ports::{self, Port};
use super::{judge, read, scm};
use crate::plan::Call;
use crate::{Error, Kind, Manager, Scope, State, Status};

/// How long a question to a manager may take.
const ANSWER: Duration = Duration::from_secs(10);

/// What `systemctl show` is asked for.
const PROPERTIES: &str = "LoadState,LoadError,FragmentPath,DropInPaths,NeedDaemonReload,WantedBy,RequiredBy,\
                          TriggeredBy,BoundBy";

/// What is known of a service beside what its manager has: the unit that its abide hosts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unit {
    /// Files that say what is executed.
    pub files: Vec<PathBuf>,
    /// What it executes, as whom and where.
    pub commands: Vec<Command>,
    /// Where its output goes.
    pub logs: Vec<Log>,
    /// Where it is to listen.
    pub ports: Vec<Port>,
    /// What is wrong with its file, and how to put that right.
    pub invalid: Option<(String, String)>,
}

/// What was found of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Who has it.
    pub manager: Kind,
    /// Whose it is.
    pub scope: Scope,
    /// How it is, as the manager says; `None`: it does not.
    pub status: Option<Status>,
    /// What is wrong with it: faults first, and each in the order of [`Check`].
    pub findings: Vec<Finding>,
}

/// Examines a service. That it is not there is a finding.
///
/// # Errors
/// This system cannot be examined.
pub fn of_service(manager: &Manager, name: &str, unit: Option<&Unit>) -> Result<Report, Error> {
    let mut findings = Vec::new();
    let status = manager.status(name);
    if let Err(error) = &status {
        findings.push(Finding::fault(
            Check::Registered,
            format!("{} does not say how it is: cannot {error}", manager.kind()),
            "see that the manager runs, and that you may ask it",
        ));
    }
    let status = status.ok();
    if let Some(unit) = unit {
        if let Some((what, fix)) = &unit.invalid {
            findings.push(Finding::fault(Check::Unit, what, fix));
        }
        findings.extend(taken(unit, status.as_ref()));
    }
    if manager.kind() == Kind::Scm {
        match manager.examine(name)? {
            Some(examined) => findings.extend(scm::judge(&read::service(examined, unit))),
            None => findings.push(not_registered(manager, name)),
        }
        return Ok(Report {
            name: name.to_owned(),
            manager: manager.kind(),
            scope: manager.scope(),
            status,
            findings: judge::in_order(findings),
        });
    }
    let mut definition = match manager.kind() {
        Kind::Systemd => of_systemd(manager, name, &mut findings)?,
        _ => of_file(manager, name, &mut findings)?,
    };
    if let Some(unit) = unit {
        definition.files.extend(unit.files.iter().cloned());
        definition.commands.extend(unit.commands.iter().cloned());
        definition.logs.extend(unit.logs.iter().cloned());
    }
    let present = present(manager, &definition);
    let facts = read::facts(&definition.questions())?;
    findings.extend(judge::service(&definition, &facts, &present));
    Ok(Report {
        name: name.to_owned(),
        manager: manager.kind(),
        scope: manager.scope(),
        status,
        findings: judge::in_order(findings),
    })
}

/// The ports of a unit that does not run, and that somebody else has.
fn taken(unit: &Unit, status: Option<&Status>) -> Vec<Finding> {
    let runs = status.is_some_and(|status| {
        matches!(
            status.state,
            State::Running | State::Starting | State::Stopping
        )
    });
    if runs || unit.ports.is_empty() {
        return Vec::new();
    }
    // What cannot be seen is not judged.
    let listeners = read::listeners().unwrap_or_default();
    ports::judge(&unit.ports, &listeners)
}

/// Examines units of a home that no manager has.
///
/// # Errors
/// This system cannot be examined.
pub fn of_home(units: &[Unit]) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    for unit in units {
        if let Some(execution) = read::unit(unit) {
            findings.extend(scm::execution::judge(&execution));
            continue;
        }
        let definition = Definition {
            files: unit.files.clone(),
            commands: unit.commands.clone(),
            logs: unit.logs.clone(),
            ..Definition::default()
        };
        let facts = read::facts(&definition.questions())?;
        findings.extend(judge::service(&definition, &facts, &BTreeMap::new()));
    }
    Ok(judge::in_order(findings))
}

/// The words of `systemctl`, for the manager that is meant.
fn systemctl(scope: Scope, words: &[&str]) -> Call {
    let mut all = vec!["systemctl"];
    if scope == Scope::User {
        all.push("--user");
    }
    all.extend(words);
    Call {
        words: all.into_iter().map(str::to_owned).collect(),
    }
}

fn of_systemd(
    manager: &Manager,
    name: &str,
    findings: &mut Vec<Finding>,
) -> Result<Definition, Error> {
    let unit = format!("{name}.service");
    let call = systemctl(manager.scope(), &["show", "--property", PROPERTIES, &unit]);
    let shown = call.succeed(ANSWER)?.out;
    let properties: BTreeMap<&str, &str> = shown
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let get = |key: &str| properties.get(key).copied().unwrap_or_default();
    let load = get("LoadState");
    if matches!(load, "not-found" | "") {
        findings.push(not_registered(manager, name));
        return Ok(Definition::default());
    }
    if load == "masked" {
        findings.push(Finding::fault(
            Check::Registered,
            format!("{name} is masked: nobody can start it"),
            format!("`systemctl unmask {name}`"),
        ));
        return Ok(Definition::default());
    }
    if get("NeedDaemonReload") == "yes" {
        findings.push(Finding::warning(
            Check::Registered,
            format!("the files of {name} were changed, and systemd has not read them again"),
            "`systemctl daemon-reload`",
        ));
    }
    let drop_ins = get("DropInPaths").split_whitespace();
    let paths = std::iter::once(get("FragmentPath")).chain(drop_ins);
    let files = paths
        .filter(|path| !path.is_empty())
        .filter_map(|path| Some((PathBuf::from(path), fs::read_to_string(path).ok()?)))
        .collect::<Vec<_>>();
    let pulled_in = ["WantedBy", "RequiredBy", "TriggeredBy", "BoundBy"]
        .iter()
        .any(|key| !get(key).is_empty());
    let around = systemd::Around {
        name,
        pulled_in,
        ours: manager.definition(name).is_some(),
    };
    let mut definition = systemd::read(&files, &around);
    findings.extend(unread_by_systemd(manager, &unit, &files));
    if matches!(load, "bad-setting" | "error") && definition.findings.is_empty() {
        definition.findings.push(Finding::fault(
            Check::Definition,
            format!(
                "systemd cannot use the unit file of {name}: {}",
                get("LoadError")
            ),
            format!("`systemd-analyze verify {unit}` says where"),
        ));
    }
    Ok(definition)
}

/// The settings that systemd does not know, which are mostly misspelt.
fn unread_by_systemd(manager: &Manager, unit: &str, files: &[(PathBuf, String)]) -> Vec<Finding> {
    let mut words = vec!["systemd-analyze"];
    if manager.scope() == Scope::User {
        words.push("--user");
    }
    words.extend(["verify", "--man=no", unit]);
    let call = Call {
        words: words.into_iter().map(str::to_owned).collect(),
    };
    // It says nothing where it is not installed, and is not needed for the rest.
    let said = call
        .run(ANSWER)
        .map(|output| output.err)
        .unwrap_or_default();
    misspelt(&said, files)
}

fn misspelt(said: &str, files: &[(PathBuf, String)]) -> Vec<Finding> {
    const ABOUT: [&str; 5] = [
        "Unknown key",
        "Unknown section",
        "Unknown lvalue",
        "Failed to parse",
        "Invalid",
    ];
    said.lines()
        .filter(|line| ABOUT.iter().any(|words| line.contains(words)))
        .filter_map(|line| {
            let (file, _) = files
                .iter()
                .find(|(file, _)| line.starts_with(&*file.to_string_lossy()))?;
            Some(
                Finding::warning(
                    Check::Definition,
                    format!("systemd does not take a setting: {}", line.trim()),
                    "correct its spelling or its value, or take it out",
                )
                .about(file),
            )
        })
        .collect()
}

fn not_registered(manager: &Manager, name: &str) -> Finding {
    Finding::fault(
        Check::Registered,
        format!("{} knows no service called {name}", manager.kind()),
        format!(
            "`abide install --name {name} -- PROGRAM` makes one; `abide status` lists those that there are"
        ),
    )
}

/// runit, OpenRC and SysV: what their script says; launchd: its property list.
fn of_file(
    manager: &Manager,
    name: &str,
    findings: &mut Vec<Finding>,
) -> Result<Definition, Error> {
    let main = manager.main_file(name);
    let Ok(bytes) = fs::read(&main) else {
        findings.push(not_registered(manager, name));
        return Ok(Definition::default());
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let definition = match manager.kind() {
        Kind::Runit => {
            let folder = main.parent().unwrap_or(&main).to_owned();
            let log = folder.join("log/run");
            let log_text = fs::read_to_string(&log).ok();
            findings.extend(watched(&manager.enabled_at(name), &folder, name));
            let mut definition = script::runit(&main, &text, log_text.as_deref());
            if log_text.is_some() {
                definition.commands.push(Command {
                    by: "runsv".to_owned(),
                    words: vec![log.to_string_lossy().into_owned()],
                    ..Command::default()
                });
            }
            definition
        }
        Kind::OpenRc => script::openrc(&main, &text),
        Kind::SysV => script::sysv(&main, &text),
        Kind::Launchd => {
            let around = launchd::Around {
                name,
                scope: manager.scope(),
                ours: manager.definition(name).is_some(),
            };
            launchd::read(&main, &bytes, &around)
        }
        kind @ (Kind::Systemd | Kind::Scm) => {
            return Err(Error::Unsupported {
                what: format!("examine {name} by its file"),
                manager: kind,
                why: "it has services by other means".to_owned(),
            });
        }
    };
    Ok(definition)
}

/// Something watches over the folder that the link leads to. Without a link it was switched off.
fn watched(link: &Path, folder: &Path, name: &str) -> Option<Finding> {
    let there = fs::symlink_metadata(link).is_ok();
    let watched = crate::disk::has_reader(&folder.join("supervise/ok"));
    // Its pipe can be opened by root alone.
    let known = crate::process::user() == 0;
    (there && known && !watched).then(|| {
        Finding::fault(
            Check::Registered,
            format!(
                "no runsv watches over {name}, though {} is there",
                link.display()
            ),
            "see that runsvdir runs, and that it looks into that folder",
        )
    })
}

/// Which of the other services that it names are there.
fn present(manager: &Manager, definition: &Definition) -> BTreeMap<String, bool> {
    let names = definition
        .dependencies
        .iter()
        .map(|dependency| dependency.name.clone());
    names
        .map(|name| {
            let there = is_there(manager, &name);
            (name, there)
        })
        .collect()
}

fn is_there(manager: &Manager, name: &str) -> bool {
    match manager.kind() {
        Kind::Systemd => {
            // A specifier, or a name that systemd makes up itself (`dev-sda.device`).
            if name.contains('%') || name.ends_with(".device") {
                return true;
            }
            let call = systemctl(manager.scope(), &["show", "--property", "LoadState", name]);
            // What cannot be asked is not said to be missing.
            !call
                .succeed(ANSWER)
                .is_ok_and(|said| said.out.trim() == "LoadState=not-found")
        }
        Kind::Runit => manager.main_file(name).exists() || manager.enabled_at(name).exists(),
        _ => {
            let main = manager.main_file(name);
            main.exists() || provided(main.parent(), name)
        }
    }
}

/// Some init script says that it is what this name stands for.
fn provided(folder: Option<&Path>, name: &str) -> bool {
    let scripts = folder.and_then(|folder| fs::read_dir(folder).ok());
    scripts.into_iter().flatten().flatten().any(|entry| {
        let text = fs::read(entry.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().any(|line| {
            line.strip_prefix("# Provides:")
                .or_else(|| line.trim().strip_prefix("provide "))
                .is_some_and(|names| names.split_whitespace().any(|provided| provided == name))
        })
    })
}

impl Report {
    /// The first thing that keeps it from running.
    #[must_use]
    pub fn first_fault(&self) -> Option<&Finding> {
        self.findings
            .iter()
            .find(|finding| finding.level == Level::Fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_ignores_is_a_warning_about_the_file_that_has_it() {
        let file = PathBuf::from("/etc/systemd/system/web.service");
        let said = "/etc/systemd/system/web.service:9: Unknown key name 'WantdBy' in section 'Install', ignoring.\n\
                    /lib/systemd/system/other.service:3: Unknown key name 'X' in section 'Y', ignoring.\n\
                    web.service: Command /opt/web is not executable: No such file or directory\n";
        let found = misspelt(said, &[(file.clone(), String::new())]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].what.contains("WantdBy"));
        assert_eq!(found[0].about, Some(file));
    }
}
