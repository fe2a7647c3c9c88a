//! Arguments of `doctor`.

use clap::Args;

use super::ManagerArgs;

/// Arguments of `doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// A service of the operating system, installed by abide or by others, or a unit of the home
    /// [default: this machine, the home, its units, and all services that abide installed]
    #[arg(value_name = "SERVICE")]
    pub service: Option<String>,
    #[command(flatten)]
    pub at: ManagerArgs,
    /// Answer as one JSON document
    #[arg(long)]
    pub json: bool,
}
