//! Arguments of `install`, `uninstall` and `host`.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use abide_daemon::{REQUEST_RELOAD, REQUEST_RESTART};
use abide_host::{Kind, Start};
use abide_model::Signal;
use clap::{Args, ValueEnum};

use super::run::parse_variable;
use super::scm::ScmArgs;
use super::{ReadyArgs, RestartWhen, parse_duration};

/// Arguments of `install`.
#[derive(Args, Debug)]
pub struct InstallArgs {
    /// A unit of a configuration file [default: abide itself, with all that it keeps]
    // Not in conflict with a program for clap, which cannot say that `--user` takes no name.
    #[arg(value_name = "FILE:UNIT")]
    pub target: Option<String>,
    /// The program and its arguments, after --
    #[arg(last = true, value_name = "PROGRAM", requires = "name")]
    pub command: Vec<OsString>,
    /// The service's name [default: the unit's, or abide]
    #[arg(long)]
    pub name: Option<String>,
    /// The service's name for people
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    /// What it does, in one line
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// When it is started: auto (at boot), delayed, manual or disabled
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "WHEN"
    )]
    pub start: StartWhen,
    /// A service that must be there first; may be repeated
    #[arg(long, value_name = "SERVICE")]
    pub depends_on: Vec<String>,
    #[command(flatten)]
    pub program: ProgramArgs,
    /// The manager restarts it if abide does not report in this often (systemd)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub watchdog: Option<Duration>,
    #[command(flatten)]
    pub scm: ScmArgs,
    #[command(flatten)]
    pub at: ManagerArgs,
    /// Start it, too
    #[arg(long, conflicts_with = "dry_run")]
    pub now: bool,
    /// Print exactly what would be written and called, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// How a program that is given after `--` is to run.
#[derive(Args, Debug)]
pub struct ProgramArgs {
    /// The account that the program runs as; on Windows the service with all that it keeps
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Its working directory [default: this one]
    #[arg(long, short = 'C', value_name = "DIR", requires = "command")]
    pub dir: Option<PathBuf>,
    /// Set a variable of its environment; may be repeated
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = parse_variable, requires = "command")]
    pub env: Vec<(String, String)>,
    /// When abide starts it again after it ended: always, on-failure or never [default: always]
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        value_name = "WHEN",
        requires = "command"
    )]
    pub restart: Option<RestartWhen>,
    #[command(flatten)]
    pub ready: ReadyArgs,
    /// It reports in at least this often, or is restarted after three missed beats
    #[arg(long, value_name = "EVERY", value_parser = parse_duration, requires = "command")]
    pub heartbeat: Option<Duration>,
}

/// Which manager.
#[derive(Args, Debug, Default, Clone)]
pub struct ManagerArgs {
    /// The service manager: systemd, runit, openrc, sysv, launchd or scm [default: the one that runs here]
    #[arg(long, value_name = "KIND")]
    pub manager: Option<Kind>,
    /// A service of this user's own, not of the machine
    #[arg(long)]
    pub user: bool,
}

/// When a service is started.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StartWhen {
    /// At boot
    #[default]
    Auto,
    /// At boot, after the others
    Delayed,
    /// By hand
    Manual,
    /// Not even by hand
    Disabled,
}

impl From<StartWhen> for Start {
    fn from(when: StartWhen) -> Self {
        match when {
            StartWhen::Auto => Self::Auto,
            StartWhen::Delayed => Self::Delayed,
            StartWhen::Manual => Self::Manual,
            StartWhen::Disabled => Self::Disabled,
        }
    }
}

/// Arguments of `uninstall`.
#[derive(Args, Debug)]
pub struct UninstallArgs {
    /// The service's name
    #[arg(default_value = "abide")]
    pub name: String,
    #[command(flatten)]
    pub at: ManagerArgs,
    /// Leave the home of the hosted unit, with its logs
    #[arg(long)]
    pub keep_logs: bool,
    /// How long it may take to stop, such as 30s or 2m
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "90s")]
    pub timeout: Duration,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `host`.
#[derive(Args, Debug)]
pub struct HostArgs {
    /// A unit of a configuration file, or the name of an installed service
    #[arg(value_name = "FILE:UNIT|NAME")]
    pub target: String,
    #[command(flatten)]
    pub managed: ManagedArgs,
}

/// What whoever starts abide in the foreground says of itself.
#[derive(Args, Debug, Default)]
pub struct ManagedArgs {
    /// Whoever starts this starts it again when it ends, as service managers do
    #[arg(long)]
    pub managed: bool,
    /// What a control of the service means on Windows (sc control NAME CODE), such as 128=reload: reload or restart all
    /// units, or read-files again
    #[arg(long = "control", value_name = "CODE=COMMAND", value_parser = parse_control)]
    pub controls: Vec<ServiceControl>,
}

/// A control of a service of Windows, 128 to 255, and what it means, as a signal of Linux has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServiceControl {
    /// Its number.
    pub code: u8,
    /// What it means.
    pub signal: Signal,
}

/// What controls can mean, by the words for it.
const CONTROLS: [(&str, Signal); 3] = [
    ("reload", REQUEST_RELOAD),
    ("restart", REQUEST_RESTART),
    ("read-files", Signal::HUP),
];

/// As it is written on a command line.
impl fmt::Display for ServiceControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = CONTROLS.iter().find(|(_, signal)| *signal == self.signal);
        write!(f, "{}={}", self.code, word.map_or("", |(word, _)| word))
    }
}

/// `128=reload`.
///
/// # Errors
/// Why that cannot be.
pub fn parse_control(text: &str) -> Result<ServiceControl, String> {
    let (code, command) = text
        .split_once('=')
        .ok_or("write CODE=COMMAND, such as 128=reload")?;
    let code = code.parse().ok().filter(|code| *code >= 128);
    let code = code.ok_or("a service's own controls are 128 to 255")?;
    let meant = CONTROLS.iter().find(|(word, _)| *word == command);
    let (_, signal) = meant.ok_or_else(|| {
        let words = CONTROLS.map(|(word, _)| word).join(", ");
        format!("{command:?} is none of {words}")
    })?;
    Ok(ServiceControl {
        code,
        signal: *signal,
    })
}
