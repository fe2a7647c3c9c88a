//! What comes out: documents, their units, and where each value came from.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use abide_model::{MonitorSpec, ReportSpec, Spec, SystemLogSpec};
use serde::{Deserialize, Serialize};

use crate::Diagnostics;

/// The result of [`crate::load`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Loaded {
    /// One per file, in the order given (a directory's files by name). A file with mistakes is here
    /// too, with the units that could be read.
    pub documents: Vec<Document>,
    /// The `[daemon]`, `[report]` and `[monitor]` tables of all files together.
    pub daemon: DaemonSettings,
    /// Every mistake and warning of all files.
    pub diagnostics: Diagnostics,
}

impl Loaded {
    /// Every unit of every file.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.documents.iter().flat_map(Document::specs)
    }
}

/// One configuration file.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Document {
    /// Absolute: the name of this source.
    pub file: PathBuf,
    /// The argument it was found by: itself, or its directory.
    pub argument: PathBuf,
    /// Its `[daemon]`, `[report]` and `[monitor]` tables.
    pub daemon: DaemonSettings,
    /// Its units, instances told apart, in the order they are written.
    pub units: Vec<Resolved>,
    /// Names of the variables that its units want from the caller.
    pub inherited: Vec<String>,
    /// What is allowed and looks wrong.
    pub warnings: Diagnostics,
}

impl Document {
    /// Its units' specs.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.units.iter().map(|unit| &unit.spec)
    }
}

/// What a file says about the daemon itself: its `[daemon]`, `[report]` and `[monitor]` tables.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DaemonSettings {
    /// TCP addresses of the control API. Loopback only, until there are TLS and roles.
    #[serde(default)]
    pub listen: Vec<SocketAddr>,
    /// Where the state of every unit is reported to. At most one file says so.
    #[serde(default)]
    pub report: Option<ReportSpec>,
    /// Which services of other machines report here. At most one file says so.
    #[serde(default)]
    pub monitor: Option<MonitorSpec>,
    /// What is sent to the system's logs of abide itself, and of units that do not say so themselves. At most one
    /// file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_log: Option<Vec<SystemLogSpec>>,
}

/// A unit, and where each of its values came from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Resolved {
    /// The unit.
    pub spec: Spec,
    /// Every key that has a value, in the order of the reference: dotted for tables (`stop.within`).
    pub settings: Vec<Setting>,
}

/// One value of a unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Setting {
    /// The key, dotted for tables.
    pub key: String,
    /// The value as one would write it in the file.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// The unit's own table, or its `linux` overlay.
    Unit {
        /// Which file.
        file: PathBuf,
        /// 1-based line.
        line: u32,
    },
    /// The `[defaults]` table of the same file.
    Defaults {
        /// Which file.
        file: PathBuf,
        /// 1-based line.
        line: u32,
    },
    /// An `environment_file`.
    EnvironmentFile {
        /// Which file.
        file: PathBuf,
        /// 1-based line.
        line: u32,
    },
    /// The caller's environment, by `inherit`.
    Caller,
    /// `abide scale`.
    Scale,
    /// Built in.
    BuiltIn,
}

/// `abide.toml:12`, `abide.toml:3 [defaults]`, `built in`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit { file, line } | Self::EnvironmentFile { file, line } => {
                write!(f, "{}:{line}", file.display())
            }
            Self::Defaults { file, line } => write!(f, "{}:{line} [defaults]", file.display()),
            Self::Caller => write!(f, "the caller's environment"),
            Self::Scale => write!(f, "abide scale"),
            Self::BuiltIn => write!(f, "built in"),
        }
    }
}
