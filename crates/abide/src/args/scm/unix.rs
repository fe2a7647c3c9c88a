use abide_daemon::installed::{Note, Shelf};
use abide_host::ScmSettings;
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

    /// No home of this system can be one that an account of Windows is given.
    ///
    /// # Errors
    /// Never.
    pub fn check_home(&self, _: &Note, _: &Shelf, _: &str) -> Result<(), Failure> {
        Ok(())
    }
}
