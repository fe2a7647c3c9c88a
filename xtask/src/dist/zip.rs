//! The archive for Windows: the program, and what a person wants beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::{copy, date, modes};
use super::version;
use crate::{command, debian_rust, needs};

/// What lies in it beside the program: from where in the sources, or in `content`.
const FILES: [(&str, &str); 5] = [
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("docs", "docs"),
];

/// Installs what packs it.
///
/// # Errors
/// It is not here, and cannot be installed.
pub fn install() -> Result<(), String> {
    match (command::exists("zip"), needs::can_install()) {
        (true, _) => Ok(()),
        (false, true) => needs::apt(&["zip"]),
        (false, false) => {
            Err("zip is missing: as root on Debian, `apt-get install zip`".to_owned())
        }
    }
}

/// Makes it in `out`, and says where it is. What is packed twice from the same sources is the same.
///
/// # Errors
/// A file is missing, or `zip` fails.
pub fn make(out: &Path, program: &Path, content: &Path) -> Result<PathBuf, String> {
    let name = format!("abide-{}-windows-x86_64", version());
    let staging = out.join("staging").join(&name);
    debian_rust::remove(&staging)?;
    fs::create_dir_all(&staging).map_err(|e| format!("cannot make {}: {e}", staging.display()))?;
    copy(program, &staging.join("abide.exe"))?;
    for (from, to) in FILES {
        copy(&command::root().join(from), &staging.join(to))?;
    }
    copy(&content.join("abide.ps1"), &staging.join("abide.ps1"))?;
    modes(&staging)?;
    let archive = out.join(format!("{name}.zip"));
    if archive.exists() {
        fs::remove_file(&archive)
            .map_err(|e| format!("cannot remove {}: {e}", archive.display()))?;
    }
    // Times are the machine's local ones in a zip.
    let script = "find \"$0\" -exec touch -d \"@$1\" {} + && find \"$0\" | LC_ALL=C sort | zip -q -X -9 -@ \"$2\"";
    let mut zip = Command::new("sh");
    zip.args(["-ec", script, &name, &date()?]).arg(&archive);
    command::run(zip.env("TZ", "UTC").current_dir(out.join("staging")))?;
    debian_rust::remove(&staging)?;
    Ok(archive)
}
