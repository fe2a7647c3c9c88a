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
}
