//! What the machine is made of, from Debian's packages.

use std::fs;
use std::path::{Path, PathBuf};

use super::kind::Kind;
use crate::foreign::Foreign;
use crate::{command, debian_rust, needs};

/// What was found.
pub struct Packages {
    /// The kernel.
    pub kernel: PathBuf,
    /// `/lib/modules/VERSION/kernel`.
    pub modules: PathBuf,
    /// A static busybox.
    pub busybox: PathBuf,
}

/// Installs the programs, and unpacks kernel and busybox into `dir` once.
///
/// # Errors
/// Something is missing and cannot be installed: what, and how to.
pub fn get(dir: &Path, kind: &Kind) -> Result<Packages, String> {
    let programs = [(kind.qemu, kind.package), ("cpio", "cpio")];
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !command::exists(program))
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        if !needs::can_install() {
            let list = missing.join(" ");
            return Err(format!(
                "the machine needs programs that are not here: as root, `apt-get install {list}`"
            ));
        }
        needs::apt(&missing)?;
    }
    let unpacked = dir.join("debian");
    if !unpacked.is_dir() {
        unpack(dir, kind, &unpacked)?;
    }
    let only = |dir: PathBuf, prefix: &str| {
        fs::read_dir(&dir)
            .ok()
            .and_then(|entries| {
                entries.flatten().map(|entry| entry.path()).find(|path| {
                    path.file_name()
                        .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
                })
            })
            .ok_or_else(|| {
                format!(
                    "there is no {prefix}* in {}; remove {} to unpack the kernel anew",
                    dir.display(),
                    unpacked.display()
                )
            })
    };
    Ok(Packages {
        kernel: only(unpacked.join("boot"), "vmlinuz")?,
        modules: only(unpacked.join("lib/modules"), "")?.join("kernel"),
        busybox: unpacked.join("bin/busybox"),
    })
}

/// Beside and then renamed, so that what is half done is not taken for done.
fn unpack(dir: &Path, kind: &Kind, unpacked: &Path) -> Result<(), String> {
    if !command::exists("apt-get") {
        return Err("the machine is made of Debian's packages: it needs a Debian".to_owned());
    }
    let half = dir.join("debian.new");
    debian_rust::remove(&half)?;
    let debian = Foreign::open(kind.debian, dir)?;
    debian.unpack(&debian.newest(kind.kernel)?, &half)?;
    debian.unpack("busybox-static", &half)?;
    fs::rename(&half, unpacked).map_err(|e| format!("cannot make {}: {e}", unpacked.display()))
}
