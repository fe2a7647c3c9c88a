//! Which manager runs this machine.

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::fs;

use super::{Kind, Scope, Surroundings};
use crate::Error;

/// The manager that is a part of the system; `None`: there are several, and one of them runs.
const NATIVE: Option<Kind> = if cfg!(windows) {
    Some(Kind::Scm)
} else if cfg!(target_os = "macos") {
    Some(Kind::Launchd)
} else {
    None
};

/// The manager that runs the machine, or this user's services.
pub(super) fn kind(scope: Scope, around: &Surroundings) -> Result<Kind, Error> {
    if let Some(kind) = NATIVE {
        return Ok(kind);
    }
    let candidates: &[Kind] = match scope {
        Scope::System => &[Kind::Systemd, Kind::OpenRc, Kind::Runit, Kind::SysV],
        Scope::User => &[Kind::Systemd, Kind::Runit],
    };
    if let Some(kind) = candidates.iter().find(|kind| runs(**kind, scope, around)) {
        return Ok(*kind);
    }
    Err(none(scope, around))
}

/// This manager can be spoken to.
pub(super) fn present(kind: Kind, scope: Scope, around: &Surroundings) -> Result<(), Error> {
    let (there, what) = match kind {
        Kind::Systemd => (runs(kind, scope, around), "systemd does not run here"),
        Kind::Runit => (
            on_path("sv") && runsvdir(around),
            "no runsvdir runs here, or there is no program sv",
        ),
        Kind::OpenRc => (
            on_path("rc-service"),
            "there is no program rc-service, which comes with OpenRC",
        ),
        Kind::SysV => (
            around.root.join("etc/init.d").is_dir(),
            "there is no directory /etc/init.d",
        ),
        Kind::Launchd => (NATIVE == Some(kind), "launchd is the manager of macOS"),
        Kind::Scm => (
            NATIVE == Some(kind),
            "the Service Control Manager is that of Windows",
        ),
    };
    if there {
        return Ok(());
    }
    if kind == Kind::Systemd && scope == Scope::User && runs(kind, Scope::System, around) {
        return Err(none(scope, around));
    }
    let other = self::kind(scope, around).ok();
    Err(Error::NoManager {
        why: what.to_owned(),
        advice: match other {
            Some(other) => format!("this machine is run by {other}: leave out `--manager`"),
            None => advice_without(around),
        },
    })
}

fn runs(kind: Kind, scope: Scope, around: &Surroundings) -> bool {
    let at = |path: &str| around.root.join(path.trim_start_matches('/'));
    match (kind, scope) {
        // sd_booted(3).
        (Kind::Systemd, Scope::System) => at("/run/systemd/system").is_dir(),
        (Kind::Systemd, Scope::User) => around
            .runtime
            .as_ref()
            .is_some_and(|runtime| runtime.join("systemd").is_dir()),
        (Kind::OpenRc, _) => at("/run/openrc").is_dir(),
        (Kind::Runit, Scope::System) => {
            first_process(around).is_some_and(|name| name == "runit") || runsvdir(around)
        }
        (Kind::Runit, Scope::User) => around.svdir.is_some() && runsvdir(around),
        (Kind::SysV, _) => at("/etc/init.d").is_dir() && at("/etc/inittab").is_file(),
        (Kind::Launchd | Kind::Scm, _) => false,
    }
}

/// What process 1 is called.
fn first_process(around: &Surroundings) -> Option<String> {
    let name = fs::read_to_string(around.root.join("proc/1/comm")).ok()?;
    Some(name.trim().to_owned())
}

/// Some runsvdir runs, perhaps under another init.
fn runsvdir(around: &Surroundings) -> bool {
    let processes = fs::read_dir(around.root.join("proc"))
        .into_iter()
        .flatten()
        .flatten();
    processes
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(|c: char| c.is_ascii_digit())
        })
        .any(|entry| {
            fs::read_to_string(entry.path().join("comm"))
                .is_ok_and(|name| name.trim() == "runsvdir")
        })
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// There is none: what there is, and what to do.
fn none(scope: Scope, around: &Surroundings) -> Error {
    if scope == Scope::User && runs(Kind::Systemd, Scope::System, around) {
        let why = match &around.runtime {
            None => {
                "this session has no XDG_RUNTIME_DIR, so no systemd of this user's own can be reached"
            }
            Some(_) => "no systemd of this user's own runs",
        };
        return Error::NoManager {
            why: why.to_owned(),
            advice: "log in anew (not by `su` or `sudo`), or as root `loginctl enable-linger USER` and \
                     `systemctl --user -M USER@ …`; without `--user` it becomes a service of the machine"
                .to_owned(),
        };
    }
    Error::NoManager {
        why: match container(around) {
            Some(what) => format!("this is a container ({what}), and none runs in it"),
            None => match first_process(around) {
                Some(name) => format!("process 1 is {name}, which is none that is known here"),
                None => "none is known on this system".to_owned(),
            },
        },
        advice: advice_without(around),
    }
}

fn advice_without(around: &Surroundings) -> String {
    if container(around).is_some() {
        "let abide be the container's program: `abide daemon FILE`".to_owned()
    } else {
        "`abide up` keeps programs running without one; `--manager KIND` names one that is to be used all the same"
            .to_owned()
    }
}

/// What this container is one of, if it is one.
fn container(around: &Surroundings) -> Option<String> {
    if let Some(name) = &around.container {
        return Some(name.clone());
    }
    let files = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    let found = files
        .iter()
        .find(|(path, _)| around.root.join(path.trim_start_matches('/')).exists());
    if let Some((_, name)) = found {
        return Some((*name).to_owned());
    }
    // The interface of containers that systemd describes, and what process 1 was told.
    let text = ["run/systemd/container", "run/host/container-manager"]
        .iter()
        .find_map(|path| fs::read_to_string(around.root.join(path)).ok())
        .or_else(|| {
            let environment = fs::read(around.root.join("proc/1/environ")).ok()?;
            let environment = String::from_utf8_lossy(&environment).into_owned();
            let mut variables = environment.split('\0');
            variables.find_map(|variable| variable.strip_prefix("container=").map(str::to_owned))
        })?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}
