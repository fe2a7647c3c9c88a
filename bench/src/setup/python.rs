//! Peers in Python, from PyPI, in an environment of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tool;

/// The versions that were measured.
const PACKAGES: &[&str] = &["supervisor==4.3.0", "circus==0.19.0"];

/// The folder with the programs.
///
/// # Errors
/// There is no Python, or no such package.
pub fn programs(installed: &Path) -> Result<PathBuf, String> {
    let venv = installed.join("python");
    let stamp = venv.join(PACKAGES.join(","));
    if !stamp.is_file() {
        let mut make = Command::new("python3");
        tool::set_up(make.args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut pip = Command::new(venv.join("bin/pip"));
        tool::set_up(pip.args(["install", "--quiet"]).args(PACKAGES))?;
        std::fs::write(&stamp, "").map_err(|error| error.to_string())?;
    }
    Ok(venv.join("bin"))
}
