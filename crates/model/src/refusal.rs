//! Why a request is not done: one enum, in the user's words, mapped to exit codes and HTTP statuses
//! in one place each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::UnitName;

/// A request that was understood and is not done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No unit of that name, or none that the pattern matches.
    NoSuchUnit(String),
    /// `run --name` on a taken name.
    NameTaken(UnitName),
    /// Two sources claim one unit.
    OwnedByOther {
        /// Which unit.
        unit: UnitName,
        /// Which file has it.
        source: String,
    },
    /// Dependencies in a circle.
    Cycle(Vec<UnitName>),
    /// A dependency that does not exist.
    NoSuchDependency {
        /// Who names it.
        unit: UnitName,
        /// What is named.
        dependency: UnitName,
    },
    /// Removing it would leave others without what they require.
    RequiredBy {
        /// What was to go.
        unit: UnitName,
        /// Who requires it.
        by: Vec<UnitName>,
    },
    /// The unit does not run, so there is nothing to signal.
    NotRunning(UnitName),
    /// The unit does not say how to read its configuration again.
    NoReload(UnitName),
    /// The unit owes no beats.
    NoHeartbeat(UnitName),
    /// The unit is being stopped: its beats do not count any more.
    Stopping(UnitName),
    /// Several units share this short name.
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Some of those that it means.
        units: Vec<UnitName>,
    },
    /// Another executable is not to be the daemon, for this reason; all goes on as it was.
    NotUpgraded(String),
    /// It is kept on another machine, or by nobody, and only reports here.
    RunsElsewhere {
        /// Its name.
        service: String,
        /// Its machine, where it says so.
        host: Option<String>,
    },
    /// The daemon goes down.
    ShuttingDown,
    /// The configuration is not valid; one text a mistake.
    InvalidConfig(String),
    /// The request makes no sense.
    BadRequest(String),
    /// A limit of the machine has no room for it; says which, and how to raise it.
    NoRoom(String),
    /// What was asked could not be written down, so it was not done.
    Storage(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchUnit(pattern) => {
                write!(f, "no unit matches {pattern:?}; `abide status` lists them")
            }
            Self::NameTaken(name) => {
                write!(
                    f,
                    "the name {name} is taken; add --replace to change that unit, or choose another --name"
                )
            }
            Self::OwnedByOther { unit, source } => write!(
                f,
                "{unit} already comes from {source}; rename one of them, or `abide down {source}` first"
            ),
            Self::Cycle(path) => {
                write!(f, "dependencies go in a circle: ")?;
                for (i, name) in path.iter().enumerate() {
                    if i > 0 {
                        write!(f, " → ")?;
                    }
                    write!(f, "{name}")?;
                }
                Ok(())
            }
            Self::NoSuchDependency { unit, dependency } => {
                write!(
                    f,
                    "{unit} needs {dependency}, which does not exist; add it or take it out of {unit}"
                )
            }
            Self::RequiredBy { unit, by } => {
                write!(f, "{unit} is required by ")?;
                for (i, name) in by.iter().enumerate() {
                    if i > 0 {
                        write!(f, ", ")?;
                    }
                    write!(f, "{name}")?;
                }
                write!(f, "; remove those first, or together with it")
            }
            Self::NotRunning(name) => {
                write!(f, "{name} is not running; `abide why {name}` says why")
            }
            Self::NoReload(name) => {
                write!(
                    f,
                    "{name} has no `reload`; give it one (`reload = {{ signal = \"SIGHUP\" }}`), or use `abide restart {name}`"
                )
            }
            Self::NoHeartbeat(name) => {
                write!(
                    f,
                    "{name} owes no heartbeats; give it `heartbeat = {{ every = \"5s\" }}`"
                )
            }
            Self::Stopping(name) => {
                write!(f, "{name} is being stopped, so its beats do not count")
            }
            Self::Ambiguous { name, units } => {
                write!(f, "{name:?} means several units; give the full name: ")?;
                for (i, name) in units.iter().enumerate() {
                    if i > 0 {
                        write!(f, ", ")?;
                    }
                    write!(f, "{name}")?;
                }
                Ok(())
            }
            Self::NotUpgraded(reason) => write!(f, "cannot upgrade to {reason}"),
            Self::RunsElsewhere { service, host } => match host {
                Some(host) => write!(f, "{service} runs on {host} and only reports here"),
                None => write!(f, "{service} is not kept here and only reports here"),
            },
            Self::ShuttingDown => write!(f, "the daemon is going down; `abide up` starts it again"),
            Self::InvalidConfig(text) | Self::BadRequest(text) | Self::NoRoom(text) => {
                f.write_str(text)
            }
            Self::Storage(why) => {
                write!(
                    f,
                    "the state could not be written ({why}), so nothing was changed; free some space and try again"
                )
            }
        }
    }
}

impl std::error::Error for Refusal {}
