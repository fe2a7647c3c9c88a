//! The tarball: the program, and what a person wants beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::target::{Libc, Target};
use super::version;
use crate::{command, debian_rust};

/// What lies in it beside the program: from where in the sources, or in `content`.
const FILES: [(&str, &str); 6] = [
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("docs", "docs"),
    ("packaging/quickstart.sh", "quickstart.sh"),
];

/// Its name without ending.
fn name(target: &Target) -> String {
    let libc = match target.libc {
        Libc::Musl => "",
        Libc::Gnu => "-gnu",
    };
    let machine = target.triple.split('-').next().unwrap_or(target.triple);
    format!("abide-{}-linux-{machine}{libc}", version())
}

/// Makes it in `out`, and says where it is.
///
/// # Errors
/// A file is missing, or `tar` fails.
pub fn make(
    out: &Path,
    target: &Target,
    program: &Path,
    content: &Path,
) -> Result<PathBuf, String> {
    let name = name(target);
    let staging = out.join("staging").join(&name);
    debian_rust::remove(&staging)?;
    fs::create_dir_all(&staging).map_err(|e| format!("cannot make {}: {e}", staging.display()))?;
    copy(program, &staging.join("abide"))?;
    for (from, to) in FILES {
        copy(&command::root().join(from), &staging.join(to))?;
    }
    for part in ["man", "completions", "abide.service"] {
        copy(&content.join(part), &staging.join(part))?;
    }
    modes(&staging)?;
    let archive = out.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(reproducible()?)
        .arg("--use-compress-program=gzip --best --no-name")
        .arg("-cf")
        .arg(&archive)
        .arg(&name);
    command::run(tar.current_dir(out.join("staging")))?;
    debian_rust::remove(&staging)?;
    Ok(archive)
}

/// As `cp -R`.
pub fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let copied = Command::new("cp").arg("-RT").arg(from).arg(to).status();
    match copied {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "cannot copy {}: cp ended with {status}",
            from.display()
        )),
        Err(e) => Err(format!("cannot run cp: {e}")),
    }
}

/// Whatever this machine's umask is: readable by all, writable by its owner, executable what was.
pub fn modes(folder: &Path) -> Result<(), String> {
    command::run(
        Command::new("chmod")
            .args(["-R", "u=rwX,go=rX"])
            .arg(folder),
    )
}

/// When the sources are from: what is made from them twice is the same.
pub fn date() -> Result<String, String> {
    if let Ok(set) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(set);
    }
    let output = Command::new("git")
        .args(["log", "-1", "--format=%ct"])
        .current_dir(command::root())
        .output()
        .map_err(|e| format!("cannot run git: {e}"))?;
    let seconds = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !seconds.is_empty() {
        Ok(seconds)
    } else {
        Err("the date of the sources is not known: set SOURCE_DATE_EPOCH".to_owned())
    }
}

fn reproducible() -> Result<Vec<String>, String> {
    Ok(vec![
        "--sort=name".to_owned(),
        "--owner=0".to_owned(),
        "--group=0".to_owned(),
        "--numeric-owner".to_owned(),
        format!("--mtime=@{}", date()?),
    ])
}
