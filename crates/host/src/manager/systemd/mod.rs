//! systemd, of the machine or of a user: a unit file, and `systemctl`.

mod quote;
mod sandbox;
mod show;
mod unit;

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::places::Places;
use super::{ANSWER, Scope, State, Status, denied};
use crate::plan::{Call, File, Link, Plan, below};
use crate::service::{Service, Start};
use crate::{Error, disk};

/// A call of `systemctl`, with the manager that is meant.
fn systemctl(scope: Scope, words: &[&str]) -> Call {
    let mut all = vec!["systemctl"];
    if scope == Scope::User {
        all.push("--user");
    }
    all.extend(words);
    Call {
        words: all.into_iter().map(ToOwned::to_owned).collect(),
    }
}

fn unit_name(name: &str) -> String {
    format!("{name}.service")
}

/// The unit file, the link that has it started at boot, and that systemd is to read them.
pub(super) fn plan(service: &Service, scope: Scope, places: &Places) -> Plan {
    let file = unit_name(&service.name);
    let path = places.definitions.join(&file);
    let wants = places
        .enabled
        .join(format!("{}.wants", unit::wanted_by(scope)));
    let link = Link {
        path: wants.join(&file),
        target: path.clone(),
    };
    let mut plan = Plan {
        files: vec![File {
            path,
            text: unit::text(service, scope),
            mode: 0o644,
        }],
        calls: vec![systemctl(scope, &["daemon-reload"])],
        undo: vec![systemctl(scope, &["daemon-reload"])],
        ..Plan::default()
    };
    if service.start.at_boot() {
        plan.links.push(link);
    } else {
        plan.removed.push(link.path);
    }
    if service.start == Start::Delayed && scope == Scope::User {
        plan.notes.push(
            "a user's services have nothing to be started after: it is started with the others"
                .to_owned(),
        );
    }
    if service.sandbox.is_some() && scope == Scope::User {
        plan.notes.push(
            "a user's systemd needs user namespaces for its sandbox; what only the machine's can do is left out"
                .to_owned(),
        );
    }
    plan
}

/// `start`, `stop`, `restart`: waits for the job.
pub(super) fn act(scope: Scope, verb: &str, name: &str, within: Duration) -> Result<(), Error> {
    let call = systemctl(scope, &[verb, &unit_name(name)]);
    let output = match call.run(within) {
        // The job goes on.
        Err(Error::TimedOut { .. }) => {
            let state =
                status(scope, name).map_or_else(|_| String::new(), |status| in_words(&status));
            return Err(Error::TimedOut {
                action: format!("{verb} {name}"),
                within,
                state,
            });
        }
        other => other?,
    };
    if output.ok() {
        return up_if_started(scope, verb, name);
    }
    let complaint = output.complaint();
    if denied(&complaint) {
        return Err(Error::AccessDenied {
            action: format!("{verb} {name}"),
            right: "root",
            how: "run it as root (`sudo`)".to_owned(),
        });
    }
    if complaint.contains("not found") || complaint.contains("not loaded") {
        return Err(Error::NotInstalled {
            name: name.to_owned(),
            manager: super::Kind::Systemd,
        });
    }
    if matches!(verb, "stop" | "reload") || complaint.contains("Operation refused") {
        return Err(Error::Failed {
            command: call.to_string(),
            output: complaint,
        });
    }
    Err(not_up(scope, verb, name))
}

/// `reload`: the `ExecReload=` of its unit file.
pub(super) fn reload(scope: Scope, name: &str, within: Duration) -> Result<(), Error> {
    act(scope, "reload", name, within).map_err(|error| match error {
        // "Job type reload is not applicable for unit web.service."
        Error::Failed { output, .. } if output.contains("not applicable") => Error::Unsupported {
            what: format!("reload {name}"),
            manager: super::Kind::Systemd,
            why: "its unit file has no ExecReload=".to_owned(),
        },
        error => error,
    })
}

/// `systemctl start` says "done" of a service that ended at once, if it was to be taken for started before that.
fn up_if_started(scope: Scope, verb: &str, name: &str) -> Result<(), Error> {
    if matches!(verb, "stop" | "reload") {
        return Ok(());
    }
    let status = status(scope, name)?;
    match status.state {
        State::Failed => Err(not_up(scope, verb, name)),
        _ => Ok(()),
    }
}

fn not_up(scope: Scope, verb: &str, name: &str) -> Error {
    let why =
        status(scope, name).map_or_else(|error| error.to_string(), |status| in_words(&status));
    let user = if scope == Scope::User { "--user " } else { "" };
    Error::NotUp {
        action: format!("{verb} {name}"),
        why: format!("{why}; `journalctl {user}-u {name}` has what it said"),
    }
}

fn in_words(status: &Status) -> String {
    let mut text = format!("it is {}", status.state);
    if let Some(exit) = status.exit {
        text.push_str(&format!(", {exit}"));
    }
    if let Some(detail) = &status.detail {
        text.push_str(&format!(", {detail}"));
    }
    text
}

/// What systemd says of it.
pub(super) fn status(scope: Scope, name: &str) -> Result<Status, Error> {
    let call = systemctl(
        scope,
        &["show", "--property", show::PROPERTIES, &unit_name(name)],
    );
    Ok(show::status(&call.succeed(ANSWER)?.out))
}

/// systemd has a unit of this name, from wherever.
pub(super) fn knows(scope: Scope, name: &str) -> Result<bool, Error> {
    Ok(status(scope, name)?.state != State::NotInstalled)
}

/// Makes or removes the links of `[Install]`.
pub(super) fn enable(
    scope: Scope,
    root: &Path,
    running: bool,
    name: &str,
    enabled: bool,
) -> Result<(), Error> {
    let verb = if enabled { "enable" } else { "disable" };
    let at = format!("--root={}", root.display());
    let unit = unit_name(name);
    let call = match (running, scope) {
        (true, _) => systemctl(scope, &[verb, &unit]),
        (false, Scope::System) => systemctl(scope, &[&at, verb, &unit]),
        (false, Scope::User) => {
            return Err(Error::Unsupported {
                what: format!("{verb} {name}"),
                manager: super::Kind::Systemd,
                why: "below another root only services of the machine can be changed".to_owned(),
            });
        }
    };
    super::act(&call, ANSWER)
}

/// Removes its files, and has systemd forget it. It is stopped.
pub(super) fn remove(
    scope: Scope,
    places: &Places,
    root: &Path,
    running: bool,
    name: &str,
) -> Result<(), Error> {
    let file = unit_name(name);
    for link in wanted_links(&below(root, &places.enabled), &file) {
        disk::remove_if_there(&link).map_err(|e| Error::file("remove", &link, e))?;
        if let Some(directory) = link.parent() {
            // Others may have their links in it.
            let _ = fs::remove_dir(directory);
        }
    }
    let path = below(root, &places.definitions.join(&file));
    disk::remove_if_there(&path).map_err(|e| Error::file("remove", &path, e))?;
    if running {
        super::act(&systemctl(scope, &["daemon-reload"]), ANSWER)?;
        // It says no if there was no failure to forget.
        let _ = systemctl(scope, &["reset-failed", &file]).run(ANSWER);
    }
    Ok(())
}

/// The links to a unit in `*.wants` and `*.requires`: also those that `systemctl enable` made after the unit file
/// was edited.
fn wanted_links(units: &Path, file: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(units).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.ends_with(".wants") || name.ends_with(".requires")
        })
        .map(|entry| entry.path().join(file))
        .filter(|link| fs::symlink_metadata(link).is_ok())
        .collect()
}
