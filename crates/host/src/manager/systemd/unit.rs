//! The text of a unit file.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::quote::{At, value, word};
use super::sandbox;
use crate::manager::{Scope, mark, seconds};
use crate::service::{NotifyFrom, Ready, Restart, Service, Start, StopTo};

/// What has a unit started at boot.
pub(super) fn wanted_by(scope: Scope) -> &'static str {
    match scope {
        Scope::System => "multi-user.target",
        Scope::User => "default.target",
    }
}

/// A name as systemd's own settings want it.
fn unit_name(dependency: &str) -> String {
    const SUFFIXES: [&str; 8] = [
        ".service", ".socket", ".target", ".device", ".mount", ".path", ".timer", ".slice",
    ];
    if SUFFIXES.iter().any(|suffix| dependency.ends_with(suffix)) {
        dependency.to_owned()
    } else {
        format!("{dependency}.service")
    }
}

struct Text(String);

impl Text {
    fn section(&mut self, name: &str) {
        // Writing to a String cannot fail; the same below.
        let _ = writeln!(self.0, "\n[{name}]");
    }

    fn set(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "{key}={value}");
    }

    fn time(&mut self, key: &str, time: Option<Duration>) {
        if let Some(time) = time {
            self.set(key, &seconds(time));
        }
    }
}

/// The whole unit file.
pub(super) fn text(service: &Service, scope: Scope) -> String {
    let mut text = Text(format!("# {}\n", mark(&service.name)));
    unit(&mut text, service, scope);
    command(&mut text, service);
    supervision(&mut text, service);
    if let Some(sandbox) = &service.sandbox {
        sandbox::settings(sandbox, service, scope, &mut |key, value| {
            text.set(key, value)
        });
    }
    text.section("Install");
    text.set("WantedBy", wanted_by(scope));
    text.0
}

fn unit(text: &mut Text, service: &Service, scope: Scope) {
    text.section("Unit");
    text.set("Description", &value(&service.title()));
    let needs: Vec<String> = service
        .dependencies
        .iter()
        .map(|name| unit_name(name))
        .collect();
    let mut after = needs.clone();
    if scope == Scope::System {
        after.insert(0, "network.target".to_owned());
        if service.start == Start::Delayed {
            after.insert(1, wanted_by(scope).to_owned());
        }
    }
    if !needs.is_empty() {
        text.set("Requires", &needs.join(" "));
    }
    if !after.is_empty() {
        text.set("After", &after.join(" "));
    }
    if service.start == Start::Disabled {
        text.set("RefuseManualStart", "yes");
    }
}

fn command(text: &mut Text, service: &Service) {
    text.section("Service");
    match service.ready {
        Ready::Executed => text.set("Type", "exec"),
        Ready::Notify { from } => {
            text.set("Type", "notify");
            text.set(
                "NotifyAccess",
                match from {
                    NotifyFrom::Main => "main",
                    NotifyFrom::All => "all",
                },
            );
        }
    }
    let mut line = word(&path(&service.program), At::Program);
    for argument in &service.arguments {
        line.push(' ');
        line.push_str(&word(argument, At::Argument));
    }
    text.set("ExecStart", &line);
    if let Some(signal) = &service.reload_signal {
        text.set("ExecReload", &format!("/bin/kill -s {signal} $MAINPID"));
    }
    if let Some(directory) = &service.directory {
        text.set("WorkingDirectory", &value(&path(directory)));
    }
    for (name, value) in &service.environment {
        text.set("Environment", &word(&format!("{name}={value}"), At::List));
    }
    if let Some(user) = &service.user {
        text.set("User", user);
    }
    if let Some(group) = &service.group {
        text.set("Group", group);
    }
}

fn supervision(text: &mut Text, service: &Service) {
    text.set(
        "Restart",
        match service.restart {
            Restart::Never => "no",
            Restart::OnAbnormal => "on-abnormal",
            Restart::OnFailure => "on-failure",
            Restart::Always => "always",
        },
    );
    if service.restart != Restart::Never {
        text.set("RestartSec", &seconds(service.restart_delay));
    }
    text.time("TimeoutStartSec", service.start_timeout);
    text.time("TimeoutStopSec", service.stop_timeout);
    text.time("WatchdogSec", service.watchdog);
    if service.stop_to == StopTo::Main {
        text.set("KillMode", "mixed");
    }
    if service.delegate {
        text.set("Delegate", "yes");
        // One program that is out of memory is its supervisor's business, and no reason to end all others.
        text.set("OOMPolicy", "continue");
        text.set("TasksMax", "infinity");
    }
}

/// Checked to be text before.
fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
