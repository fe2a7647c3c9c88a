//! The init script (Linux Standard Base 5, "System Initialization").

use std::fmt::Write as _;

use crate::manager::{mark, whole_seconds};
use crate::service::{Service, StopTo};
use crate::shell;

/// What is the same in all of them.
const BODY: &str = include_str!("script.sh");

/// How long an end is waited for where nothing is said.
const STOP_WITHIN: u64 = 30;

/// The whole script.
pub(super) fn text(service: &Service) -> String {
    let name = &service.name;
    let mut text = format!("#!/bin/sh\n# {}\n", mark(name));
    header(&mut text, service);
    let program = service.program.to_string_lossy();
    let log = service
        .log_file
        .clone()
        .unwrap_or_else(|| format!("/var/log/{name}.log").into());
    let within = service
        .stop_timeout
        .map_or(STOP_WITHIN, whole_seconds)
        .max(1);
    // Writing to a String cannot fail; the same below.
    let mut set = |key: &str, value: &str| {
        let _ = writeln!(text, "{key}={}", shell::quote(value));
    };
    set("NAME", name);
    set("PROGRAM", &program);
    set("PIDFILE", &format!("/var/run/{name}.pid"));
    set("LOG", &log.to_string_lossy());
    set("STOP_WITHIN", &within.to_string());
    set(
        "RELOADS",
        if service.reload_signal.is_some() {
            "yes"
        } else {
            "no"
        },
    );
    launch(&mut text, service);
    let whom = match service.stop_to {
        StopTo::All => "-\"$1\"",
        StopTo::Main => "\"$1\"",
    };
    let _ = writeln!(text, "\nask() {{\n\tkill -TERM {whom}\n}}");
    let reload = match &service.reload_signal {
        Some(signal) => format!("\tpid=$(running) || return 7\n\tkill -{signal} \"$pid\""),
        None => "\techo \"$NAME cannot be reloaded\" >&2\n\treturn 3".to_owned(),
    };
    let _ = writeln!(text, "\nreload() {{\n{reload}\n}}\n");
    text.push_str(BODY);
    text
}

fn header(text: &mut String, service: &Service) {
    let mut needs = String::from("$remote_fs $syslog $network");
    for dependency in &service.dependencies {
        needs.push(' ');
        needs.push_str(dependency);
    }
    let lines = [
        ("Provides", service.name.as_str()),
        ("Required-Start", &needs),
        ("Required-Stop", &needs),
        ("Default-Start", "2 3 4 5"),
        ("Default-Stop", "0 1 6"),
        (
            "Short-Description",
            service.display_name.as_deref().unwrap_or(&service.name),
        ),
        ("Description", &service.title()),
    ];
    text.push_str("### BEGIN INIT INFO\n");
    for (key, value) in lines {
        let _ = writeln!(text, "# {:<19}{value}", format!("{key}:"));
    }
    text.push_str("### END INIT INFO\n\n");
}

/// In a session of its own; the process that becomes the program writes its number down.
fn launch(text: &mut String, service: &Service) {
    text.push_str("\nlaunch() {\n\t(\n");
    for (name, value) in &service.environment {
        let _ = writeln!(text, "\t\texport {name}={}", shell::quote(value));
    }
    let directory = service
        .directory
        .as_ref()
        .map_or("/".into(), |path| path.to_string_lossy());
    let _ = writeln!(text, "\t\tcd {} || exit 1", shell::quote(&directory));
    let mut words: Vec<String> = Vec::new();
    if service.user.is_some() || service.group.is_some() {
        let user = service.user.as_deref().unwrap_or("root");
        words.push("setpriv".into());
        words.push(format!("--reuid={user}"));
        match &service.group {
            Some(group) => words.push(format!("--regid={group}")),
            // That of the account, which setpriv does not look up.
            None => words.push(format!("--regid=$(id -g {})", shell::quote(user))),
        }
        words.push("--init-groups".into());
    }
    let account: String = words.into_iter().map(|word| word + " ").collect();
    let program = service.program.to_string_lossy();
    let line =
        shell::line(std::iter::once(&*program).chain(service.arguments.iter().map(String::as_str)));
    let _ = writeln!(
        text,
        "\t\texec setsid sh -c 'echo $$ >\"$0\"; exec \"$@\"' \"$PIDFILE\" \\\n\t\t\t{account}{line}\n\t) \
         </dev/null >>\"$LOG\" 2>&1 &\n}}"
    );
}
