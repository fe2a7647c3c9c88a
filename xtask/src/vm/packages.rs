//! What the machine is made of, from Debian's packages.

use std::path::{Path, PathBuf};

use super::output;
use crate::{command, needs};

/// Programs on this machine, and the packages that they come in.
const PROGRAMS: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
];

/// Always depends on the newest kernel for virtual machines.
const KERNEL: &str = "linux-image-cloud-amd64";

/// What was found.
pub struct Packages {
    /// The kernel.
    pub kernel: PathBuf,
    /// `/lib/modules/VERSION/kernel`.
    pub modules: PathBuf,
    /// A static busybox.
    pub busybox: PathBuf,
}

/// Installs the programs, and unpacks a kernel into `dir` once.
///
/// # Errors
/// Something is missing and cannot be installed: what, and how to.
pub fn get(dir: &Path) -> Result<Packages, String> {
    let missing: Vec<&str> = PROGRAMS
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
    let busybox = command::find("busybox").ok_or("busybox is not there after its installation")?;
    let unpacked = dir.join("kernel");
    if !unpacked.join("boot").is_dir() {
        unpack_kernel(dir, &unpacked)?;
    }
    let only = |dir: PathBuf, prefix: &str| {
        std::fs::read_dir(&dir)
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
        busybox,
    })
}

fn unpack_kernel(dir: &Path, unpacked: &Path) -> Result<(), String> {
    let package = match newest_kernel(dir) {
        Ok(package) => package,
        // An image that was never told where packages are.
        Err(_) if needs::can_install() => {
            output("apt-get", &["-qq", "update"], dir)?;
            newest_kernel(dir)?
        }
        Err(why) => return Err(why),
    };
    println!("downloading {package}");
    output("apt-get", &["-qq", "download", &package], dir)?;
    let file = std::fs::read_dir(dir)
        .map_err(|error| format!("cannot read {}: {error}", dir.display()))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&format!("{package}_")))
        })
        .ok_or_else(|| format!("apt-get left no {package} in {}", dir.display()))?;
    // Unpacked beside, so that what is half done is not taken for done.
    let (deb, half) = (file.display().to_string(), dir.join("kernel.new"));
    output("dpkg", &["-x", &deb, &half.display().to_string()], dir)?;
    std::fs::rename(&half, unpacked)
        .map_err(|error| format!("cannot make {}: {error}", unpacked.display()))?;
    std::fs::remove_file(&file).map_err(|error| format!("cannot remove {deb}: {error}"))
}

fn newest_kernel(dir: &Path) -> Result<String, String> {
    let text = output("apt-cache", &["depends", KERNEL], dir)?;
    text.lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "))
        .map(str::to_owned)
        .ok_or_else(|| {
            format!(
                "apt-cache knows no {KERNEL}: `cargo xtask vm` needs a Debian, and `apt-get update`"
            )
        })
}
