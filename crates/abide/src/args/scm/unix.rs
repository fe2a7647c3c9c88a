use std::path::Path;

use abide_daemon::installed::Shelf;
use abide_host::{ScmSettings, Service};
use clap::Args;

use crate::failure::Failure;

/// None: those of Windows are offered there.
#[derive(Args, Debug, Default)]
pub struct ScmArgs {}

impl ScmArgs {
    /// What Windows does where nothing is said.
    ///
    /// # Errors
    /// Never.
    pub fn settings(&self, _account: Option<&str>) -> Result<ScmSettings, Failure> {
        Ok(ScmSettings::default())
    }

    /// None: controls are a matter of services of Windows.
    ///
    /// # Errors
    /// Never.
    pub fn controls(&self) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    /// No home of this system is given to anybody.
    ///
    /// # Errors
    /// Never.
    pub fn check_home(&self, _: &Service, _: &Path, _: &Shelf) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Nothing: none is to be given.
    ///
    /// # Errors
    /// Never.
    pub fn give_home(&self, _: &Path) -> Result<(), Failure> {
        Ok(())
    }
}
