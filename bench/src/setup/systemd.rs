//! systemd, booted in a container by `systemd-nspawn`: a Debian of its own, made by debootstrap. Needs root.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::debian;
use crate::tool;

/// What is needed to boot it.
pub struct Machine {
    /// `systemd-nspawn`.
    pub nspawn: PathBuf,
    /// Where its library lies.
    pub libraries: PathBuf,
    /// The container's files.
    pub root: PathBuf,
}

/// Makes the container once.
///
/// # Errors
/// This is not root on a Debian, or something cannot be had.
pub fn machine(installed: &Path) -> Result<Machine, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("a container needs root".to_owned());
    }
    let packages = ["systemd-container", "libsystemd-shared", "debootstrap"];
    let tools = debian::unpacked(installed, "nspawn", &packages)?;
    let root = installed.join("systemd");
    if !root.is_dir() {
        let (uri, release) = debian::mirror()?;
        let half = installed.join("systemd.new");
        // What an interrupted attempt left.
        let _ = std::fs::remove_dir_all(&half);
        let mut make = Command::new(tools.join("usr/sbin/debootstrap"));
        make.env("DEBOOTSTRAP_DIR", tools.join("usr/share/debootstrap"))
            .args(["--variant=minbase"])
            .arg("--include=systemd,systemd-sysv,dbus,procps")
            .arg(release)
            .arg(&half)
            .arg(uri);
        tool::set_up(&mut make)?;
        std::fs::rename(&half, &root)
            .map_err(|error| format!("cannot make {}: {error}", root.display()))?;
    }
    Ok(Machine {
        nspawn: tools.join("usr/bin/systemd-nspawn"),
        libraries: tools.join("usr/lib/x86_64-linux-gnu/systemd"),
        root,
    })
}
