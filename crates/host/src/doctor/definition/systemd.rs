//! A systemd unit: unit file and drop-ins (systemd.syntax(7), systemd.service(5)).

mod syntax;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::{Account, Command, Definition, Dependency, Log, usual_path};
use crate::doctor::finding::{Check, Finding};
use syntax::{Settings, words};

/// What systemd starts a service by.
const TYPES: [&str; 8] = [
    "simple",
    "exec",
    "forking",
    "oneshot",
    "dbus",
    "notify",
    "notify-reload",
    "idle",
];

/// `Restart=`.
const RESTARTS: [&str; 7] = [
    "no",
    "always",
    "on-success",
    "on-failure",
    "on-abnormal",
    "on-abort",
    "on-watchdog",
];

/// Who listens to what goes to the journal (systemd-journald.service(8)).
const JOURNAL: &str = "/run/systemd/journal/stdout";

/// What there is of a unit beside its files.
pub(in crate::doctor) struct Around<'a> {
    /// Its name without `.service`.
    pub name: &'a str,
    /// Something other than its own `[Install]` has it started: a target, a timer, a socket.
    pub pulled_in: bool,
    /// It was written by us: its program is abide.
    pub ours: bool,
}

/// Reads a unit file and its drop-ins, in the order in which they count.
pub(in crate::doctor) fn read(files: &[(PathBuf, String)], around: &Around<'_>) -> Definition {
    let mut definition = Definition {
        files: files.iter().map(|(path, _)| path.clone()).collect(),
        ..Definition::default()
    };
    let mut settings = Settings::default();
    for (path, text) in files {
        settings.read(path, text, &mut definition.findings);
    }
    let main = files.first().map(|(path, _)| path.clone());
    let main = main.unwrap_or_default();
    install(&settings, &main, around, &mut definition);
    behaviour(&settings, &main, around, &mut definition);
    commands(&settings, &main, around, &mut definition);
    output(&settings, &mut definition);
    for key in ["Requires", "BindsTo", "Requisite"] {
        let named = settings.words("Unit", key);
        definition
            .dependencies
            .extend(named.into_iter().map(|name| Dependency {
                name,
                by: format!("{key}="),
            }));
    }
    for file in settings.all("Service", "EnvironmentFile") {
        // A minus says that it may be missing.
        if file.starts_with('/') && !file.contains('%') {
            definition.reads.push(PathBuf::from(file));
        }
    }
    definition
}

/// `[Install]`: what has it come up at boot.
fn install(settings: &Settings, main: &Path, around: &Around<'_>, definition: &mut Definition) {
    let name = around.name;
    let mut wanted = false;
    for key in ["WantedBy", "RequiredBy", "UpheldBy"] {
        for target in settings.words("Install", key) {
            wanted = true;
            definition.dependencies.push(Dependency {
                name: target,
                by: format!("{key}="),
            });
        }
    }
    let otherwise = ["Also", "Alias", "DefaultInstance"]
        .iter()
        .any(|key| !settings.words("Install", key).is_empty());
    // One of ours always has it: `enable` and `disable` go by it.
    if !wanted && !otherwise && (around.ours || !around.pulled_in) {
        definition.findings.push(
            Finding::fault(
                Check::Boot,
                format!("{} has no WantedBy= in [Install]: nothing can have {name} started at boot", main.display()),
                format!("add `[Install]` and `WantedBy=multi-user.target` to it, then `systemctl daemon-reload` and `systemctl enable {name}`"),
            )
            .about(main),
        );
    }
}

/// `Type=`, `Restart=` and what goes with them.
fn behaviour(settings: &Settings, main: &Path, around: &Around<'_>, definition: &mut Definition) {
    let mut fault = |what: String, fix: &str| {
        let finding = Finding::fault(Check::Definition, what, fix);
        definition.findings.push(finding.about(main));
    };
    if !settings.has("Service") {
        fault(
            format!("{} has no [Service] section", main.display()),
            "a service needs one with ExecStart=; `abide install` writes it",
        );
        return;
    }
    let kind = settings.last("Service", "Type");
    match kind {
        Some(kind) if !TYPES.contains(&kind) => fault(
            format!(
                "Type={kind} in {} is none that systemd knows",
                main.display()
            ),
            "take one of simple, exec, notify, forking, oneshot, dbus and idle",
        ),
        Some("forking") if around.ours => fault(
            format!(
                "Type=forking in {}, but abide stays in the foreground: its start would time out",
                main.display()
            ),
            "make it Type=notify, or install the service again",
        ),
        Some("dbus") if settings.last("Service", "BusName").is_none() => fault(
            format!("Type=dbus in {} without a BusName=", main.display()),
            "say which name the program takes, or take another Type=",
        ),
        _ => {}
    }
    if kind == Some("notify") && settings.last("Service", "NotifyAccess") == Some("none") {
        fault(
            format!(
                "Type=notify with NotifyAccess=none in {}: nobody hears that it is ready",
                main.display()
            ),
            "make it NotifyAccess=main",
        );
    }
    if let Some(restart) = settings.last("Service", "Restart")
        && !RESTARTS.contains(&restart)
    {
        fault(
            format!(
                "Restart={restart} in {} is none that systemd knows",
                main.display()
            ),
            "take one of no, on-failure, on-abnormal and always",
        );
    }
}

/// `ExecStart=` and the commands around it.
fn commands(settings: &Settings, main: &Path, around: &Around<'_>, definition: &mut Definition) {
    let dynamic = settings.last("Service", "DynamicUser").is_some_and(is_true);
    let plain = |key: &str| {
        settings
            .last("Service", key)
            .filter(|value| !value.contains('%'))
            .map(str::to_owned)
    };
    let account = Account {
        user: plain("User"),
        group: plain("Group"),
        dynamic,
    };
    // Its files lie elsewhere then, out of our sight.
    let elsewhere = ["RootDirectory", "RootImage"]
        .iter()
        .any(|key| settings.last("Service", key).is_some());
    let directory = plain("WorkingDirectory")
        .filter(|directory| directory.starts_with('/') && !elsewhere)
        .map(PathBuf::from);
    let oneshot = settings.last("Service", "Type") == Some("oneshot");
    if settings.has("Service") && settings.all("Service", "ExecStart").is_empty() && !oneshot {
        definition.findings.push(
            Finding::fault(
                Check::Definition,
                format!(
                    "{} has no ExecStart=: there is nothing to execute",
                    main.display()
                ),
                "say there what is to be executed",
            )
            .about(main),
        );
    }
    for key in ["ExecStartPre", "ExecStart"] {
        for line in settings.all("Service", key) {
            let bare = line.trim_start_matches(['-', '@', ':', '+', '!', '|']);
            let prefix = &line[..line.len() - bare.len()];
            let bare = expand(bare, around.name);
            let Some(words) = words(&bare) else {
                definition.findings.push(
                    Finding::fault(
                        Check::Definition,
                        format!(
                            "{key}={line} in {} has a quote that does not end",
                            main.display()
                        ),
                        "end it",
                    )
                    .about(main),
                );
                continue;
            };
            let Some(program) = words.first() else {
                continue;
            };
            if program.contains('/') && !program.starts_with('/') && !program.starts_with('%') {
                definition.findings.push(
                    Finding::fault(
                        Check::Definition,
                        format!(
                            "{key}= in {} names {program}, which is no absolute path",
                            main.display()
                        ),
                        "write the path from the root on",
                    )
                    .about(main),
                );
                continue;
            }
            // What systemd puts in at its start cannot be known here; a failure of `-` does not matter.
            if elsewhere || program.contains(['%', '$']) || prefix.contains('-') {
                continue;
            }
            let privileged = prefix.contains(['+', '!']);
            definition.commands.push(Command {
                by: format!("{key}="),
                words,
                account: if privileged {
                    Account::default()
                } else {
                    account.clone()
                },
                directory: directory.clone(),
                path: usual_path(),
            });
        }
    }
}

/// `StandardOutput=`, `StandardError=`.
fn output(settings: &Settings, definition: &mut Definition) {
    for (key, default) in [("StandardOutput", "journal"), ("StandardError", "inherit")] {
        let to = settings.last("Service", key).unwrap_or(default);
        let file = ["file:", "append:", "truncate:"]
            .iter()
            .find_map(|how| to.strip_prefix(how));
        let log = match (file, to) {
            (Some(file), _) if !file.contains('%') => Log::File(PathBuf::from(file)),
            (None, "journal" | "journal+console" | "syslog" | "syslog+console") => Log::Socket {
                path: PathBuf::from(JOURNAL),
                listener: "systemd-journald".to_owned(),
            },
            _ => continue,
        };
        if !definition.logs.contains(&log) {
            definition.logs.push(log);
        }
    }
}

fn is_true(value: &str) -> bool {
    ["yes", "true", "on", "1"].contains(&value)
}

/// The specifiers that stand for the unit's own name, and `%%`.
fn expand(text: &str, name: &str) -> String {
    let instance = name.split_once('@').map_or("", |(_, instance)| instance);
    let prefix = name.split('@').next().unwrap_or(name);
    // What `%%` stands for must not begin a specifier again.
    const PERCENT: &str = "\u{0}";
    text.replace("%%", PERCENT)
        .replace("%n", &format!("{name}.service"))
        .replace("%N", name)
        .replace("%i", instance)
        .replace("%I", instance)
        .replace("%p", prefix)
        .replace(PERCENT, "%")
}
