//! Packages of Debian, unpacked into a folder. An installed one would also be started.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{ground, tool};

/// Unpacks packages once. The folder.
///
/// # Errors
/// This is no Debian, or it has no such package.
pub fn unpacked(installed: &Path, name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = installed.join(name);
    if folder.join("usr").is_dir() {
        return Ok(folder);
    }
    let half = installed.join(format!("{name}.new"));
    ground::make(&half)?;
    let download = || {
        let mut command = Command::new("apt-get");
        // As root into a folder that apt's own account cannot write to, which it complains of.
        command
            .args(["-qq", "-o", "APT::Sandbox::User=root", "download"])
            .args(packages)
            .current_dir(&half);
        tool::set_up(&mut command)
    };
    if download().is_err() {
        // An image that was never told where packages are.
        tool::set_up(Command::new("apt-get").args(["-qq", "update"]))?;
        download()?;
    }
    let entries = std::fs::read_dir(&half)
        .map_err(|error| format!("cannot read {}: {error}", half.display()))?;
    for file in entries.flatten().map(|entry| entry.path()) {
        if file.extension().is_some_and(|extension| extension == "deb") {
            tool::set_up(Command::new("dpkg").arg("-x").arg(&file).arg(&half))?;
            let _ = std::fs::remove_file(&file);
        }
    }
    std::fs::rename(&half, &folder)
        .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    Ok(folder)
}

/// Installs a package that cannot be run from elsewhere, unless its program is there.
///
/// # Errors
/// This is not root on a Debian, or it has no such package.
pub fn installed(program: &str, package: &str) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|dir| dir.join(program).is_file()) {
        return Ok(());
    }
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["-qq", "install", "--yes", "--no-install-recommends"]);
    tool::set_up(command.arg(package))
}

/// Where this machine's packages come from, and for which release.
///
/// # Errors
/// apt does not say.
pub fn mirror() -> Result<(String, String), String> {
    let mut command = Command::new("apt-get");
    command.args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME) $(LABEL)",
    ]);
    command.arg("Created-By: Packages");
    let text = tool::output(&mut command)?;
    text.lines()
        .filter(|line| line.ends_with(" Debian"))
        .find_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .ok_or_else(|| "apt knows no source of Debian packages".to_owned())
}

/// The version of a package that `unpacked` would take.
///
/// # Errors
/// There is none.
pub fn version(package: &str) -> Result<String, String> {
    let mut command = Command::new("apt-cache");
    let text = tool::output(command.args(["show", "--no-all-versions", package]))?;
    text.lines()
        .find_map(|line| line.strip_prefix("Version: "))
        .map(str::to_owned)
        .ok_or_else(|| format!("apt knows no {package}"))
}
