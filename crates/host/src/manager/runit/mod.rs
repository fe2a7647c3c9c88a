//! runit: a service directory, a link to it where runsvdir looks, and `sv`.
//!
//! A service that is not to come up by itself has a file `down` in its directory: runsv is there for it, so that it can
//! be started by hand.

mod script;
mod stat;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::places::Places;
use super::{Exit, Scope, State, Status, whole_seconds};
use crate::plan::{Call, File, Link, Plan, below};
use crate::process::pause;
use crate::service::{Ready, Service, Start};
use crate::{Error, disk};
use stat::{Phase, Stat};

/// How long runsvdir may take to see a new service: it looks every five seconds.
const SEEN: Duration = Duration::from_secs(15);

/// How long a new runsv may take until `sv` can be heard.
const LOOK: Duration = Duration::from_millis(50);

fn directory(places: &Places, name: &str) -> PathBuf {
    places.definitions.join(name)
}

/// Service directory, log service, and the link.
pub(super) fn plan(service: &Service, scope: Scope, places: &Places) -> Plan {
    let at = directory(places, &service.name);
    let file = |path: &str, text: String, mode| File {
        path: at.join(path),
        text,
        mode,
    };
    let logs = match scope {
        Scope::System => PathBuf::from("/var/log").join(&service.name),
        Scope::User => at.join("log/main"),
    };
    let mut plan = Plan {
        files: vec![file("run", script::run(service), 0o755)],
        ..Plan::default()
    };
    match script::finish(service) {
        Some(text) => plan.files.push(file("finish", text, 0o755)),
        None => plan.removed.push(at.join("finish")),
    }
    plan.files
        .push(file("log/run", script::log(service, &logs), 0o755));
    plan.directories.push(logs);
    // Also for one that is to come up by itself: runsvdir is not to start it now.
    plan.files.push(file("down", String::new(), 0o644));
    if service.start.at_boot() {
        plan.afterwards.push(at.join("down"));
    }
    let link = Link {
        path: places.enabled.join(&service.name),
        target: at.clone(),
    };
    if service.start == Start::Disabled {
        plan.removed.push(link.path);
    } else {
        plan.links.push(link);
    }
    plan.notes = notes(service);
    plan
}

fn notes(service: &Service) -> Vec<String> {
    let mut notes = Vec::new();
    if service.start == Start::Delayed {
        notes.push("runit starts all services at once: it is not delayed");
    }
    if matches!(service.ready, Ready::Notify { .. }) {
        notes.push("runit does not listen to READY=1: a start waits until its program runs");
    }
    if service.watchdog.is_some() {
        notes.push("runit has no watchdog");
    }
    if service.stop_timeout.is_some() {
        notes.push("runit kills nothing that does not end: `sv force-stop` does");
    }
    if service.sandbox.is_some() {
        notes.push("runit has no sandbox");
    }
    notes.into_iter().map(ToOwned::to_owned).collect()
}

/// Waits until a runsv has it: that has seen the file `down`, and can be asked for a start.
pub(super) fn taken_up(places: &Places, service: &Service) -> Result<(), Error> {
    let at = directory(places, &service.name);
    if service.start == Start::Disabled || supervised(&at) {
        return Ok(());
    }
    let deadline = Instant::now() + SEEN;
    while !supervised(&at) {
        if Instant::now() >= deadline {
            return Err(Error::TimedOut {
                action: format!(
                    "runsvdir to see {}",
                    places.enabled.join(&service.name).display()
                ),
                within: SEEN,
                state: format!("does a runsvdir look at {}?", places.enabled.display()),
            });
        }
        pause(LOOK);
    }
    Ok(())
}

/// A runsv is there for it: somebody reads its control pipe.
fn supervised(at: &Path) -> bool {
    disk::has_reader(&at.join("supervise/ok"))
}

fn sv(within: Duration, verb: &str, at: &Path) -> Call {
    let wait = whole_seconds(within).max(1).to_string();
    Call::new(["sv", "-w", &wait, verb, &at.display().to_string()])
}

fn act(
    call: &Call,
    places: &Places,
    name: &str,
    verb: &str,
    within: Duration,
) -> Result<(), Error> {
    let at = directory(places, name);
    if !supervised(&at) {
        return Err(unseen(places, name, verb));
    }
    // `sv` itself ends when its time is over.
    let output = call.run(within + Duration::from_secs(2))?;
    if output.ok() {
        return Ok(());
    }
    let complaint = output.complaint();
    if super::denied(&complaint) || complaint.contains("access") {
        return Err(Error::AccessDenied {
            action: format!("{verb} {name}"),
            right: "root",
            how: "run it as root (`sudo`)".to_owned(),
        });
    }
    if complaint.starts_with("timeout:") || complaint.starts_with("kill:") {
        return Err(Error::TimedOut {
            action: format!("{verb} {name}"),
            within,
            state: complaint,
        });
    }
    Err(Error::NotUp {
        action: format!("{verb} {name}"),
        why: format!("{complaint}; its log is in /var/log/{name}"),
    })
}

fn unseen(places: &Places, name: &str, verb: &str) -> Error {
    let link = places.enabled.join(name);
    Error::NotUp {
        action: format!("{verb} {name}"),
        why: if fs::symlink_metadata(&link).is_ok() {
            format!(
                "no runsv runs for it; does a runsvdir look at {}?",
                places.enabled.display()
            )
        } else {
            format!("it is disabled: there is no {}", link.display())
        },
    }
}

/// Has it run.
pub(super) fn start(places: &Places, name: &str, within: Duration) -> Result<(), Error> {
    let at = directory(places, name);
    act(&sv(within, "start", &at), places, name, "start", within)
}

/// Has it end.
pub(super) fn stop(places: &Places, name: &str, within: Duration) -> Result<(), Error> {
    let at = directory(places, name);
    if !supervised(&at) {
        return Ok(());
    }
    act(&sv(within, "stop", &at), places, name, "stop", within)
}

/// Sends it HUP, which is what runit has for that.
pub(super) fn reload(places: &Places, name: &str, within: Duration) -> Result<(), Error> {
    let at = directory(places, name);
    act(&sv(within, "hup", &at), places, name, "reload", within)
}

/// With or without the file `down`; and linked, if it is to come up.
pub(super) fn enable(places: &Places, root: &Path, name: &str, enabled: bool) -> Result<(), Error> {
    let at = below(root, &directory(places, name));
    let down = at.join("down");
    if !enabled {
        return disk::replace(&down, b"", 0o644).map_err(|e| Error::file("write", &down, e));
    }
    let link = below(root, &places.enabled.join(name));
    if fs::symlink_metadata(&link).is_err() {
        disk::link(&directory(places, name), &link)
            .map_err(|e| Error::file("make the link", &link, e))?;
    }
    disk::remove_if_there(&down).map_err(|e| Error::file("remove", &down, e))
}

/// What runsv says, and what `finish` left.
pub(super) fn status(places: &Places, name: &str) -> Result<Status, Error> {
    let at = directory(places, name);
    if !at.join("run").exists() {
        return Ok(Status::not_installed());
    }
    let linked = fs::symlink_metadata(places.enabled.join(name)).is_ok();
    let enabled = linked && !at.join("down").exists();
    let stat = supervised(&at).then(|| Stat::read(&at)).flatten();
    let failed = fs::read_to_string(at.join("failed")).ok();
    let exit = failed.as_deref().and_then(exit);
    let (state, detail) = match stat {
        None if linked => (State::Stopped, Some("no runsv runs for it".to_owned())),
        None => (
            State::Stopped,
            Some("it is not linked, so nothing runs it".to_owned()),
        ),
        Some(stat) => match stat.phase {
            Phase::Run if stat.got_term || !stat.wanted => (State::Stopping, None),
            Phase::Run => (State::Running, None),
            Phase::Finish if stat.wanted => (
                State::Starting,
                Some("it ended; its finish script runs".to_owned()),
            ),
            Phase::Finish => (State::Stopping, Some("its finish script runs".to_owned())),
            Phase::Down if stat.wanted => (
                State::Starting,
                Some("it ended, and is about to be started again".to_owned()),
            ),
            Phase::Down if failed.is_some() => {
                (State::Failed, Some("it ended with an error".to_owned()))
            }
            Phase::Down => (State::Stopped, None),
        },
    };
    let running = matches!(state, State::Running | State::Stopping);
    Ok(Status {
        state,
        pid: stat.and_then(|stat| stat.pid).filter(|_| running),
        exit: exit.filter(|_| !running),
        enabled,
        detail,
    })
}

/// What `finish` was given: an exit code, or -1 and the signal.
fn exit(text: &str) -> Option<Exit> {
    let (code, status) = text.trim().split_once(' ')?;
    match code.parse().ok()? {
        -1 => status.parse().ok().map(Exit::Signal),
        code => Some(Exit::Code(code)),
    }
}

/// Unlinks it, has its runsv end, and removes its directory; its logs stay.
pub(super) fn remove(
    places: &Places,
    root: &Path,
    running: bool,
    name: &str,
    within: Duration,
) -> Result<(), Error> {
    let link = below(root, &places.enabled.join(name));
    // Before runsv is asked to end: runsvdir would start it again.
    disk::remove_if_there(&link).map_err(|e| Error::file("remove", &link, e))?;
    let at = below(root, &directory(places, name));
    if running && supervised(&at) {
        let deadline = Instant::now() + within;
        sv(within, "exit", &at).run(within + Duration::from_secs(2))?;
        while supervised(&at) || disk::has_reader(&at.join("log/supervise/ok")) {
            if Instant::now() >= deadline {
                return Err(Error::TimedOut {
                    action: format!("the runsv of {name} to end"),
                    within,
                    state: String::new(),
                });
            }
            pause(LOOK);
        }
    }
    match fs::remove_dir_all(&at) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", &at, e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finish_was_told_is_an_exit() {
        assert_eq!(exit("3 0\n"), Some(Exit::Code(3)));
        assert_eq!(exit("-1 9\n"), Some(Exit::Signal(9)));
        assert_eq!(exit(""), None);
    }
}
