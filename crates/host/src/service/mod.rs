//! What is to be registered: one program, and how the machine's manager is to run it.

mod scm;

pub use scm::{
    Access, Holder, Password, Recovery, RecoveryAction, RecoveryKind, Right, ScmSettings,
    ServiceSid,
};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A program that is to be a service of the operating system.
///
/// What a manager cannot do with a setting is said in the plan's notes (see [`crate::Plan`]), never
/// silently left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// The name that the manager knows it by: `systemctl start NAME`, `sv start NAME`, `sc start NAME`.
    /// Letters, digits, `_`, `-`, `.` and, on systemd, `@`; at most 200 bytes.
    pub name: String,
    /// For people. systemd: the first part of `Description=`; SysV: `Short-Description`; OpenRC: `name`;
    /// Windows: `DisplayName`; runit and launchd: none.
    pub display_name: Option<String>,
    /// What it does, one line. systemd: `Description=` (after the display name); SysV, OpenRC, Windows: `Description`.
    pub description: Option<String>,
    /// What is executed: an absolute path.
    pub program: PathBuf,
    /// Its arguments, as it is to get them: no shell, no variables, nothing to quote.
    pub arguments: Vec<String>,
    /// Its working directory, absolute; `None`: `/` (runit: its service directory). Windows: always the system's.
    pub directory: Option<PathBuf>,
    /// Variables beside those that the manager sets.
    pub environment: BTreeMap<String, String>,
    /// The account that it runs as; `None`: the manager's own (root, or the user; Windows: `LocalSystem`). Windows:
    /// also `LocalService`, `NetworkService`, `NT SERVICE\NAME`, `DOMAIN\NAME`, `.\NAME`; see [`ScmSettings::password`].
    pub user: Option<String>,
    /// Its group; `None`: that of the account.
    pub group: Option<String>,
    /// When it is started.
    pub start: Start,
    /// Services that must be there first, by name. systemd: `Requires=` and `After=` (a name without suffix
    /// is a `.service`); OpenRC: `need`; SysV: `Required-Start`; runit: `sv check` in the run script;
    /// Windows: `DependOnService`; launchd has none.
    pub dependencies: Vec<String>,
    /// How the manager learns that it is ready.
    pub ready: Ready,
    /// It must report in at least this often (`WATCHDOG=1`), or is killed and started again. systemd only.
    pub watchdog: Option<Duration>,
    /// How long it may take to be ready. systemd: `TimeoutStartSec=`; others wait as long as `start` does.
    pub start_timeout: Option<Duration>,
    /// How long it may take to end once it is asked to, before it is killed. systemd: `TimeoutStopSec=`;
    /// OpenRC: `retry`; SysV: waited in the script; launchd: `ExitTimeOut`; runit never kills by itself.
    pub stop_timeout: Option<Duration>,
    /// Whom the manager asks to end at a stop.
    pub stop_to: StopTo,
    /// After which ends the manager starts it again.
    pub restart: Restart,
    /// How long the manager waits before that. systemd: `RestartSec=`; OpenRC: `respawn_delay`; launchd:
    /// `ThrottleInterval`; runit: always 1 s.
    pub restart_delay: Duration,
    /// The signal that has it read its configuration again: systemd: `ExecReload=`; SysV, OpenRC: `reload`.
    pub reload_signal: Option<String>,
    /// It makes control groups of its own below the one that it is given. systemd: `Delegate=yes`.
    pub delegate: bool,
    /// What is taken from it that it does not need. systemd only.
    pub sandbox: Option<Sandbox>,
    /// Where its output goes with managers that keep none (SysV, OpenRC, launchd); `None`:
    /// `/var/log/NAME.log` (launchd, of a user: `~/Library/Logs/NAME.log`). systemd: the journal; runit: svlogd in
    /// `/var/log/NAME`.
    pub log_file: Option<PathBuf>,
    /// What only the Service Control Manager of Windows can be told.
    pub scm: ScmSettings,
}

/// When a service is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Start {
    /// At boot (system), at the first login or, with lingering, at boot (user).
    #[default]
    Auto,
    /// At boot, after the others. systemd: after `multi-user.target`; Windows: two minutes later; others know no
    /// such thing.
    Delayed,
    /// When somebody starts it.
    Manual,
    /// Not even then. systemd: `RefuseManualStart=`; Windows: disabled; runit: not linked; SysV, OpenRC: as `Manual`.
    Disabled,
}

impl Start {
    /// It comes up by itself.
    #[must_use]
    pub fn at_boot(self) -> bool {
        matches!(self, Self::Auto | Self::Delayed)
    }
}

/// How the manager learns that a service is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ready {
    /// It is when its program was executed. systemd: `Type=exec`.
    #[default]
    Executed,
    /// It says `READY=1` to `NOTIFY_SOCKET` (sd_notify(3)). systemd: `Type=notify`; others do not listen.
    Notify {
        /// Who may say so.
        from: NotifyFrom,
    },
}

/// Whose messages count (`NotifyAccess=`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotifyFrom {
    /// The main process's.
    Main,
    /// Those of every process of the service.
    All,
}

/// Whom the manager asks to end at a stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StopTo {
    /// All processes of the service. systemd: `KillMode=control-group`.
    #[default]
    All,
    /// The main process, which ends the others; what is left after it, or after the time-out, is killed.
    /// systemd: `KillMode=mixed`.
    Main,
}

/// After which ends the manager starts a service again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Restart {
    /// None.
    Never,
    /// Killed by a signal, timed out, or its watchdog bit; not after an exit code. systemd: `on-abnormal`;
    /// OpenRC, runit and launchd cannot tell: as `OnFailure`.
    OnAbnormal,
    /// Any that is no success. runit restarts after every end: there `finish` takes it down after a success.
    #[default]
    OnFailure,
    /// Any but a stop.
    Always,
}

/// What is taken from a service that it does not need (systemd.exec(5)). Nothing but its state directory
/// (`/var/lib/NAME`), its logs and `writable` can be written to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sandbox {
    /// It speaks IP; else only Unix sockets.
    pub network: bool,
    /// More places that it writes to, absolute.
    pub writable: Vec<PathBuf>,
}

impl Service {
    /// A service with the defaults of every other setting.
    #[must_use]
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            display_name: None,
            description: None,
            program: program.into(),
            arguments: Vec::new(),
            directory: None,
            environment: BTreeMap::new(),
            user: None,
            group: None,
            start: Start::default(),
            dependencies: Vec::new(),
            ready: Ready::default(),
            watchdog: None,
            start_timeout: None,
            stop_timeout: None,
            stop_to: StopTo::default(),
            restart: Restart::default(),
            restart_delay: Duration::from_secs(1),
            reload_signal: None,
            delegate: false,
            sandbox: None,
            log_file: None,
            scm: ScmSettings::default(),
        }
    }

    /// One line for people: display name and description, or the name.
    #[must_use]
    pub fn title(&self) -> String {
        match (&self.display_name, &self.description) {
            (Some(name), Some(text)) => format!("{name}: {text}"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => self.name.clone(),
        }
    }
}
