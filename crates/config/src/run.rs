//! A unit given on a command line, written as a configuration file.

use std::path::PathBuf;
use std::time::Duration;

use abide_model::{ProbeKind, Restart, Signal, UnitName};

use crate::values::{Value as _, show_text, show_texts};

/// What `abide run` takes.
#[derive(Clone, PartialEq, Debug)]
pub struct RunOptions {
    /// Full name, without an instance.
    pub name: UnitName,
    /// One line for people.
    pub description: Option<String>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Working directory, absolute.
    pub directory: PathBuf,
    /// Variables, later ones win.
    pub environment: Vec<(String, String)>,
    /// Files of variables, absolute.
    pub environment_file: Vec<PathBuf>,
    /// Restart policy, if not the default.
    pub restart: Option<Restart>,
    /// Run as this user.
    pub user: Option<String>,
    /// The file with the password that the user logs on with, absolute.
    pub password_file: Option<PathBuf>,
    /// Run with this group.
    pub group: Option<String>,
    /// The signal that asks it to stop.
    pub stop_signal: Option<Signal>,
    /// How long a stop may take.
    pub stop_within: Option<Duration>,
    /// Number of instances, if not one.
    pub instances: Option<u32>,
    /// How to find out that it is ready.
    pub ready: Option<ProbeKind>,
    /// It owes a beat in this interval.
    pub heartbeat: Option<Duration>,
}

impl RunOptions {
    /// Just a command in a directory.
    #[must_use]
    pub fn new(name: UnitName, command: Vec<String>, directory: PathBuf) -> Self {
        Self {
            name,
            description: None,
            command,
            directory,
            environment: Vec::new(),
            environment_file: Vec::new(),
            restart: None,
            user: None,
            password_file: None,
            group: None,
            stop_signal: None,
            stop_within: None,
            instances: None,
            ready: None,
            heartbeat: None,
        }
    }
}

/// The text of a file with this one unit, below a line that says who wrote it; reading it back gives the same
/// unit.
#[must_use]
pub fn render_run(options: &RunOptions, written_by: &str) -> String {
    let mut text = format!("# {written_by}\n");
    let mut line = |key: &str, value: String| text.extend([key, " = ", &value, "\n"]);
    if let Some(group) = options.name.group() {
        line("group", group.to_owned().show());
    }
    let mut text = format!("{text}\n[service.{}]\n", show_text(options.name.base()));
    let mut line = |key: &str, value: String| text.extend([key, " = ", &value, "\n"]);
    if let Some(description) = &options.description {
        line("description", description.show());
    }
    line(
        "command",
        show_texts(options.command.iter().map(String::as_str)),
    );
    line(
        "directory",
        options.directory.to_string_lossy().into_owned().show(),
    );
    if let Some(restart) = &options.restart {
        line("restart", restart.show());
    }
    if let Some(user) = &options.user {
        line("user", user.show());
    }
    if let Some(file) = &options.password_file {
        line("password_file", file.to_string_lossy().into_owned().show());
    }
    if let Some(group) = &options.group {
        line("group", group.show());
    }
    if let Some(instances) = options.instances {
        line("instances", instances.to_string());
    }
    let stop: Vec<String> = [
        options
            .stop_signal
            .as_ref()
            .map(|signal| format!("signal = {}", signal.show())),
        options
            .stop_within
            .as_ref()
            .map(|within| format!("within = {}", within.show())),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !stop.is_empty() {
        line("stop", format!("{{ {} }}", stop.join(", ")));
    }
    if let Some(ready) = &options.ready {
        let (how, value) = match ready {
            ProbeKind::Tcp(address) => ("tcp", show_text(address)),
            ProbeKind::Http(probe) => ("http", show_text(&probe.url)),
            ProbeKind::Exec(command) => ("exec", show_texts(command.iter().map(String::as_str))),
            ProbeKind::File(path) => ("file", show_text(&path.to_string_lossy())),
            ProbeKind::Notify => ("notify", "true".into()),
            ProbeKind::Fd(number) => ("fd", number.to_string()),
            ProbeKind::Log(pattern) => ("log", show_text(pattern)),
        };
        line("ready", format!("{{ {how} = {value} }}"));
    }
    if let Some(every) = &options.heartbeat {
        line("heartbeat", format!("{{ every = {} }}", every.show()));
    }
    if !options.environment_file.is_empty() {
        // A path that begins with `-` would be taken as one that may be missing; an absolute one never does.
        let files = options
            .environment_file
            .iter()
            .map(|file| file.to_string_lossy().into_owned());
        let files: Vec<String> = files.collect();
        line(
            "environment_file",
            show_texts(files.iter().map(String::as_str)),
        );
    }
    if !options.environment.is_empty() {
        text.push_str("\n[service.");
        text.push_str(&show_text(options.name.base()));
        text.push_str(".environment]\n");
        for (at, (name, value)) in options.environment.iter().enumerate() {
            // A later one of the same name wins, and a key may be there only once.
            if !options.environment[at + 1..]
                .iter()
                .any(|(later, _)| later == name)
            {
                text.extend([show_text(name).as_str(), " = ", &show_text(value), "\n"]);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caller, parse};

    #[test]
    fn checks_and_beats_are_read_back_as_they_were_given() {
        let own = std::env::current_exe().expect("this is a program");
        let (own, folder) = (own.display().to_string(), std::env::temp_dir());
        for probe in [
            ProbeKind::Tcp("127.0.0.1:80".into()),
            ProbeKind::Http(abide_model::HttpProbe::get("http://127.0.0.1:80/\"x")),
            ProbeKind::Exec(vec![own.clone(), "a b".into()]),
            ProbeKind::File(folder.join("x y")),
            ProbeKind::Notify,
            ProbeKind::Fd(3),
            ProbeKind::Log(r#"^listening on "\w+" \d$"#.into()),
        ] {
            let name = "web".parse().expect("a name");
            let mut options = RunOptions::new(name, vec![own.clone()], folder.clone());
            options.ready = Some(probe.clone());
            options.heartbeat = Some(Duration::from_secs(5));
            let text = render_run(&options, "a test");
            let document = parse(&text, "/x.toml".as_ref(), &Caller::default());
            let document = document.unwrap_or_else(|mistakes| panic!("{text}{mistakes}"));
            let policy = &document.units[0].spec.policy;
            assert_eq!(
                policy.ready.as_ref().map(|ready| &ready.probe),
                Some(&probe)
            );
            let every = policy.heartbeat.as_ref().map(|heartbeat| heartbeat.every);
            assert_eq!(every, Some(Duration::from_secs(5)));
        }
    }
}
