//! What abide asks of the operating system's own managers: to register a program as a service, to start
//! and stop it, to say how it is; and to keep what it logs.
//!
//! ```no_run
//! use std::time::Duration;
//! use abide_host::{Manager, Scope, Service};
//!
//! # fn main() -> Result<(), abide_host::Error> {
//! let manager = Manager::detect(Scope::System)?;
//! let mut service = Service::new("web", "/usr/local/bin/web");
//! service.description = Some("the shop's pages".to_owned());
//! print!("{}", manager.plan_install(&service)?);   // exactly what would be written
//! manager.install(&service)?;
//! manager.start("web", Duration::from_secs(30))?;
//! # Ok(())
//! # }
//! ```
//!
//! Architecture invariant: texts (unit files, scripts, messages) are made by pure functions; what is
//! written where, and which command is run, is a plan before it is done, so that it can be shown.

mod check;
pub mod console;
mod disk;
#[cfg(feature = "doctor")]
pub mod doctor;
mod error;
pub mod log;
pub mod manager;
pub mod notify;
pub mod plan;
mod process;
mod run;
pub mod scm;
pub mod service;
mod shell;

pub use error::Error;
pub use manager::{Change, Exit, Installed, Kind, Manager, Scope, State, Status};
pub use manager::{needs_password, needs_rights};
pub use plan::Plan;
pub use service::{
    Access, Holder, NotifyFrom, Password, Ready, Recovery, RecoveryAction, RecoveryKind, Restart,
    Right, Sandbox, ScmSettings, Service, ServiceSid, Start, StopTo,
};
