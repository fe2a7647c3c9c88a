//! PM2, from npm, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{ground, tool};

/// The version that was measured.
const PACKAGE: &str = "pm2@7.0.4";

/// The program.
///
/// # Errors
/// There is no Node, no npm, or no such package.
pub fn pm2(installed: &Path) -> Result<PathBuf, String> {
    let dir = installed.join("node");
    let program = dir.join("node_modules/.bin/pm2");
    if !program.is_file() {
        ground::make(&dir)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-fund", "--no-audit", "--prefix"]);
        tool::set_up(npm.arg(&dir).arg(PACKAGE))?;
    }
    Ok(program)
}
