//! OpenRC: a script in `/etc/init.d`, a link in the default runlevel, `rc-service`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::places::Places;
use super::{ANSWER, Kind, State, Status, denied, mark, whole_seconds};
use crate::plan::{Call, File, Link, Plan, below};
use crate::service::{Ready, Restart, Service, Start};
use crate::{Error, disk, shell};

/// The script, and the link that has it started at boot.
pub(super) fn plan(service: &Service, places: &Places) -> Plan {
    let path = places.definitions.join(&service.name);
    let link = Link {
        path: places.enabled.join(&service.name),
        target: path.clone(),
    };
    let mut plan = Plan {
        files: vec![File {
            path,
            text: script(service),
            mode: 0o755,
        }],
        notes: notes(service),
        ..Plan::default()
    };
    if service.start.at_boot() {
        plan.links.push(link);
    } else {
        plan.removed.push(link.path);
    }
    plan
}

/// openrc-run(8), supervise-daemon(8).
fn script(service: &Service) -> String {
    let mut text = format!("#!/sbin/openrc-run\n# {}\n\n", mark(&service.name));
    let mut set = |name: &str, value: &str| {
        // Writing to a String cannot fail; the same below.
        let _ = writeln!(text, "{name}={}", shell::quote(value));
    };
    set(
        "name",
        service.display_name.as_deref().unwrap_or(&service.name),
    );
    set("description", &service.title());
    set("command", &service.program.to_string_lossy());
    // Read a second time, by the `eval` of openrc's own scripts.
    set(
        "command_args",
        &shell::line(service.arguments.iter().map(String::as_str)),
    );
    match (&service.user, &service.group) {
        (Some(user), Some(group)) => set("command_user", &format!("{user}:{group}")),
        (Some(user), None) => set("command_user", user),
        (None, Some(group)) => set("command_user", &format!("root:{group}")),
        (None, None) => {}
    }
    if let Some(directory) = &service.directory {
        set("directory", &directory.to_string_lossy());
    }
    let log = service
        .log_file
        .clone()
        .unwrap_or_else(|| format!("/var/log/{}.log", service.name).into());
    set("output_log", &log.to_string_lossy());
    set("error_log", &log.to_string_lossy());
    if service.restart == Restart::Never {
        set("command_background", "yes");
        set("pidfile", &format!("/run/{}.pid", service.name));
    } else {
        set("supervisor", "supervise-daemon");
        set(
            "respawn_delay",
            &whole_seconds(service.restart_delay).to_string(),
        );
        set("respawn_max", "0");
    }
    if let Some(time) = service.stop_timeout {
        set(
            "retry",
            &format!("TERM/{}/KILL/5", whole_seconds(time).max(1)),
        );
    }
    for (name, value) in &service.environment {
        let _ = writeln!(text, "export {name}={}", shell::quote(value));
    }
    text.push_str("\ndepend() {\n\tuse net logger\n");
    if !service.dependencies.is_empty() {
        let _ = writeln!(
            text,
            "\tneed {}",
            shell::line(service.dependencies.iter().map(String::as_str))
        );
    }
    text.push_str("}\n");
    if let Some(signal) = &service.reload_signal {
        let tool = if service.restart == Restart::Never {
            "start-stop-daemon --pidfile \"$pidfile\""
        } else {
            "supervise-daemon \"$RC_SVCNAME\""
        };
        let _ = write!(
            text,
            "\nextra_started_commands=reload\n\nreload() {{\n\tebegin \"Reloading $RC_SVCNAME\"\n\t\
             {tool} --signal {signal}\n\teend $?\n}}\n"
        );
    }
    text
}

fn notes(service: &Service) -> Vec<String> {
    let mut notes = Vec::new();
    if service.start == Start::Delayed {
        notes.push("OpenRC delays nothing: it is started with the others");
    }
    if matches!(service.ready, Ready::Notify { .. }) {
        notes.push("it does not listen to READY=1: a start waits until its program runs");
    }
    if service.watchdog.is_some() {
        notes.push("it has no watchdog");
    }
    if matches!(service.restart, Restart::OnAbnormal | Restart::OnFailure) {
        notes.push(
            "supervise-daemon cannot tell how a program ended: it is started again after every end",
        );
    }
    if service.sandbox.is_some() {
        notes.push("it has no sandbox");
    }
    notes.into_iter().map(ToOwned::to_owned).collect()
}

/// `start`, `stop`.
pub(super) fn act(name: &str, verb: &str, within: Duration) -> Result<(), Error> {
    let output = Call::new(["rc-service", name, verb]).run(within)?;
    if output.ok() {
        return Ok(());
    }
    let complaint = output.complaint();
    if denied(&complaint) {
        return Err(Error::AccessDenied {
            action: format!("{verb} {name}"),
            right: "root",
            how: "run it as root (`sudo`)".to_owned(),
        });
    }
    Err(Error::NotUp {
        action: format!("{verb} {name}"),
        why: complaint,
    })
}

/// Its script's `reload`, if it has one.
pub(super) fn reload(places: &Places, name: &str, within: Duration) -> Result<(), Error> {
    let script = places.definitions.join(name);
    let text = std::fs::read_to_string(&script).map_err(|e| Error::file("read", &script, e))?;
    if !text.contains("reload()") {
        return Err(Error::Unsupported {
            what: format!("reload {name}"),
            manager: Kind::OpenRc,
            why: format!("{} has no reload", script.display()),
        });
    }
    act(name, "reload", within)
}

/// With or without the link in the default runlevel, as `rc-update` does.
pub(super) fn enable(places: &Places, root: &Path, name: &str, enabled: bool) -> Result<(), Error> {
    let link = below(root, &places.enabled.join(name));
    disk::remove_if_there(&link).map_err(|e| Error::file("remove", &link, e))?;
    if !enabled {
        return Ok(());
    }
    disk::link(&places.definitions.join(name), &link)
        .map_err(|e| Error::file("make the link", &link, e))
}

/// What `rc-service NAME status` says: 0 started, 3 stopped, 8 starting, 32 crashed (openrc-run's `status`, rc.h).
pub(super) fn status(places: &Places, name: &str) -> Result<Status, Error> {
    if !places.definitions.join(name).exists() {
        return Ok(Status::not_installed());
    }
    let output = Call::new(["rc-service", name, "status"]).run(ANSWER)?;
    let state = match output.code {
        Some(0) => State::Running,
        Some(3) => State::Stopped,
        Some(4) => State::Stopping,
        Some(8) => State::Starting,
        Some(32) => State::Failed,
        _ => {
            return Err(Error::Unsupported {
                what: format!("read the status of {name}"),
                manager: Kind::OpenRc,
                why: output.complaint(),
            });
        }
    };
    Ok(Status {
        state,
        pid: None,
        exit: None,
        enabled: std::fs::symlink_metadata(places.enabled.join(name)).is_ok(),
        detail: None,
    })
}

/// Removes script and link.
pub(super) fn remove(places: &Places, root: &Path, name: &str) -> Result<(), Error> {
    for path in [places.enabled.join(name), places.definitions.join(name)] {
        let path = below(root, &path);
        disk::remove_if_there(&path).map_err(|e| Error::file("remove", &path, e))?;
    }
    Ok(())
}
