//! The machine's whole file system, as one archive that the kernel unpacks into memory.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::output;
use super::packages::Packages;
use super::programs::Programs;

/// For a disk. Some kernels have the first ones built in.
const MODULES: &[&str] = &[
    "drivers/virtio/virtio.ko",
    "drivers/virtio/virtio_ring.ko",
    "drivers/virtio/virtio_pci_modern_dev.ko",
    "drivers/virtio/virtio_pci_legacy_dev.ko",
    "drivers/virtio/virtio_pci.ko",
    "drivers/block/virtio_blk.ko",
];

const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// An archive that the kernel can boot from, and a disk.
pub struct Image {
    /// The archive.
    pub archive: PathBuf,
    /// An empty disk.
    pub disk: PathBuf,
}

impl Image {
    /// Puts everything together in `dir`, with no other suites than these.
    ///
    /// # Errors
    /// A file cannot be copied, or a program is missing.
    pub fn make(
        dir: &Path,
        packages: &Packages,
        programs: &Programs,
        suites: &[&str],
    ) -> Result<Self, String> {
        let root = dir.join("root");
        if root.exists() {
            fs::remove_dir_all(&root)
                .map_err(|error| format!("cannot remove {}: {error}", root.display()))?;
        }
        for name in ["bin", "etc", "lib/modules", "root", "tests", "usr/bin"] {
            make_dir(&root.join(name))?;
        }
        put(&packages.busybox, &root.join("bin/busybox"))?;
        for (at, module) in MODULES.iter().enumerate() {
            let name = Path::new(module)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            let from = packages.modules.join(module);
            if from.is_file() {
                put(&from, &root.join(format!("lib/modules/{at}-{name}")))?;
            }
        }
        let mut libraries = BTreeSet::new();
        for program in programs.with(suites) {
            let to = root.join("tests").join(program.name);
            put(&program.path, &to)?;
            strip(&programs.strip, &to);
            if !programs.are_static {
                libraries.extend(libraries_of(&program.path)?);
            }
        }
        for library in libraries {
            let to = root.join(library.strip_prefix("/").unwrap_or(&library));
            make_dir(to.parent().unwrap_or(&root))?;
            put(&library, &to)?;
        }
        write(&root.join("etc/passwd"), PASSWD)?;
        write(&root.join("etc/group"), GROUP)?;
        let init = root.join("init");
        write(&init, include_str!("init.sh"))?;
        let may_run = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&init, may_run)
            .map_err(|error| format!("cannot make {} executable: {error}", init.display()))?;

        let archive = dir.join("root.cpio");
        pack(&root, &archive)?;
        let disk = dir.join("disk");
        let made = fs::File::create(&disk).and_then(|file| file.set_len(64 << 20));
        made.map_err(|error| format!("cannot make {}: {error}", disk.display()))?;
        Ok(Self { archive, disk })
    }
}

fn make_dir(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|error| format!("cannot make {}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn put(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|error| {
        format!(
            "cannot copy {} to {}: {error}",
            from.display(),
            to.display()
        )
    })
}

/// Without what only a debugger reads: the machine has to keep it in memory.
fn strip(strip: &str, program: &Path) {
    // Where there is none, it is larger.
    let _ = Command::new(strip)
        .arg("--strip-debug")
        .arg(program)
        .status();
}

/// The shared libraries of a program, the loader among them.
fn libraries_of(program: &Path) -> Result<Vec<PathBuf>, String> {
    let text = output("ldd", &[&program.display().to_string()], Path::new("/"))?;
    // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)", and for the loader "/lib64/ld-….so.2 (0x…)".
    let word = |line: &str| {
        let place = line.split(" => ").last()?.split_whitespace().next()?;
        place.starts_with('/').then(|| PathBuf::from(place))
    };
    Ok(text.lines().filter_map(word).collect())
}

fn pack(root: &Path, archive: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot pack {}: {error}", archive.display());
    let file = fs::File::create(archive).map_err(failed)?;
    let list = output("find", &["."], root)?;
    let mut cpio = Command::new("cpio")
        .args(["--create", "--format=newc", "--quiet", "--owner=0:0"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(file)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = cpio.stdin.take() {
        std::io::Write::write_all(&mut stdin, list.as_bytes()).map_err(failed)?;
    }
    let status = cpio.wait().map_err(failed)?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cpio ended with {status}"))
    }
}
