//! The service, as the machine's manager has it: installed, started, stopped, looked at, removed.
//!
//! ```no_run
//! use abide_service::Service;
//! use abide_service::manage::{ManageError, Scope};
//!
//! let service = Service::new("shop").description("sells things");
//! let managed = service.manage(Scope::System)?;
//! managed.install()?;
//! managed.start()?;
//! println!("{}", managed.status()?.state);
//! match managed.uninstall() {
//!     Err(ManageError::NotInstalled { .. }) => {}
//!     other => other?,
//! }
//! # Ok::<(), ManageError>(())
//! ```

use std::time::Duration;

use abide_host::Manager;

pub use abide_host::{
    Change, Error as ManageError, Exit, Installed, Kind, Plan, Restart, Sandbox, Scope,
    Service as Registration, Start, State, Status,
};

use crate::service::Service;

/// How long a call may take unless it is told otherwise: what Windows gives a service to start.
pub const WITHIN: Duration = Duration::from_secs(30);

/// A service and the manager that keeps it. Every call ends: in time, or with
/// [`ManageError::TimedOut`].
#[derive(Clone, Debug)]
pub struct Managed {
    service: Service,
    manager: Manager,
    within: Duration,
}

impl Service {
    /// This service, with the manager that runs this machine or this user's services.
    ///
    /// # Errors
    /// [`ManageError::NoManager`] says what is here instead, and what can be done.
    pub fn manage(&self, scope: Scope) -> Result<Managed, ManageError> {
        Ok(self.manage_by(Manager::detect(scope)?))
    }

    /// This service, with a manager of that kind, which must be here.
    ///
    /// # Errors
    /// [`ManageError::NoManager`], [`ManageError::Unsupported`].
    pub fn manage_with(&self, kind: Kind, scope: Scope) -> Result<Managed, ManageError> {
        Ok(self.manage_by(Manager::of(kind, scope)?))
    }

    fn manage_by(&self, manager: Manager) -> Managed {
        Managed {
            service: self.clone(),
            manager,
            within: WITHIN,
        }
    }
}

impl Managed {
    /// How long each call may take from now on; [`WITHIN`] unless told otherwise.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    /// Which manager.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.manager.kind()
    }

    /// What [`install`](Self::install) would write and call: to be shown, or compared.
    ///
    /// # Errors
    /// [`ManageError::Invalid`].
    pub fn plan(&self) -> Result<Plan, ManageError> {
        self.manager.plan_install(&self.service.registration()?)
    }

    /// Makes the manager know it. Over an older installation of this library's it changes that one
    /// and says how; over anybody else's service of that name it refuses. Does not start it.
    ///
    /// # Errors
    /// [`ManageError::Invalid`], [`ManageError::Foreign`], [`ManageError::AccessDenied`]: nothing was
    /// written; others: what was written was taken back.
    pub fn install(&self) -> Result<Installed, ManageError> {
        self.manager.install(&self.service.registration()?)
    }

    /// Stops it, removes all that was installed, and waits until the manager does not know it any more.
    ///
    /// # Errors
    /// [`ManageError::NotInstalled`], [`ManageError::Foreign`], [`ManageError::TimedOut`], …
    pub fn uninstall(&self) -> Result<(), ManageError> {
        self.manager.uninstall(self.service.name(), self.within)
    }

    /// Starts it, and waits until it is up: ready where it says so. It may be up already.
    ///
    /// # Errors
    /// [`ManageError::NotInstalled`]; [`ManageError::NotUp`]: it ended instead;
    /// [`ManageError::TimedOut`]: it may still come up.
    pub fn start(&self) -> Result<(), ManageError> {
        self.manager.start(self.service.name(), self.within)
    }

    /// Stops it, and waits until it is down. It may be down already.
    ///
    /// # Errors
    /// [`ManageError::NotInstalled`], [`ManageError::TimedOut`], …
    pub fn stop(&self) -> Result<(), ManageError> {
        self.manager.stop(self.service.name(), self.within)
    }

    /// Stops it if it runs, starts it, and waits until it is up.
    ///
    /// # Errors
    /// Those of [`stop`](Self::stop) and [`start`](Self::start).
    pub fn restart(&self) -> Result<(), ManageError> {
        self.manager.restart(self.service.name(), self.within)
    }

    /// How it is. That it is not installed is no error: [`State::NotInstalled`].
    ///
    /// # Errors
    /// The manager does not answer.
    pub fn status(&self) -> Result<Status, ManageError> {
        self.manager.status(self.service.name())
    }
}
