//! A unit given on a command line, written as a configuration file.

use std::path::PathBuf;
use std::time::Duration;

use abide_model::{Restart, Signal, UnitName};

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
    let _ = options;
    String::new()
}
