//! What a service is: its name, how it is to be installed, and what it takes.

use std::path::PathBuf;
use std::time::Duration;

use abide_host::{NotifyFrom, Ready, scm};

use crate::log::Logger;
use crate::manage::{ManageError, Registration, Restart, Sandbox, Start};

/// A service: its name, what is said of it where it is installed, and what it takes.
///
/// What the settings mean to each manager stands with each; a manager that cannot do one says so
/// when the service is installed ([`Installed::notes`](crate::manage::Installed)), and does the rest.
///
/// ```
/// use std::time::Duration;
/// use abide_service::Service;
/// use abide_service::manage::{Restart, Start};
///
/// let service = Service::new("shop")
///     .display_name("The shop")
///     .description("sells things")
///     .depends_on("postgresql")
///     .start(Start::Auto)
///     .restart(Restart::OnFailure)
///     .watchdog(Duration::from_secs(30))
///     .reloads();
/// assert_eq!(service.name(), "shop");
/// ```
#[derive(Clone, Debug)]
pub struct Service {
    registration: Registration,
    reloads: bool,
    controls: Controls,
    ready_at_once: bool,
    by_hand: ByHand,
}

/// What it takes of the Service Control Manager.
#[derive(Clone, Debug, Default)]
struct Controls {
    pauses: bool,
    sessions: bool,
    power: bool,
    own: Vec<u8>,
    reload: Vec<u8>,
}

/// What [`Service::main`] does when a person starts the program without saying what it is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ByHand {
    /// It runs, in the foreground.
    #[default]
    Run,
    /// It says how it is used, and ends with 2. `run` runs it.
    Usage,
}

impl Service {
    /// A service of that name: what managers and logs call it. Letters, digits, `-`, `_` and `.`,
    /// the first a letter or a digit; at most 200. Another name is refused by `install`.
    pub fn new(name: impl Into<String>) -> Self {
        let mut registration = Registration::new(name, PathBuf::new());
        registration.arguments = vec!["run".to_owned()];
        registration.ready = Ready::Notify {
            from: NotifyFrom::Main,
        };
        // Every Windows has it, and it shows what it is given.
        registration.scm.event_messages = Some(r"%SystemRoot%\System32\EventCreate.exe".to_owned());
        Self {
            registration,
            reloads: false,
            controls: Controls::default(),
            ready_at_once: false,
            by_hand: ByHand::default(),
        }
    }

    /// A name for people.
    ///
    /// | systemd | OpenRC | SysV | runit, launchd |
    /// |---|---|---|---|
    /// | the first part of `Description=` | `name` | `Short-Description` | – |
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.registration.display_name = Some(name.into());
        self
    }

    /// What it does, in one line.
    ///
    /// | systemd | OpenRC, SysV | runit, launchd |
    /// |---|---|---|
    /// | `Description=` | `description` | – |
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.registration.description = Some(text.into());
        self
    }

    /// One more argument that the installed service is started with, after `run`. The body finds it
    /// in [`args`](crate::Context::args).
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.registration.arguments.push(argument.into());
        self
    }

    /// One more variable in the environment of the installed service.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.registration
            .environment
            .insert(name.into(), value.into());
        self
    }

    /// The directory that the installed service runs in: absolute. Without it `/`.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.registration.directory = Some(directory.into());
        self
    }

    /// The account that the installed service runs as. Without it root, or the user whose manager it is.
    #[must_use]
    pub fn user(mut self, account: impl Into<String>) -> Self {
        self.registration.user = Some(account.into());
        self
    }

    /// The group that the installed service runs as. Without it that of the account.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.registration.group = Some(group.into());
        self
    }

    /// A service that must be up before this one is started.
    ///
    /// | systemd | OpenRC | SysV | runit | launchd |
    /// |---|---|---|---|---|
    /// | `Requires=` and `After=` | `need` | `Required-Start` | `sv check` before it starts | – |
    #[must_use]
    pub fn depends_on(mut self, service: impl Into<String>) -> Self {
        self.registration.dependencies.push(service.into());
        self
    }

    /// When the installed service is started: at boot, unless told otherwise.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.registration.start = start;
        self
    }

    /// After which ends the manager starts it again: after failures, unless told otherwise. A body
    /// that returned an error or panicked has failed; one that returned `Ok` has not.
    ///
    /// | | systemd | OpenRC | runit | SysV |
    /// |---|---|---|---|---|
    /// | [`Always`](Restart::Always) | `always` | yes | yes | never |
    /// | [`OnFailure`](Restart::OnFailure) | `on-failure` | after every end | by its `finish` script | never |
    /// | [`OnAbnormal`](Restart::OnAbnormal) | `on-abnormal` | after every end | by its `finish` script | never |
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.registration.restart = restart;
        self
    }

    /// How long the manager waits before it starts it again: one second, unless told otherwise.
    #[must_use]
    pub fn restart_delay(mut self, delay: Duration) -> Self {
        self.registration.restart_delay = delay;
        self
    }

    /// It is killed and started again when it gives no beat for so long: see [beats](crate#beats).
    /// systemd (`WatchdogSec=`); under abide the unit's `heartbeat` says it; others know no such thing.
    #[must_use]
    pub fn watchdog(mut self, limit: Duration) -> Self {
        self.registration.watchdog = Some(limit);
        self
    }

    /// How long it may take until it is [ready](crate::Context::ready). systemd: `TimeoutStartSec=`,
    /// 90 s by default.
    #[must_use]
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.registration.start_timeout = Some(limit);
        self
    }

    /// How long it may take to end once it is asked to, before it is killed.
    ///
    /// | systemd | OpenRC | SysV | launchd | runit |
    /// |---|---|---|---|---|
    /// | `TimeoutStopSec=`, 90 s by default | `retry` | waited by the script | `ExitTimeOut` | never killed |
    #[must_use]
    pub fn stop_timeout(mut self, limit: Duration) -> Self {
        self.registration.stop_timeout = Some(limit);
        self
    }

    /// What is taken from the installed service that it does not need. systemd only.
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.registration.sandbox = Some(sandbox);
        self
    }

    /// Everything else that an installation can be told.
    #[must_use]
    pub fn customize(mut self, change: impl FnOnce(&mut Registration)) -> Self {
        change(&mut self.registration);
        self
    }

    /// It reads its configuration again when asked to: the body waits for
    /// [`reloading`](crate::Context::reloading). Then SIGHUP asks for that, and so do `systemctl reload`,
    /// and `abide reload` where the unit has `reload = { signal = "SIGHUP" }`; on Windows `sc control NAME paramchange`. Without it
    /// SIGHUP ends a program that a person started, and is ignored by others.
    #[must_use]
    pub fn reloads(mut self) -> Self {
        self.reloads = true;
        self.registration.reload_signal = Some("HUP".to_owned());
        self
    }

    /// It can be paused: the body hears of it by [`events`](crate::Context::events). Windows only, as are the following four.
    #[must_use]
    pub fn pauses(mut self) -> Self {
        self.controls.pauses = true;
        self
    }

    /// It knows a control of its own, 128 to 255 (`sc control NAME CODE`), which comes as an [event](crate::Event::Control).
    /// Controls that were not named are refused, and so are numbers below 128.
    #[must_use]
    pub fn control(mut self, code: u8) -> Self {
        self.controls.own.push(code);
        self
    }

    /// A control of its own that means a reload, for one that [`reloads`](Self::reloads).
    #[must_use]
    pub fn reload_control(mut self, code: u8) -> Self {
        self.controls.reload.push(code);
        self
    }

    /// It hears by [`events`](crate::Context::events) of people who log on and off, and of sessions that are locked.
    #[must_use]
    pub fn session_events(mut self) -> Self {
        self.controls.sessions = true;
        self
    }

    /// It hears by [`events`](crate::Context::events) of the machine's sleep and of its battery.
    #[must_use]
    pub fn power_events(mut self) -> Self {
        self.controls.power = true;
        self
    }

    /// It is up as soon as its body begins, and need not say [`ready`](crate::Context::ready).
    #[must_use]
    pub fn ready_at_once(mut self) -> Self {
        self.ready_at_once = true;
        self
    }

    /// What [`main`](Self::main) does when a person starts the program without arguments.
    #[must_use]
    pub fn by_hand(mut self, what: ByHand) -> Self {
        self.by_hand = what;
        self
    }

    /// What managers and logs call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.registration.name
    }

    /// Where this service logs: see [`Logger`].
    #[must_use]
    pub fn logger(&self) -> Logger {
        Logger::find(self.name())
    }

    /// What is given to the manager when it is installed: the settings, with this program as the one
    /// to run.
    ///
    /// # Errors
    /// [`ManageError::Invalid`]: where this program lies cannot be found out.
    pub fn registration(&self) -> Result<Registration, ManageError> {
        let mut registration = self.registration.clone();
        if registration.program.as_os_str().is_empty() {
            registration.program = std::env::current_exe().map_err(|error| {
                ManageError::Invalid(format!("find the file of this program: {error}"))
            })?;
        }
        Ok(registration)
    }

    pub(crate) fn settings(&self) -> &Registration {
        &self.registration
    }

    pub(crate) fn takes_reloads(&self) -> bool {
        self.reloads
    }

    pub(crate) fn reload_controls(&self) -> &[u8] {
        &self.controls.reload
    }

    /// What is told to the Service Control Manager.
    pub(crate) fn controls(&self) -> scm::Settings {
        let limits = scm::Settings::default();
        let Controls {
            pauses,
            sessions,
            power,
            ref own,
            ref reload,
        } = self.controls;
        scm::Settings {
            start_limit: self
                .registration
                .start_timeout
                .unwrap_or(limits.start_limit),
            stop_limit: self.registration.stop_timeout.unwrap_or(limits.stop_limit),
            pauses,
            reloads: self.reloads,
            sessions,
            power,
            custom: own.iter().chain(reload).copied().collect(),
        }
    }

    pub(crate) fn is_ready_at_once(&self) -> bool {
        self.ready_at_once
    }

    pub(crate) fn asks_for_usage(&self) -> bool {
        self.by_hand == ByHand::Usage
    }
}
