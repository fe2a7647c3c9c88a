//! System V init: a script in `/etc/init.d`, links in `/etc/rcN.d`.

mod script;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::places::Places;
use super::{ANSWER, Kind, State, Status, denied};
use crate::plan::{Call, File, Link, Plan, below};
use crate::service::{Ready, Restart, Service, Start};
use crate::{Error, disk};

/// The runlevels in which services run, and those in which they don't.
const UP: [&str; 4] = ["2", "3", "4", "5"];
const DOWN: [&str; 3] = ["0", "1", "6"];

/// The system's own program that keeps the links, in an order that the headers decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Registrar {
    /// Debian's.
    UpdateRcD,
    /// Red Hat's.
    Chkconfig,
}

impl Registrar {
    /// The one of this system; `None`: links are made by hand.
    pub(super) fn find() -> Option<Self> {
        let there = |path: &str| Path::new(path).is_file();
        if there("/usr/sbin/update-rc.d") {
            Some(Self::UpdateRcD)
        } else if there("/sbin/chkconfig") || there("/usr/sbin/chkconfig") {
            Some(Self::Chkconfig)
        } else {
            None
        }
    }

    fn add(self, name: &str, enabled: bool) -> Vec<Call> {
        match self {
            Self::UpdateRcD if enabled => vec![Call::new(["update-rc.d", name, "defaults"])],
            Self::UpdateRcD => vec![Call::new(["update-rc.d", name, "defaults-disabled"])],
            Self::Chkconfig => vec![
                Call::new(["chkconfig", "--add", name]),
                self.enable(name, enabled),
            ],
        }
    }

    fn enable(self, name: &str, enabled: bool) -> Call {
        match self {
            Self::UpdateRcD => Call::new([
                "update-rc.d",
                name,
                if enabled { "enable" } else { "disable" },
            ]),
            Self::Chkconfig => Call::new(["chkconfig", name, if enabled { "on" } else { "off" }]),
        }
    }

    fn remove(self, name: &str) -> Call {
        match self {
            Self::UpdateRcD => Call::new(["update-rc.d", "-f", name, "remove"]),
            Self::Chkconfig => Call::new(["chkconfig", "--del", name]),
        }
    }
}

/// The script, and what has it started at boot.
pub(super) fn plan(service: &Service, places: &Places) -> Plan {
    let name = &service.name;
    let at_boot = service.start.at_boot();
    let mut plan = Plan {
        files: vec![File {
            path: places.definitions.join(name),
            text: script::text(service),
            mode: 0o755,
        }],
        notes: notes(service),
        ..Plan::default()
    };
    match places.registrar {
        Some(registrar) => {
            plan.calls = registrar.add(name, at_boot);
            plan.undo = vec![registrar.remove(name)];
        }
        None if at_boot => plan.links = links(places, name),
        None => {
            plan.removed = links(places, name)
                .into_iter()
                .map(|link| link.path)
                .collect()
        }
    }
    plan
}

fn links(places: &Places, name: &str) -> Vec<Link> {
    let link = |level: &str, prefix: &str| Link {
        path: places.enabled.join(format!("rc{level}.d/{prefix}{name}")),
        target: Path::new("../init.d").join(name),
    };
    let up = UP.iter().map(|level| link(level, "S20"));
    up.chain(DOWN.iter().map(|level| link(level, "K80")))
        .collect()
}

fn notes(service: &Service) -> Vec<String> {
    let mut notes = Vec::new();
    if service.start == Start::Delayed {
        notes.push("init scripts delay nothing: it is started with the others");
    }
    if service.restart != Restart::Never {
        notes.push("init scripts watch over nothing: it is not started again when it ends");
    }
    if matches!(service.ready, Ready::Notify { .. }) {
        notes.push(
            "they do not listen to READY=1: a start waits until its program has run for a moment",
        );
    }
    if service.watchdog.is_some() {
        notes.push("they have no watchdog");
    }
    if service.sandbox.is_some() {
        notes.push("they have no sandbox");
    }
    notes.into_iter().map(ToOwned::to_owned).collect()
}

/// `start`, `stop`, by the script itself, as `service` does it.
pub(super) fn act(places: &Places, name: &str, verb: &str, within: Duration) -> Result<(), Error> {
    let script = places.definitions.join(name).display().to_string();
    let call = Call::new([&script, verb]);
    let output = match call.run(within) {
        Err(Error::TimedOut { .. }) => {
            return Err(Error::TimedOut {
                action: format!("{verb} {name}"),
                within,
                state: String::new(),
            });
        }
        other => other?,
    };
    let complaint = output.complaint();
    match output.code {
        Some(0) => Ok(()),
        _ if output.code == Some(4) || denied(&complaint) => Err(Error::AccessDenied {
            action: format!("{verb} {name}"),
            right: "root",
            how: "run it as root (`sudo`)".to_owned(),
        }),
        Some(2 | 3) if verb == "reload" => Err(Error::Unsupported {
            what: format!("reload {name}"),
            manager: Kind::SysV,
            why: format!("{script} has no reload: {complaint}"),
        }),
        _ => Err(Error::NotUp {
            action: format!("{verb} {name}"),
            why: complaint,
        }),
    }
}

/// The script's `reload`. LSB: 3 is a script that has none.
pub(super) fn reload(places: &Places, name: &str, within: Duration) -> Result<(), Error> {
    act(places, name, "reload", within)
}

/// What the script's `status` says.
pub(super) fn status(places: &Places, name: &str) -> Result<Status, Error> {
    let script = places.definitions.join(name);
    if !script.exists() {
        return Ok(Status::not_installed());
    }
    let output = Call::new([&*script.display().to_string(), "status"]).run(ANSWER)?;
    let said = output.out.trim();
    let state = match output.code {
        Some(0) => State::Running,
        Some(1 | 2) => State::Failed,
        Some(3) => State::Stopped,
        _ => {
            return Err(Error::Unsupported {
                what: format!("read the status of {name}"),
                manager: Kind::SysV,
                why: output.complaint(),
            });
        }
    };
    // Ours says "(pid N)".
    let pid = said
        .split_once("(pid ")
        .and_then(|(_, rest)| rest.split(')').next()?.parse().ok());
    Ok(Status {
        state,
        pid,
        exit: None,
        enabled: enabled(places, name),
        detail: (state == State::Failed).then(|| said.to_owned()),
    })
}

/// The links to the script in the directories of runlevels, whatever their place in the order.
fn linked(root: &Path, places: &Places, name: &str) -> Vec<PathBuf> {
    let of = |level: &&str| {
        let directory = below(root, &places.enabled.join(format!("rc{level}.d")));
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_ours = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file.get(3..) == Some(name) && file.starts_with(['S', 'K'])
    };
    UP.iter()
        .chain(&DOWN)
        .flat_map(of)
        .filter(is_ours)
        .collect()
}

fn enabled(places: &Places, name: &str) -> bool {
    linked(Path::new("/"), places, name).iter().any(|link| {
        link.file_name()
            .is_some_and(|file| file.to_string_lossy().starts_with('S'))
    })
}

/// With or without the links that have it started.
pub(super) fn enable(places: &Places, root: &Path, name: &str, enabled: bool) -> Result<(), Error> {
    if let Some(registrar) = places.registrar {
        return super::act(&registrar.enable(name, enabled), ANSWER);
    }
    unlink(root, places, name)?;
    for link in links(places, name).iter().filter(|_| enabled) {
        let path = below(root, &link.path);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)
                .map_err(|e| Error::file("make the directory", directory, e))?;
        }
        disk::link(&link.target, &path).map_err(|e| Error::file("make the link", &path, e))?;
    }
    Ok(())
}

fn unlink(root: &Path, places: &Places, name: &str) -> Result<(), Error> {
    for link in linked(root, places, name) {
        disk::remove_if_there(&link).map_err(|e| Error::file("remove", &link, e))?;
    }
    Ok(())
}

/// Removes script and links.
pub(super) fn remove(places: &Places, root: &Path, running: bool, name: &str) -> Result<(), Error> {
    let script = below(root, &places.definitions.join(name));
    disk::remove_if_there(&script).map_err(|e| Error::file("remove", &script, e))?;
    if running && let Some(registrar) = places.registrar {
        super::act(&registrar.remove(name), ANSWER)?;
    }
    unlink(root, places, name)
}
