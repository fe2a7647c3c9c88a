//! A unit of a configuration file, in the doctor's words.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use abide_config::{Loaded, Severity};
use abide_host::doctor::{Account, Command, Log, Port, Unit};
use abide_host::log::{journald, syslog};
use abide_model::{Command as CommandLine, ListenAddress, LogWay, ProbeKind, Spec};

use crate::command::{Context, files, program};
use abide_daemon::installed::{HostedUnit, Installed};

/// The unit that a service hosts; `None`: it is the daemon of a home, or not ours to read.
pub(super) fn of_service(service: &Installed) -> Option<Unit> {
    let HostedUnit { file, name } = service.note.unit.as_ref()?;
    // Its owner may read it, and that is root.
    if std::fs::File::open(file).is_err_and(|e| e.kind() == ErrorKind::PermissionDenied) {
        return None;
    }
    let mut caller = files::caller().ok()?;
    let named = [file.clone()];
    caller.environment = files::inherited(&named, &caller);
    let loaded = abide_config::load(&named, &caller);
    let spec = loaded.specs().find(|spec| is_of(spec, name.as_str()));
    let mut unit = spec.map_or_else(Unit::default, of_spec);
    unit.files = vec![file.clone()];
    unit.invalid = mistake(&loaded, file).or_else(|| {
        let missing = || {
            (
                format!("{} has no unit called {name} any more", file.display()),
                format!("put it back, or `abide uninstall {}`", service.name),
            )
        };
        spec.is_none().then(missing)
    });
    Some(unit)
}

/// The units that a home has: those of the files that its daemon has loaded, and of its own.
pub(super) async fn of_home(context: &Context<'_>) -> BTreeMap<String, Unit> {
    let home = &context.client.home().directory;
    // Without a daemon its own remain.
    let daemon = context.client.daemon().await;
    let mut sources = daemon.map_or_else(|_| Vec::new(), |daemon| daemon.sources);
    sources.extend(own(home));
    let mut units = BTreeMap::new();
    for file in sources {
        let Ok(mut caller) = files::caller() else {
            break;
        };
        let named = [file.clone()];
        caller.environment = files::inherited(&named, &caller);
        let loaded = abide_config::load(&named, &caller);
        for spec in loaded.specs() {
            let mut unit = of_spec(spec);
            unit.files = vec![spec.source.file.clone()];
            units.insert(spec.name.to_string(), unit);
        }
    }
    units
}

/// The files that `abide run` has written.
fn own(home: &Path) -> Vec<PathBuf> {
    let units = abide_daemon::home::Home::new(home.to_owned()).units();
    let entries = std::fs::read_dir(units).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect()
}

fn is_of(spec: &Spec, name: &str) -> bool {
    spec.name.as_str().split('@').next() == Some(name)
}

/// The first mistake of a file.
fn mistake(loaded: &Loaded, file: &Path) -> Option<(String, String)> {
    let errors = &loaded.diagnostics.items;
    let error = errors
        .iter()
        .find(|item| item.severity == Severity::Error)?;
    let at = if error.line > 0 {
        format!("{}:{}", file.display(), error.line)
    } else {
        file.display().to_string()
    };
    let fix = error
        .help
        .clone()
        .unwrap_or_else(|| format!("`abide check {}` shows the place", file.display()));
    Some((format!("{at}: {}", error.message), fix))
}

fn of_spec(spec: &Spec) -> Unit {
    let launch = &spec.launch;
    let words = match &launch.command {
        CommandLine::Argv(words) => words.clone(),
        CommandLine::Shell(line) => program::shell(line),
    };
    let command = Command {
        by: format!("the unit {}", spec.name),
        words,
        account: Account {
            user: launch.user.clone(),
            group: launch.group.clone(),
            dynamic: false,
        },
        directory: Some(launch.directory.clone()),
        path: program::folders(&launch.environment),
    };
    Unit {
        files: Vec::new(),
        commands: vec![command],
        logs: logs(spec),
        ports: ports(spec),
        invalid: None,
    }
}

/// The sockets of this machine's logs that it is sent to.
fn logs(spec: &Spec) -> Vec<Log> {
    let targets = spec.log.system.iter().flatten().map(|log| &log.to.way);
    targets
        .filter_map(|way| {
            let (own, usual, listener) = match way {
                LogWay::Journald(path) => (path, journald::SOCKET, "systemd-journald"),
                LogWay::Local(path) => (path, syslog::SOCKET, "the syslog daemon"),
                _ => return None,
            };
            Some(Log::Socket {
                path: own.clone().unwrap_or_else(|| PathBuf::from(usual)),
                listener: listener.to_owned(),
            })
        })
        .collect()
}

/// Where it is to listen on this machine: its sockets, and what its readiness is told by.
fn ports(spec: &Spec) -> Vec<Port> {
    let sockets = spec.launch.socket.iter().flat_map(|socket| &socket.listen);
    let mut ports: Vec<Port> = sockets
        .filter_map(|listen| match listen.address {
            ListenAddress::Tcp(address) => Some(Port {
                address,
                by: "socket".to_owned(),
            }),
            _ => None,
        })
        .collect();
    let asked = match spec.policy.ready.as_ref().map(|ready| &ready.probe) {
        Some(ProbeKind::Tcp(address)) => Some(address.clone()),
        Some(ProbeKind::Http(probe)) => {
            let rest = probe.url.strip_prefix("http://");
            rest.and_then(|rest| rest.split('/').next())
                .map(str::to_owned)
        }
        _ => None,
    };
    if let Some(address) = asked.and_then(|text| local(&text))
        && !ports.iter().any(|port| port.address == address)
    {
        ports.push(Port {
            address,
            by: "ready".to_owned(),
        });
    }
    ports
}

/// An address of this machine, if it is one without asking anybody.
fn local(text: &str) -> Option<SocketAddr> {
    let text = text.replace("localhost", "127.0.0.1");
    let address: SocketAddr = text
        .parse()
        .or_else(|_| format!("{text}:80").parse())
        .ok()?;
    address.ip().is_loopback().then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_told_from_others() {
        let address = |text: &str| local(text).map(|address| address.to_string());
        assert_eq!(address("localhost:8080").as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(address("127.0.0.1").as_deref(), Some("127.0.0.1:80"));
        assert_eq!(address("192.0.2.1:80"), None);
        assert_eq!(address("db.example:5432"), None);
    }
}
