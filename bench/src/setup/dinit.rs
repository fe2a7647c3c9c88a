//! dinit, built from its sources. Debian 12 and 13 do not have it, so somebody has to bring them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tool;

/// The folder with the programs `dinit` and `dinitctl`.
///
/// # Errors
/// No sources were given, or they do not build.
pub fn programs(installed: &Path, sources: Option<&Path>) -> Result<PathBuf, String> {
    let built = installed.join("dinit");
    let programs = built.join("src");
    if programs.join("dinit").is_file() && programs.join("dinitctl").is_file() {
        return Ok(programs);
    }
    let sources = sources.ok_or(
        "Debian has no package of it; `--dinit DIR` takes a folder with its sources \
         (davmac314/dinit on GitHub), which are built there",
    )?;
    // What an attempt left that did not come to its end.
    let _ = std::fs::remove_dir_all(&built);
    let mut copy = Command::new("cp");
    tool::set_up(copy.arg("-r").arg(sources).arg(&built))?;
    tool::set_up(Command::new("./configure").current_dir(&built))?;
    // Not its manuals: they need programs that are no compiler.
    for part in ["build", "src"] {
        let mut make = Command::new("make");
        tool::set_up(
            make.args(["--quiet", "-C", part, "all"])
                .current_dir(&built),
        )?;
    }
    Ok(programs)
}
