//! `cargo xtask systemd`: the tests that need a service manager, in a small Debian of their own.
//!
//! ```text
//!  debootstrap ──► target/managers/root ──cp──► root-TEST ──systemd-nspawn──► systemd | runsvdir | nobody
//!  runit.deb ──────────╯  (kept)                                  ╰─ nsenter: abide, systemctl, sv, …
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::{command, dist, needs, upgrades};

/// The release, and what is in it beside what every Debian has.
const RELEASE: &str = "bookworm";
const INCLUDED: &str = "systemd,systemd-sysv,dbus,procps,libpam-systemd,dbus-user-session";

/// What `systemd` can be told.
#[derive(Args, Default)]
pub struct Options {
    /// Only tests whose names have this in them.
    #[arg(long)]
    only: Option<String>,
    /// Profile that `abide` is built with.
    #[arg(long, default_value = "ci")]
    profile: String,
}

/// The same where the folder can be made; elsewhere it says why not.
///
/// # Errors
/// A test failed.
pub fn run_if_possible() -> Result<(), String> {
    if let Err(why) = root() {
        println!("SKIPPED the service managers: {why}");
        return Ok(());
    }
    run(&Options {
        only: None,
        profile: "ci".to_owned(),
    })
}

/// Makes the folder if it is not there, and runs the tests in copies of it.
///
/// # Errors
/// It cannot be made, or a test failed.
pub fn run(options: &Options) -> Result<(), String> {
    let root = root()?;
    let (abide, next) = upgrades::two_builds(&options.profile)?;
    let packages = packages(&root.with_file_name("packages"), &abide, &next)?;
    let mut test = command::cargo();
    test.args(["test", "--package", "abide-e2e", "--test", "managers", "--"]);
    test.args(["--test-threads=1"]).args(&options.only);
    command::run(
        test.env("ABIDE_MANAGERS_ROOT", &root)
            .env("ABIDE_BIN", abide)
            .envs(packages),
    )
}

/// The Debian package, the one after it and the tarball, where they can be made: what is built here asks for the C
/// library of here, and the folder has that of its own release.
fn packages(
    place: &Path,
    abide: &Path,
    next: &Path,
) -> Result<Vec<(&'static str, PathBuf)>, String> {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let why = if !command::exists("dpkg-shlibdeps") {
        "there is no dpkg-shlibdeps (package dpkg-dev)".to_owned()
    } else if !system.contains(RELEASE) {
        format!("this machine is not Debian {RELEASE}, which they would be tried on")
    } else {
        String::new()
    };
    if !why.is_empty() {
        println!("SKIPPED the packages: {why}");
        return Ok(Vec::new());
    }
    let made = dist::for_tests(place, abide, next)?;
    Ok(vec![
        ("ABIDE_DEB", made.package),
        ("ABIDE_DEB_NEXT", made.next),
        ("ABIDE_ARCHIVE", made.archive),
    ])
}

/// The folder, made once.
///
/// # Errors
/// It cannot be had here: by whom, and why.
fn root() -> Result<PathBuf, String> {
    let place = command::root().join("target").join("managers");
    let root = place.join("root");
    if root.is_dir() {
        return Ok(root);
    }
    if !needs::can_install() {
        return Err("a system in a folder can be made by root on Debian only".to_owned());
    }
    let tools: Vec<&str> = [
        ("debootstrap", "debootstrap"),
        ("systemd-nspawn", "systemd-container"),
    ]
    .into_iter()
    .filter_map(|(program, package)| (!command::exists(program)).then_some(package))
    .collect();
    if !tools.is_empty() {
        needs::apt(&tools)?;
    }
    fs::create_dir_all(&place).map_err(|e| format!("cannot make {}: {e}", place.display()))?;
    // Whole or not at all.
    let making = place.join("making");
    if making.exists() {
        fs::remove_dir_all(&making)
            .map_err(|e| format!("cannot remove {}: {e}", making.display()))?;
    }
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args([
        "--variant=minbase",
        &format!("--include={INCLUDED}"),
        RELEASE,
    ]);
    command::run(debootstrap.arg(&making))?;
    add_runit(&place, &making)?;
    fs::rename(&making, &root).map_err(|e| format!("cannot rename {}: {e}", making.display()))?;
    Ok(root)
}

/// Its programs alone: installed, it would run; unpacked as it is, it would put folders where Debian has links.
fn add_runit(place: &Path, root: &Path) -> Result<(), String> {
    let mut download = Command::new("apt-get");
    download.args(["-qq", "download", "runit", "-o", "APT::Sandbox::User=root"]);
    command::run(download.current_dir(place))?;
    let unpacked = place.join("runit");
    for entry in fs::read_dir(place).map_err(|e| e.to_string())?.flatten() {
        let file = entry.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            command::run(Command::new("dpkg").arg("-x").arg(&file).arg(&unpacked))?;
        }
    }
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(unpacked.join("usr/bin/."));
    command::run(copy.arg(root.join("usr/bin")))?;
    for folder in ["etc/service", "etc/sv"] {
        let folder = root.join(folder);
        fs::create_dir_all(&folder)
            .map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    }
    Ok(())
}
