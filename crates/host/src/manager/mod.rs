//! The managers, and what can be asked of each.
//!
//! ```text
//!  Service ──► check (this machine) ──► plan_install (pure) ──► write ──► calls
//!                                            │                    ╰─ taken back when one fails
//!                                            ╰─► --dry-run
//! ```

mod detect;
mod install;
mod kind;
mod launchd;
mod openrc;
mod places;
mod runit;
mod scm;
mod status;
mod systemd;
mod sysv;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use install::{Change, Installed};
pub use kind::{Kind, Scope};
pub use places::Surroundings;
#[cfg(feature = "doctor")]
pub(crate) use scm::Examined;
pub use scm::{Registration, needs_password, needs_rights};
pub use status::{Exit, State, Status};

use crate::plan::{Call, Plan};
use crate::{Error, Service, check};
use places::Places;
use scm::Scm;

/// How long a question to a manager may take.
const ANSWER: Duration = Duration::from_secs(10);

/// A service manager of this machine, or of a file system below another root. Nothing that is asked of it
/// waits for ever: what takes time takes a deadline.
#[derive(Clone, Debug)]
pub struct Manager {
    kind: Kind,
    scope: Scope,
    places: Places,
    /// Where files are written: `/`, but for a file system that is not the running one.
    root: PathBuf,
}

impl Manager {
    /// The manager that runs this machine, or this user's services.
    ///
    /// # Errors
    /// [`Error::NoManager`] says what is here instead, and what can be done.
    pub fn detect(scope: Scope) -> Result<Self, Error> {
        let around = Surroundings::of_this_process();
        let kind = detect::kind(scope, &around)?;
        Self::new(kind, scope, &around)
    }

    /// This manager, which must be here.
    ///
    /// # Errors
    /// [`Error::NoManager`]: it is not on this machine; [`Error::Unsupported`]: it knows no services of users,
    /// or is one that this build cannot speak to.
    pub fn of(kind: Kind, scope: Scope) -> Result<Self, Error> {
        let around = Surroundings::of_this_process();
        let manager = Self::new(kind, scope, &around)?;
        detect::present(kind, scope, &around)?;
        Ok(manager)
    }

    /// This manager, in a file system that lies below `root` and does not run: files are written there, and
    /// nothing is called. Only [`Manager::plan_install`], [`Manager::install`], [`Manager::uninstall`],
    /// [`Manager::enable`] and [`Manager::disable`] can be asked of it.
    ///
    /// # Errors
    /// [`Error::Unsupported`], as for [`Manager::of`].
    pub fn below(kind: Kind, scope: Scope, root: &Path) -> Result<Self, Error> {
        let around = Surroundings {
            root: root.to_owned(),
            ..Surroundings::of_this_process()
        };
        Self::new(kind, scope, &around)
    }

    fn new(kind: Kind, scope: Scope, around: &Surroundings) -> Result<Self, Error> {
        Ok(Self {
            kind,
            scope,
            places: Places::find(kind, scope, around)?,
            root: around.root.clone(),
        })
    }

    /// Which one.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whose services.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// What [`Manager::install`] would write and call. Looks at nothing on this machine.
    ///
    /// # Errors
    /// [`Error::Invalid`]: a setting that this manager cannot take.
    pub fn plan_install(&self, service: &Service) -> Result<Plan, Error> {
        check::settings(service, self.kind, self.scope)?;
        match self.kind {
            Kind::Systemd => Ok(systemd::plan(service, self.scope, &self.places)),
            Kind::Runit => Ok(runit::plan(service, self.scope, &self.places)),
            Kind::OpenRc => Ok(openrc::plan(service, &self.places)),
            Kind::SysV => Ok(sysv::plan(service, &self.places)),
            Kind::Launchd => Ok(launchd::plan(service, self.scope, &self.places)),
            Kind::Scm => Scm::plan(service),
        }
    }

    /// Starts it, and waits until it is up: ready where it says so. It may be up already.
    ///
    /// # Errors
    /// [`Error::NotInstalled`]; [`Error::NotUp`]: it ended instead; [`Error::TimedOut`]: it is not up yet, and may
    /// still come up.
    pub fn start(&self, name: &str, within: Duration) -> Result<(), Error> {
        self.known(name)?;
        match self.kind {
            Kind::Systemd => systemd::act(self.scope, "start", name, within),
            Kind::Runit => runit::start(&self.places, name, within),
            Kind::OpenRc => openrc::act(name, "start", within),
            Kind::SysV => sysv::act(&self.places, name, "start", within),
            Kind::Launchd => launchd::start(self.scope, &self.places, name, within),
            Kind::Scm => self.scm()?.start(name, within),
        }
    }

    /// Stops it, and waits until it is down. It may be down already.
    ///
    /// # Errors
    /// [`Error::NotInstalled`]; [`Error::TimedOut`].
    pub fn stop(&self, name: &str, within: Duration) -> Result<(), Error> {
        self.known(name)?;
        match self.kind {
            Kind::Systemd => systemd::act(self.scope, "stop", name, within),
            Kind::Runit => runit::stop(&self.places, name, within),
            Kind::OpenRc => openrc::act(name, "stop", within),
            Kind::SysV => sysv::act(&self.places, name, "stop", within),
            Kind::Launchd => launchd::stop(self.scope, name, within),
            Kind::Scm => self.scm()?.stop(name, within),
        }
    }

    /// Stops it if it runs, starts it, and waits until it is up.
    ///
    /// # Errors
    /// Those of [`Manager::stop`] and [`Manager::start`].
    pub fn restart(&self, name: &str, within: Duration) -> Result<(), Error> {
        if self.kind == Kind::Systemd {
            self.known(name)?;
            return systemd::act(self.scope, "restart", name, within);
        }
        let begun = Instant::now();
        self.stop(name, within)?;
        self.start(name, within.saturating_sub(begun.elapsed()))
    }

    /// Has it read its configuration again, as this manager means that: `systemctl reload`, `sv hup`, `rc-service NAME
    /// reload`, the script's `reload`, changed parameters. Returns when it was told.
    ///
    /// # Errors
    /// [`Error::NotInstalled`]; [`Error::NotUp`]: it does not run, or does not take that; [`Error::Unsupported`]: it has
    /// none, or this manager knows no such thing; [`Error::TimedOut`].
    pub fn reload(&self, name: &str, within: Duration) -> Result<(), Error> {
        self.known(name)?;
        // What each makes of one that does not run is its own: some report success.
        let status = self.status(name)?;
        if status.state != State::Running {
            return Err(Error::NotUp {
                action: format!("reload {name}"),
                why: format!("it is {}", status.state),
            });
        }
        match self.kind {
            Kind::Systemd => systemd::reload(self.scope, name, within),
            Kind::Runit => runit::reload(&self.places, name, within),
            Kind::OpenRc => openrc::reload(&self.places, name, within),
            Kind::SysV => sysv::reload(&self.places, name, within),
            Kind::Launchd => Err(self.unsupported(
                &format!("reload {name}"),
                "it knows no reload; `launchctl kill HUP` sends a signal, if its program takes that for one",
            )),
            Kind::Scm => self.scm()?.reload(name),
        }
    }

    /// Sends it a control code of its own, 128 to 255: what it does then is its own business. Windows only.
    ///
    /// # Errors
    /// [`Error::NotInstalled`]; [`Error::NotUp`]: it does not run, or does not take that code;
    /// [`Error::Unsupported`]: this manager has no such thing.
    pub fn control(&self, name: &str, code: u8) -> Result<(), Error> {
        self.known(name)?;
        match self.kind {
            Kind::Scm => self.scm()?.control(name, code),
            _ => Err(self.unsupported(
                "send a control code",
                "only the Service Control Manager of Windows knows them",
            )),
        }
    }

    /// Has it come up by itself from now on; does not start it.
    ///
    /// # Errors
    /// [`Error::NotInstalled`], [`Error::AccessDenied`], [`Error::Unsupported`].
    pub fn enable(&self, name: &str) -> Result<(), Error> {
        self.set_enabled(name, true)
    }

    /// Has it not come up by itself any more; does not stop it.
    ///
    /// # Errors
    /// As for [`Manager::enable`].
    pub fn disable(&self, name: &str) -> Result<(), Error> {
        self.set_enabled(name, false)
    }

    fn set_enabled(&self, name: &str, enabled: bool) -> Result<(), Error> {
        self.known(name)?;
        match self.kind {
            Kind::Systemd => {
                systemd::enable(self.scope, &self.root, self.running_root(), name, enabled)
            }
            Kind::Runit => runit::enable(&self.places, &self.root, name, enabled),
            Kind::OpenRc => openrc::enable(&self.places, &self.root, name, enabled),
            Kind::SysV => sysv::enable(&self.places, &self.root, name, enabled),
            Kind::Launchd => launchd::enable(self.scope, name, enabled),
            Kind::Scm => self.scm()?.enable(name, enabled),
        }
    }

    /// How it is. A service that is not there is no error: [`State::NotInstalled`].
    ///
    /// # Errors
    /// The manager does not answer.
    pub fn status(&self, name: &str) -> Result<Status, Error> {
        check::name(name, self.kind)?;
        match self.kind {
            Kind::Systemd => systemd::status(self.scope, name),
            Kind::Runit => runit::status(&self.places, name),
            Kind::OpenRc => openrc::status(&self.places, name),
            Kind::SysV => sysv::status(&self.places, name),
            Kind::Launchd => launchd::status(self.scope, &self.places, name),
            Kind::Scm => self.scm()?.status(name),
        }
    }

    /// The services that this library has installed with this manager, by name.
    ///
    /// # Errors
    /// The manager's directory cannot be read.
    pub fn installed(&self) -> Result<Vec<String>, Error> {
        install::ours(self)
    }

    /// What each of the services that this library has installed executes, word by word. Anybody may know that: no
    /// right is needed. Windows only.
    ///
    /// # Errors
    /// The manager does not say; [`Error::Unsupported`].
    pub fn commands(&self) -> Result<Vec<(String, Vec<String>)>, Error> {
        match self.kind {
            Kind::Scm => self.scm()?.commands(),
            _ => Err(self.unsupported("list command lines", "its files have them")),
        }
    }

    /// The text of the file by which a service of ours is known, such as its unit file; `None`: there is none
    /// of this name, or it is not ours.
    #[must_use]
    pub fn definition(&self, name: &str) -> Option<String> {
        if self.kind == Kind::Scm {
            let scm = self.scm().ok()?;
            return match scm.is_ours(name) {
                Ok(Some(true)) => scm.text(name).ok()?,
                _ => None,
            };
        }
        let path = crate::plan::below(&self.root, &self.main_file(name));
        std::fs::read_to_string(path)
            .ok()
            .filter(|text| is_ours(text))
    }

    /// What has it started at boot, where that is one link in one folder.
    #[cfg(feature = "doctor")]
    pub(crate) fn enabled_at(&self, name: &str) -> PathBuf {
        self.places.enabled.join(name)
    }

    /// The file that carries the marker.
    pub(crate) fn main_file(&self, name: &str) -> PathBuf {
        match self.kind {
            Kind::Systemd => self.places.definitions.join(format!("{name}.service")),
            Kind::Runit => self.places.definitions.join(name).join("run"),
            Kind::OpenRc | Kind::SysV | Kind::Scm => self.places.definitions.join(name),
            Kind::Launchd => self.places.definitions.join(format!("{name}.plist")),
        }
    }

    fn running_root(&self) -> bool {
        self.root == Path::new("/")
    }

    /// It is installed, by us or by others: a start of somebody's nginx is not ours to refuse.
    fn known(&self, name: &str) -> Result<(), Error> {
        check::name(name, self.kind)?;
        if self.kind == Kind::Scm {
            return match self.scm()?.is_ours(name)? {
                Some(_) => Ok(()),
                None => Err(self.not_installed(name)),
            };
        }
        let there = || crate::plan::below(&self.root, &self.main_file(name)).exists();
        if there()
            || (self.kind == Kind::Systemd
                && self.running_root()
                && systemd::knows(self.scope, name)?)
        {
            return Ok(());
        }
        Err(self.not_installed(name))
    }

    fn not_installed(&self, name: &str) -> Error {
        Error::NotInstalled {
            name: name.to_owned(),
            manager: self.kind,
        }
    }

    /// What the Service Control Manager has of a service, for the doctor; `None`: it knows none of this name.
    #[cfg(feature = "doctor")]
    pub(crate) fn examine(&self, name: &str) -> Result<Option<Examined>, Error> {
        check::name(name, self.kind)?;
        self.scm()?.examine(name)
    }

    /// The Service Control Manager, which has no files that could lie below another root.
    fn scm(&self) -> Result<Scm, Error> {
        if self.running_root() {
            return Ok(Scm::of_this_machine());
        }
        Err(self.unsupported(
            "speak to a system that does not run",
            "it keeps its services itself",
        ))
    }

    fn unsupported(&self, what: &str, why: &str) -> Error {
        Error::Unsupported {
            what: what.to_owned(),
            manager: self.kind,
            why: why.to_owned(),
        }
    }
}

/// Who wrote a file, in a comment of its own near the top.
const MARK: &str = "written by abide-host";

/// The line, without what begins a comment.
fn mark(name: &str) -> String {
    format!(
        "Service {name}, {MARK}: installing it again rewrites this file, uninstalling it removes it."
    )
}

/// A file of ours.
fn is_ours(text: &str) -> bool {
    text.lines().take(5).any(|line| line.contains(MARK))
}

/// Time in a manager's words: whole seconds where it is that, else with a fraction.
fn seconds(time: Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{}", time.as_secs())
    } else {
        format!("{:.3}", time.as_secs_f64())
    }
}

/// Seconds, at least one, for those that know no parts of it.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Runs a command of the manager's that changes something, and says what is missing if it is a right.
fn act(call: &Call, within: Duration) -> Result<(), Error> {
    call.succeed(within).map(drop).map_err(|error| match error {
        Error::Failed { command, output } if denied(&output) => Error::AccessDenied {
            action: format!("run `{command}`"),
            right: "root",
            how: "run it as root (`sudo`), or use a service of your own with `--user`".to_owned(),
        },
        error => error,
    })
}

/// What managers say to those who may not.
fn denied(output: &str) -> bool {
    let output = output.to_lowercase();
    [
        "access denied",
        "permission denied",
        "authentication required",
        "not permitted",
        "superuser",
    ]
    .iter()
    .any(|word| output.contains(word))
}
