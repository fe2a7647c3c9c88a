//! `cargo xtask dist`: what is given to people: archives, a Debian package, checksums, a list of parts.
//!
//! - `target`: which machines it is built for;
//! - `musl`: static programs, by Debian's compiler and musl, with the standard library built once;
//! - `content`: what lies beside the program: man pages, completions, the unit file; the program writes them itself;
//! - `archive`: the tarball; `deb`: the Debian package; `zip`: the archive for Windows; `sbom`: the parts that it was made of.
//!
//! All of it ends up in `target/packages`. What is made twice from the same sources is the same, byte for byte.

mod archive;
mod content;
mod deb;
mod musl;
mod sbom;
mod target;
mod zip;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::stage::Stages;
use crate::{command, windows};
use target::{Libc, TARGETS, Target};

/// What `dist` can be told.
#[derive(Args, Default)]
pub struct Options {
    /// Only for these: x86_64-gnu, x86_64, aarch64, armv7; may be repeated. By default the first two.
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<String>,
    /// The zip for Windows, too.
    #[arg(long)]
    windows: bool,
    /// Only install what is needed for it.
    #[arg(long)]
    provision: bool,
    /// Profile that is built; another than `dist` is for trying things out.
    #[arg(long, default_value = "dist")]
    profile: String,
}

/// Where it ends up.
pub fn folder() -> PathBuf {
    command::root().join("target").join("packages")
}

/// The version, as all names have it.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Builds and packs.
///
/// # Errors
/// Names the stages that failed.
pub fn run(options: &Options) -> Result<(), String> {
    let targets = target::chosen(&options.targets)?;
    let mut stages = Stages::default();
    let statics: Vec<&Target> = targets
        .iter()
        .copied()
        .filter(|target| target.libc == Libc::Musl)
        .collect();
    if !statics.is_empty() {
        stages.run("compiler, linkers and musl", || musl::install(&statics));
    }
    if options.windows {
        stages.run("what packs for Windows", zip::install);
    }
    if options.provision {
        return stages.finish();
    }
    let out = folder();
    fs::create_dir_all(&out).map_err(|e| format!("cannot make {}: {e}", out.display()))?;
    let content = out.join("content");
    let beside = stages.run("man pages, completions, unit file", || {
        content::make(&content, &teller(&targets, &options.profile)?)
    });
    for target in &targets {
        let mut built = None;
        let done = stages.run(&format!("abide for {}", target.name), || {
            built = Some(build(target, &options.profile)?);
            Ok(())
        });
        let Some(program) = built.filter(|_| done && beside) else {
            continue;
        };
        if target.libc == Libc::Musl {
            stages.run(&format!("panics are caught ({})", target.name), || {
                musl::panics_are_caught(target)
            });
        }
        stages.run(&format!("it runs ({})", target.name), || {
            answers(target, &program)
        });
        stages.run(&format!("tarball for {}", target.name), || {
            archive::make(&out, target, &program, &content).map(drop)
        });
        if target.deb {
            stages.run(&format!("Debian package for {}", target.name), || {
                let package = deb::make(&out, target, deb::REVISION, &program, &content)?;
                // Other profiles leave in the program what a package must not have.
                if options.profile == "dist" {
                    deb::lint(&package)?;
                }
                Ok(())
            });
        }
    }
    if options.windows && beside {
        stages.run("zip for Windows", || {
            zip::make(&out, &windows::release()?, &content).map(drop)
        });
    }
    stages.run("list of parts", || sbom::make(&out));
    stages.run("checksums", || checksums(&out));
    stages.finish()
}

/// How static programs of one target are built, for what runs them elsewhere.
pub struct Static(&'static Target);

impl Static {
    /// For the target of this name; installs what it needs.
    ///
    /// # Errors
    /// There is no such target, or something cannot be had.
    pub fn named(name: &str) -> Result<Self, String> {
        let target = target::named(name)?;
        musl::install(&[target])?;
        Ok(Self(target))
    }

    /// Cargo, with a subcommand.
    ///
    /// # Errors
    /// The standard library cannot be built.
    pub fn cargo(&self, subcommand: &str) -> Result<Command, String> {
        musl::cargo(self.0, subcommand)
    }

    /// A program of the C compiler's, such as `strip`.
    pub fn tool(&self, name: &str) -> String {
        self.0.gcc.replace("-gcc", &format!("-{name}"))
    }
}

/// What tests are given.
pub struct ForTests {
    /// The Debian package.
    pub package: PathBuf,
    /// One that follows on it, of another build.
    pub next: PathBuf,
    /// The tarball.
    pub archive: PathBuf,
}

/// Packages of this machine's own kind, in a folder that is not for people; of programs that were built for the tests.
///
/// # Errors
/// They cannot be made.
pub fn for_tests(out: &Path, program: &Path, next: &Path) -> Result<ForTests, String> {
    let content = out.join("content");
    content::make(&content, program)?;
    let target = TARGETS
        .iter()
        .find(|target| target.deb && target.libc == Libc::Gnu)
        .ok_or("there is no target of this machine's own kind")?;
    Ok(ForTests {
        package: deb::make(out, target, deb::REVISION, program, &content)?,
        next: deb::make(out, target, deb::REVISION + 1, next, &content)?,
        archive: archive::make(out, target, program, &content)?,
    })
}

/// An abide that runs here: one of those that are to be built, else that of the tests.
fn teller(targets: &[&Target], profile: &str) -> Result<PathBuf, String> {
    match targets.iter().find(|target| target.emulator.is_none()) {
        Some(target) => build(target, profile),
        None => build(&TARGETS[0], "ci"),
    }
}

/// The program, built.
fn build(target: &Target, profile: &str) -> Result<PathBuf, String> {
    let mut cargo = match target.libc {
        Libc::Gnu => command::cargo(),
        Libc::Musl => musl::cargo(target, "build")?,
    };
    if target.libc == Libc::Gnu {
        cargo.arg("build");
    }
    cargo.args(["--package", "abide", "--profile", profile]);
    command::run(&mut cargo)?;
    let built = if profile == "dev" { "debug" } else { profile };
    let place = match target.libc {
        Libc::Gnu => command::root().join("target").join(built),
        Libc::Musl => musl::built(target).join(built),
    };
    Ok(place.join("abide"))
}

/// It says its version here: directly, or through an emulator.
fn answers(target: &Target, program: &Path) -> Result<(), String> {
    let mut words: Vec<&str> = target.emulator.into_iter().collect();
    let program = program.to_str().ok_or("the path is no text")?;
    words.extend([program, "--version"]);
    if target
        .emulator
        .is_some_and(|emulator| !command::exists(emulator))
    {
        println!(
            "SKIPPED: there is no {} (package qemu-user-static)",
            words[0]
        );
        return Ok(());
    }
    let output = Command::new(words[0]).args(&words[1..]).output();
    let output = output.map_err(|e| format!("cannot run {}: {e}", words.join(" ")))?;
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{}", said.trim());
    if said.starts_with(&format!("abide {}", version())) {
        Ok(())
    } else {
        let error = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "it said {said:?} {error:?} and ended with {}",
            output.status
        ))
    }
}

/// `SHA256SUMS`, for `sha256sum --check`, of what has this version; the folder may still have an earlier one's.
fn checksums(out: &Path) -> Result<(), String> {
    let entries = fs::read_dir(out).map_err(|e| format!("cannot read {}: {e}", out.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let rest = name.strip_prefix("abide").unwrap_or_default();
            rest.strip_prefix(['-', '_'])
                .and_then(|rest| rest.strip_prefix(version()))
                .is_some_and(|rest| rest.starts_with(['-', '.']))
        })
        .collect();
    names.sort();
    let output = Command::new("sha256sum")
        .args(&names)
        .current_dir(out)
        .output();
    let output = output.map_err(|e| format!("cannot run sha256sum: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let file = out.join("SHA256SUMS");
    fs::write(&file, &output.stdout)
        .map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
