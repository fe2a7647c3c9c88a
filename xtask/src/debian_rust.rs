//! Debian's Rust compiler, for machines that rustup's cannot be had for: Debian's packages hold the source of the
//! standard library, which is built from that once for each version of the compiler.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command;

/// `rustc-web` and its like are the newest compiler that Debian's stable release has.
pub const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

/// `panic_abort` has to be compiled with `panic=abort`, or no profile with that setting can use it; cargo
/// has no way to say so for one crate of the standard library.
const WRAPPER: &str = r#"#!/bin/sh
case " $* " in
*" --crate-name panic_abort "*) exec "$@" -C panic=abort ;;
*) exec "$@" ;;
esac
"#;

/// The machine that all of this was tried on.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// Of these packages, the ones that are not installed.
pub fn missing(packages: &[&'static str]) -> Vec<&'static str> {
    let known = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output()
        .map_or_else(|_| Vec::new(), |output| output.stdout);
    let known = String::from_utf8_lossy(&known).into_owned();
    let installed = |package: &str| {
        known
            .lines()
            .any(|line| line == format!("{package} installed"))
    };
    packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect()
}

/// What a build for another machine is given.
pub struct Build<'a> {
    /// What it is for.
    pub target: &'a str,
    /// What links it.
    pub linker: String,
    /// More flags for the compiler.
    pub flags: Vec<String>,
    /// What runs its programs here, if something does.
    pub runner: Option<Vec<String>>,
    /// Where cargo builds.
    pub place: PathBuf,
    /// Of the standard library: see [`standard_library`].
    pub sysroot: PathBuf,
}

impl Build<'_> {
    /// Debian's cargo, with everything that belongs to the toolchain of the Linux build taken out of its
    /// environment: rlibs of one compiler mean nothing to another.
    pub fn cargo(&self, subcommand: &str) -> Command {
        // `cargo clippy` would find rustup's.
        let mut cargo = match subcommand {
            "clippy" => Command::new("/usr/bin/cargo-clippy"),
            _ => Command::new("/usr/bin/cargo"),
        };
        cargo.arg(subcommand).current_dir(command::root());
        for name in [
            "RUSTUP_TOOLCHAIN",
            "RUSTUP_HOME",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "CARGO_BUILD_TARGET",
        ] {
            cargo.env_remove(name);
        }
        cargo
            .env("CARGO", "/usr/bin/cargo")
            .env("RUSTC", "/usr/bin/rustc")
            .env("RUSTDOC", "/usr/bin/rustdoc")
            .env("CARGO_TARGET_DIR", &self.place)
            .args(["--target", self.target]);
        let mut flags = vec![format!("--sysroot={}", self.sysroot.display())];
        flags.extend(self.flags.iter().cloned());
        let setting = |key: &str, value: String| format!("target.{}.{key}={value}", self.target);
        let mut settings = vec![
            setting("linker", format!("{:?}", self.linker)),
            // Lists, so that a path may have spaces.
            setting("rustflags", format!("{flags:?}")),
        ];
        if let Some(runner) = &self.runner {
            settings.push(setting("runner", format!("{runner:?}")));
        }
        for setting in settings {
            cargo.args(["--config", &setting]);
        }
        cargo
    }
}

/// A root for the compiler in which the target's standard library lies, built into `folder` if this compiler has
/// none there yet. `parts` are the crates of it that are built.
pub fn standard_library(folder: &Path, target: &str, parts: &str) -> Result<PathBuf, String> {
    let done = folder.join(format!("std-{}", compiler()?));
    if !done.is_dir() {
        let work = folder.join("std.new");
        build(&work, target, parts)
            .map_err(|why| format!("cannot build the standard library: {why}"))?;
        remove_others(folder)?;
        fs::rename(work.join("sysroot"), &done).map_err(|error| error.to_string())?;
        remove(&work)?;
    }
    Ok(done)
}

/// Version and commit of Debian's compiler.
fn compiler() -> Result<String, String> {
    let output = Command::new("/usr/bin/rustc")
        .arg("-vV")
        .output()
        .map_err(|error| format!("cannot run /usr/bin/rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
    };
    match (value("release"), value("commit-hash"), value("host")) {
        (Some(release), Some(hash), Some(HOST)) => {
            let short = hash.get(..9).unwrap_or(hash);
            Ok(format!("{release}-{short}"))
        }
        (_, _, Some(host)) if host != HOST => Err(format!(
            "cannot build for other machines on {host}: only x86-64 Linux was tried"
        )),
        _ => Err(format!("cannot make sense of `/usr/bin/rustc -vV`: {text}")),
    }
}

fn build(work: &Path, target: &str, parts: &str) -> Result<(), String> {
    let io = |error: std::io::Error| error.to_string();
    remove(work)?;
    fs::create_dir_all(work.join("src")).map_err(io)?;
    // A workspace of its own, or cargo takes it for a forgotten member of ours. A library, so that nothing is linked.
    let manifest =
        "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(work.join("Cargo.toml"), manifest).map_err(io)?;
    fs::write(work.join("src").join("lib.rs"), "").map_err(io)?;
    let wrapper = work.join("wrapper");
    fs::write(&wrapper, WRAPPER).map_err(io)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).map_err(io)?;
    command::run(
        Command::new("/usr/bin/cargo")
            .args(["build", "--quiet", "--release", "--target", target])
            .arg(format!("-Zbuild-std={parts}"))
            .current_dir(work)
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("RUSTFLAGS")
            // The option above is for the nightly compiler; this says that we know.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO", "/usr/bin/cargo")
            .env("RUSTC", "/usr/bin/rustc")
            .env("RUSTC_WRAPPER", &wrapper)
            .env("CARGO_TARGET_DIR", work.join("target"))
            // Without the bitcode no profile with link-time optimisation can use it.
            .env("CARGO_ENCODED_RUSTFLAGS", "-Cembed-bitcode=yes"),
    )?;
    let sysroot = work.join("sysroot").join("lib").join("rustlib");
    let libraries = sysroot.join(target).join("lib");
    fs::create_dir_all(&libraries).map_err(io)?;
    let built = work
        .join("target")
        .join(target)
        .join("release")
        .join("deps");
    for entry in fs::read_dir(&built).map_err(io)? {
        let entry = entry.map_err(io)?;
        let is_ours = entry.file_name().to_string_lossy().starts_with("libseed-");
        if !is_ours && entry.path().extension().is_some_and(|ext| ext == "rlib") {
            fs::rename(entry.path(), libraries.join(entry.file_name())).map_err(io)?;
        }
    }
    // Build scripts and procedural macros are programs of this machine.
    symlink(format!("/usr/lib/rustlib/{HOST}"), sysroot.join(HOST)).map_err(io)
}

/// Standard libraries of earlier compilers.
fn remove_others(folder: &Path) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with("std-") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a folder, if it is there.
pub fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}
