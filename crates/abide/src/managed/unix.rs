use std::io;
use std::path::Path;
use std::time::Duration;

use abide_platform::keeper::{Launch, become_keeper};

use crate::args::ManagedArgs;
use crate::daemon::Role;
use crate::failure::Failure;

/// Whoever started this process; it is spoken to by the daemon.
#[derive(Debug)]
pub struct Manager(());

impl Manager {
    /// To be called first.
    ///
    /// # Errors
    /// There are settings of services of Windows.
    pub fn meet(args: &ManagedArgs) -> Result<Self, Failure> {
        if !args.controls.is_empty() {
            return Err(Failure::usage(
                "cannot take --control: services have controls on Windows only".to_owned(),
            ));
        }
        Ok(Self(()))
    }

    /// What is kept may take so long until it is ready: the manager knows that from its own settings.
    pub fn needs(&self, _time: Duration) {}

    /// This process becomes the keeper. Returns only when it cannot.
    #[must_use]
    pub fn keep(&self, role: &Role, _log: &Path) -> io::Error {
        become_keeper(&Launch {
            home: role.home.clone(),
            daemon: role.arguments(),
        })
    }

    /// It came to nothing: the exit code says so, and standard error, which is the manager's.
    pub fn failed(&self, _failure: &Failure, _home: Option<&Path>) {}
}
