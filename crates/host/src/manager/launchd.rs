//! launchd of macOS: a property list, and `launchctl`. Its text is tested; it has never run on a Mac.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::places::Places;
use super::{ANSWER, Scope, State, Status, mark, whole_seconds};
use crate::plan::{Call, File, Plan, below};
use crate::service::{Ready, Restart, Service, Start};
use crate::{Error, disk};

/// Where a service lives in launchd's own words.
fn domain(scope: Scope) -> String {
    match scope {
        Scope::System => "system".to_owned(),
        Scope::User => format!("gui/{}", crate::process::user()),
    }
}

fn target(scope: Scope, name: &str) -> String {
    format!("{}/{name}", domain(scope))
}

/// The property list. It is known to launchd from the next boot on, or from a start.
pub(super) fn plan(service: &Service, scope: Scope, places: &Places) -> Plan {
    Plan {
        files: vec![File {
            path: places.definitions.join(format!("{}.plist", service.name)),
            text: text(service, &logs(scope, places)),
            mode: 0o644,
        }],
        notes: notes(service),
        ..Plan::default()
    }
}

/// Where output goes that nobody has said a file for. A user may not write to the machine's.
fn logs(scope: Scope, places: &Places) -> PathBuf {
    match (scope, places.definitions.parent()) {
        (Scope::User, Some(library)) => library.join("Logs"),
        _ => "/var/log".into(),
    }
}

/// What has it started again: nothing that was not to come up by itself, for launchd starts at boot what it keeps alive.
fn restart(service: &Service) -> Restart {
    if service.start.at_boot() {
        service.restart
    } else {
        Restart::Never
    }
}

/// launchd.plist(5).
fn text(service: &Service, logs: &Path) -> String {
    let mut list = List(String::new());
    list.string("Label", &service.name);
    let program = service.program.to_string_lossy();
    list.strings(
        "ProgramArguments",
        std::iter::once(&*program).chain(service.arguments.iter().map(String::as_str)),
    );
    list.flag("RunAtLoad", service.start.at_boot());
    if service.start == Start::Disabled {
        list.flag("Disabled", true);
    }
    match restart(service) {
        Restart::Never => list.flag("KeepAlive", false),
        Restart::Always => list.flag("KeepAlive", true),
        Restart::OnFailure | Restart::OnAbnormal => {
            list.raw(
                "KeepAlive",
                "<dict>\n\t\t<key>SuccessfulExit</key>\n\t\t<false/>\n\t</dict>",
            );
        }
    }
    list.number("ThrottleInterval", whole_seconds(service.restart_delay));
    if let Some(time) = service.stop_timeout {
        list.number("ExitTimeOut", whole_seconds(time));
    }
    if let Some(directory) = &service.directory {
        list.string("WorkingDirectory", &directory.to_string_lossy());
    }
    if !service.environment.is_empty() {
        let mut dict = String::from("<dict>\n");
        for (name, value) in &service.environment {
            // Writing to a String cannot fail.
            let _ = writeln!(
                dict,
                "\t\t<key>{}</key>\n\t\t<string>{}</string>",
                xml(name),
                xml(value)
            );
        }
        dict.push_str("\t</dict>");
        list.raw("EnvironmentVariables", &dict);
    }
    if let Some(user) = &service.user {
        list.string("UserName", user);
    }
    if let Some(group) = &service.group {
        list.string("GroupName", group);
    }
    let log = service
        .log_file
        .clone()
        .unwrap_or_else(|| format!("{}/{}.log", logs.display(), service.name).into());
    list.string("StandardOutPath", &log.to_string_lossy());
    list.string("StandardErrorPath", &log.to_string_lossy());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- {} -->\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n{}</dict>\n</plist>\n",
        mark(&service.name).replace("--", "- -"),
        list.0
    )
}

struct List(String);

impl List {
    fn raw(&mut self, key: &str, value: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "\t<key>{key}</key>\n\t{value}");
    }

    fn string(&mut self, key: &str, value: &str) {
        self.raw(key, &format!("<string>{}</string>", xml(value)));
    }

    fn strings<'a>(&mut self, key: &str, values: impl Iterator<Item = &'a str>) {
        let all: String = values
            .map(|value| format!("\t\t<string>{}</string>\n", xml(value)))
            .collect();
        self.raw(key, &format!("<array>\n{all}\t</array>"));
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.raw(key, if value { "<true/>" } else { "<false/>" });
    }

    fn number(&mut self, key: &str, value: u64) {
        self.raw(key, &format!("<integer>{value}</integer>"));
    }
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn notes(service: &Service) -> Vec<String> {
    let mut notes = Vec::new();
    if service.start == Start::Delayed {
        notes.push("launchd delays nothing: it is started with the others");
    }
    if restart(service) != service.restart {
        notes.push(
            "launchd starts at boot what it starts again after a failure: this one, which only you start, it does not",
        );
    }
    if !service.dependencies.is_empty() {
        notes.push("launchd knows no dependencies: it is started with the others");
    }
    if matches!(service.ready, Ready::Notify { .. }) {
        notes.push("it does not listen to READY=1: a start waits until its program runs");
    }
    if service.watchdog.is_some() {
        notes.push("it has no watchdog");
    }
    if service.sandbox.is_some() {
        notes.push("its sandbox is described otherwise, and left out");
    }
    notes.into_iter().map(ToOwned::to_owned).collect()
}

/// Has launchd know it, and run it.
pub(super) fn start(
    scope: Scope,
    places: &Places,
    name: &str,
    within: Duration,
) -> Result<(), Error> {
    let file = places
        .definitions
        .join(format!("{name}.plist"))
        .display()
        .to_string();
    // It says no if it knows it already.
    let _ = Call::new(["launchctl", "bootstrap", &domain(scope), &file]).run(within)?;
    super::act(
        &Call::new(["launchctl", "kickstart", &target(scope, name)]),
        within,
    )
}

/// Has launchd end and forget it until the next start or boot.
pub(super) fn stop(scope: Scope, name: &str, within: Duration) -> Result<(), Error> {
    let output = Call::new(["launchctl", "bootout", &target(scope, name)]).run(within)?;
    // 3: no such process, it is not known.
    if output.ok() || output.code == Some(3) {
        return Ok(());
    }
    Err(Error::Failed {
        command: format!("launchctl bootout {}", target(scope, name)),
        output: output.complaint(),
    })
}

/// Whether it is loaded at boot.
pub(super) fn enable(scope: Scope, name: &str, enabled: bool) -> Result<(), Error> {
    let verb = if enabled { "enable" } else { "disable" };
    super::act(
        &Call::new(["launchctl", verb, &target(scope, name)]),
        ANSWER,
    )
}

/// What `launchctl print` says: `state = running`, `pid = 77`.
pub(super) fn status(scope: Scope, places: &Places, name: &str) -> Result<Status, Error> {
    if !places.definitions.join(format!("{name}.plist")).exists() {
        return Ok(Status::not_installed());
    }
    let output = Call::new(["launchctl", "print", &target(scope, name)]).run(ANSWER)?;
    Ok(parse(if output.ok() { &output.out } else { "" }))
}

fn parse(text: &str) -> Status {
    let get = |key: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.trim().split_once(" = ")?;
            (name == key).then(|| value.trim().to_owned())
        })
    };
    let pid = get("pid").and_then(|pid| pid.parse().ok());
    Status {
        state: if get("state").as_deref() == Some("running") {
            State::Running
        } else {
            State::Stopped
        },
        pid,
        exit: get("last exit code")
            .and_then(|code| code.parse().ok())
            .map(super::Exit::Code),
        enabled: !text.is_empty(),
        detail: None,
    }
}

/// Removes the property list. It is stopped, so launchd has forgotten it.
pub(super) fn remove(_scope: Scope, places: &Places, root: &Path, name: &str) -> Result<(), Error> {
    let path = below(root, &places.definitions.join(format!("{name}.plist")));
    disk::remove_if_there(&path).map_err(|e| Error::file("remove", &path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_launchctl_prints_is_read() {
        let status =
            parse("system/web = {\n\tstate = running\n\tpid = 77\n\tlast exit code = 0\n}\n");
        assert_eq!((status.state, status.pid), (State::Running, Some(77)));
        assert_eq!(parse("").state, State::Stopped);
    }

    fn planned(scope: Scope, change: impl Fn(&mut Service)) -> (String, Vec<String>) {
        let around = super::super::Surroundings {
            home: Some("/Users/bob".into()),
            ..super::super::Surroundings::of_this_process()
        };
        let places = Places::find(super::super::Kind::Launchd, scope, &around).expect("places");
        let mut service = Service::new("web", "/usr/bin/web");
        change(&mut service);
        let plan = plan(&service, scope, &places);
        // Windows puts paths together otherwise.
        (plan.files[0].text.replace('\\', "/"), plan.notes)
    }

    /// launchd.plist(5): "the use of this key implicitly implies RunAtLoad".
    #[test]
    fn what_is_not_to_come_up_by_itself_is_not_kept_alive() {
        for start in [Start::Manual, Start::Disabled] {
            let (text, notes) = planned(Scope::System, |service| service.start = start);
            assert!(text.contains("<key>KeepAlive</key>\n\t<false/>"), "{text}");
            assert!(
                notes.iter().any(|note| note.contains("after a failure")),
                "{notes:?}"
            );
        }
        let (text, notes) = planned(Scope::System, |_| {});
        assert!(text.contains("<key>SuccessfulExit</key>"), "{text}");
        assert_eq!(notes, [""; 0]);
    }

    #[test]
    fn what_a_users_service_says_goes_where_that_user_may_write() {
        let (text, _) = planned(Scope::User, |_| {});
        assert!(
            text.contains("<string>/Users/bob/Library/Logs/web.log</string>"),
            "{text}"
        );
        let (text, _) = planned(Scope::System, |_| {});
        assert!(text.contains("<string>/var/log/web.log</string>"), "{text}");
    }
}
