//! A unit given on a command line, written as a configuration file.

use std::path::PathBuf;
use std::time::Duration;

use abide_model::{Restart, Signal, UnitName};

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
    /// Run with this group.
    pub group: Option<String>,
    /// The signal that asks it to stop.
    pub stop_signal: Option<Signal>,
    /// How long a stop may take.
    pub stop_within: Option<Duration>,
    /// Number of instances, if not one.
    pub instances: Option<u32>,
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
            group: None,
            stop_signal: None,
            stop_within: None,
            instances: None,
        }
    }
}

/// The text of a file with this one unit; reading it back gives the same unit.
#[must_use]
pub fn render_run(options: &RunOptions) -> String {
    let mut text = String::from("# Written by `abide run`; `abide remove` takes it away.\n");
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
