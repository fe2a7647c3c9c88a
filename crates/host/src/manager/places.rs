//! Where a manager's files lie.

use std::path::{Path, PathBuf};

use super::sysv::Registrar;
use super::{Kind, Scope};
use crate::Error;

/// What decides where files lie and which manager is meant.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The file system that is meant: `/`, or where another one lies.
    pub root: PathBuf,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// `SVDIR`: where runsvdir looks for services.
    pub svdir: Option<PathBuf>,
    /// `container`: what runs this one, as it says itself.
    pub container: Option<String>,
}

impl Surroundings {
    /// Of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let path = |name: &str| {
            variable(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        Self {
            root: "/".into(),
            home: path("HOME"),
            config_home: path("XDG_CONFIG_HOME"),
            runtime: path("XDG_RUNTIME_DIR"),
            svdir: path("SVDIR"),
            container: variable("container").and_then(|value| value.into_string().ok()),
        }
    }
}

/// Where one manager has its services.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Places {
    /// What each service is: unit files, service directories, scripts.
    pub definitions: PathBuf,
    /// What is started: links to the above, where the manager has such a place.
    pub enabled: PathBuf,
    /// SysV: who keeps the links; `None`: they are made by hand, as in a system that does not run.
    pub registrar: Option<Registrar>,
}

/// Where runsvdir looks, on which system: Debian and Artix, Void, and as upstream has it.
const SERVICE_DIRECTORIES: [&str; 3] = ["/etc/service", "/var/service", "/service"];

impl Places {
    /// Of this manager, as the system below `around.root` sees them.
    pub(super) fn find(kind: Kind, scope: Scope, around: &Surroundings) -> Result<Self, Error> {
        let user = scope == Scope::User;
        if user && matches!(kind, Kind::OpenRc | Kind::SysV | Kind::Scm) {
            return Err(Error::Unsupported {
                what: "have a service of a user's own".to_owned(),
                manager: kind,
                why: "it has only those of the machine; leave out `--user`".to_owned(),
            });
        }
        let home = || {
            around.home.clone().ok_or_else(|| {
                Error::Invalid("tell where this user's services are: HOME is not set".to_owned())
            })
        };
        let (definitions, enabled) = match kind {
            Kind::Systemd if user => {
                let config = match &around.config_home {
                    Some(config) => config.clone(),
                    None => home()?.join(".config"),
                };
                let units = config.join("systemd/user");
                (units.clone(), units)
            }
            Kind::Systemd => ("/etc/systemd/system".into(), "/etc/systemd/system".into()),
            Kind::Runit if user => {
                let services = match &around.svdir {
                    Some(directory) => directory.clone(),
                    None => home()?.join("service"),
                };
                (home()?.join(".local/share/sv"), services)
            }
            Kind::Runit => {
                let there =
                    |path: &&str| super::super::plan::below(&around.root, Path::new(path)).is_dir();
                let enabled = match &around.svdir {
                    Some(directory) => directory.clone(),
                    None => SERVICE_DIRECTORIES
                        .iter()
                        .copied()
                        .find(|path| there(path))
                        .unwrap_or("/etc/service")
                        .into(),
                };
                ("/etc/sv".into(), enabled)
            }
            Kind::OpenRc => ("/etc/init.d".into(), "/etc/runlevels/default".into()),
            Kind::SysV | Kind::Scm => ("/etc/init.d".into(), "/etc".into()),
            Kind::Launchd if user => {
                let agents = home()?.join("Library/LaunchAgents");
                (agents.clone(), agents)
            }
            Kind::Launchd => (
                "/Library/LaunchDaemons".into(),
                "/Library/LaunchDaemons".into(),
            ),
        };
        let running = around.root == Path::new("/");
        Ok(Self {
            definitions,
            enabled,
            registrar: (kind == Kind::SysV && running)
                .then(Registrar::find)
                .flatten(),
        })
    }
}
