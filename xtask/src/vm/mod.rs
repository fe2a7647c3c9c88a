//! `cargo xtask vm`: a small Linux of its own, where limits by control groups can really be shown.
//!
//! The machine that runs the tests rarely lets them set limits, and has one kernel. Here a Debian kernel
//! boots in QEMU, without any hardware support for it, from a file system in memory that holds
//! busybox, `abide`, the contract suite of the platform and the scenarios of `e2e/tests/vm`:
//!
//! ```text
//!  packages ──► kernel, modules ─┐
//!  cargo ─────► abide, suites ───┴─► initramfs ──qemu──► init ──► suites ──► "vm: …" on the console
//! ```
//!
//! The same three times: with control groups v2, with v1 only, and with none.

mod image;
mod machine;
mod packages;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::command;
use crate::stage::Stages;
use image::Image;

/// What `vm` can be told.
#[derive(Args, Default)]
pub struct Options {
    /// Which control groups the machine has; may be given several times. All three by default.
    #[arg(long = "groups", value_enum)]
    groups: Vec<Groups>,
    /// Only tests whose names have this in them.
    #[arg(long, default_value = "")]
    only: String,
    /// Only this suite: `contract` or `scenarios`.
    #[arg(long, default_value = "contract,scenarios")]
    suite: String,
    /// Profile that `abide` is built with.
    #[arg(long, default_value = "ci")]
    profile: String,
    /// How many seconds one machine may take.
    #[arg(long, default_value_t = 1800)]
    within: u64,
}

/// Which control groups a machine has.
#[derive(Clone, Copy, ValueEnum)]
enum Groups {
    /// The unified hierarchy, as on today's distributions.
    V2,
    /// One hierarchy a controller, as on RHEL 7 and 8.
    V1,
    /// None are mounted.
    None,
}

impl Groups {
    fn word(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V1 => "v1",
            Self::None => "none",
        }
    }
}

/// Builds what the machine needs and boots it.
///
/// # Errors
/// Something could not be had, or a test failed; names the machines.
pub fn run(options: &Options) -> Result<(), String> {
    let dir = command::root().join("target").join("vm");
    std::fs::create_dir_all(&dir)
        .map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    let packages = packages::get(&dir)?;
    let programs = programs(&options.profile)?;
    let image = Image::make(&dir, &packages, &programs)?;
    let chosen = if options.groups.is_empty() {
        Groups::value_variants()
    } else {
        &options.groups
    };
    let mut stages = Stages::default();
    for groups in chosen {
        let word = groups.word();
        stages.run(&format!("machine with control groups {word}"), || {
            let within = Duration::from_secs(options.within);
            let words = format!(
                "vm.groups={word} vm.suites={} vm.only={}",
                options.suite, options.only
            );
            machine::boot(&packages, &image, word, &words, within)
        });
    }
    stages.finish()
}

/// A program that goes into the machine.
struct Program {
    /// What it is called there.
    name: &'static str,
    /// Where it was built.
    path: PathBuf,
}

fn programs(profile: &str) -> Result<Vec<Program>, String> {
    let abide = built(
        &["build", "--profile", profile, "--package", "abide"],
        "abide",
    )?;
    let contract = built(
        &[
            "test",
            "--no-run",
            "--package",
            "abide-platform",
            "--test",
            "contract",
        ],
        "contract",
    )?;
    let scenarios = built(
        &["test", "--no-run", "--package", "abide-e2e", "--test", "vm"],
        "vm",
    )?;
    Ok(vec![
        Program {
            name: "abide",
            path: abide,
        },
        Program {
            name: "contract",
            path: contract,
        },
        Program {
            name: "scenarios",
            path: scenarios,
        },
    ])
}

/// Builds with cargo, and says where the executable of this target is.
pub fn built(args: &[&str], target: &str) -> Result<PathBuf, String> {
    println!("$ cargo {}", args.join(" "));
    let output = command::cargo()
        .args(args)
        .args(["--quiet", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo ended with {}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let executable = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == target)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    executable.ok_or_else(|| format!("cargo built no executable for {target}"))
}

/// Runs a program quietly and returns what it wrote.
fn output(program: &str, args: &[&str], dir: &Path) -> Result<String, String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!(
            "{program} {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}
