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
//! The same four times: with control groups v2, with v1 only, with none, and with little memory. `--target` has static
//! programs in it, and for other processors a kernel of theirs.

mod image;
mod kind;
mod machine;
mod packages;
mod programs;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::command;
use crate::stage::Stages;
use image::Image;
use kind::Kind;
use machine::Boot;
use programs::Programs;

pub use programs::built;

/// What `vm` can be told.
#[derive(Args, Default)]
pub struct Options {
    /// What the machine has; may be given several times. All four by default.
    #[arg(long = "machine", alias = "groups", value_enum)]
    machines: Vec<Machine>,
    /// Its processor, and which programs it runs: `native`, those that are built for this machine; or the static ones for
    /// `x86_64`, `aarch64`, `armv7`.
    #[arg(long, default_value = "native")]
    target: String,
    /// Only tests whose names have this in them.
    #[arg(long, default_value = "")]
    only: String,
    /// Only this suite; may be given several times. Both by default.
    #[arg(long = "suite", value_enum, value_delimiter = ',')]
    suites: Vec<Suite>,
    /// Profile that `abide` is built with.
    #[arg(long, default_value = "ci")]
    profile: String,
    /// How many seconds one machine may take.
    #[arg(long, default_value_t = 1800)]
    within: u64,
}

/// What a machine has.
#[derive(Clone, Copy, ValueEnum)]
enum Machine {
    /// The unified hierarchy, as on today's distributions.
    V2,
    /// One hierarchy a controller, as on RHEL 7 and 8.
    V1,
    /// None are mounted.
    None,
    /// As `V2`, and 128 MiB of memory; without the contract suite, whose program alone takes much of that.
    Small,
}

/// What runs in a machine.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// What `abide-platform` promises, by its contract.
    Contract,
    /// Those of `e2e/tests/vm`, with the real binary.
    Scenarios,
}

impl Suite {
    /// What its program is called in the machine.
    fn word(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Scenarios => "scenarios",
        }
    }
}

impl Machine {
    /// It has room for this suite.
    fn takes(self, suite: Suite) -> bool {
        !matches!((self, suite), (Self::Small, Suite::Contract))
    }

    fn word(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V1 => "v1",
            Self::None => "none",
            Self::Small => "small",
        }
    }

    /// In MiB.
    fn memory(self) -> u32 {
        match self {
            Self::Small => 128,
            _ => 1024,
        }
    }
}

/// Builds what the machine needs and boots it.
///
/// # Errors
/// Something could not be had, or a test failed; names the machines.
pub fn run(options: &Options) -> Result<(), String> {
    let kind = Kind::named(&options.target)?;
    let dir = command::root().join("target").join("vm").join(kind.name);
    std::fs::create_dir_all(&dir)
        .map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    let packages = packages::get(&dir, kind)?;
    let machines = all_unless_named(&options.machines);
    let suites = all_unless_named(&options.suites);
    let needed = |suite: &Suite| machines.iter().any(|machine| machine.takes(*suite));
    let built: Vec<Suite> = suites.iter().copied().filter(needed).collect();
    if built.is_empty() {
        return Err("none of these machines has room for that suite".to_owned());
    }
    let programs = Programs::build(kind, &options.profile, &built)?;
    let mut stages = Stages::default();
    for machine in machines {
        let word = machine.word();
        let runs = |suite: &&Suite| machine.takes(**suite);
        let suites: Vec<&str> = built
            .iter()
            .filter(runs)
            .map(|suite| suite.word())
            .collect();
        let image = Image::make(&dir, &packages, &programs, &suites)?;
        stages.run(&format!("{} machine, {word}", kind.name), || {
            machine::boot(&Boot {
                kind,
                packages: &packages,
                image: &image,
                name: word,
                memory: machine.memory(),
                words: format!(
                    "vm.groups={word} vm.suites={} vm.only={}",
                    suites.join(","),
                    options.only
                ),
                within: Duration::from_secs(options.within),
            })
        });
    }
    stages.finish()
}

fn all_unless_named<T: ValueEnum>(named: &[T]) -> &[T] {
    if named.is_empty() {
        T::value_variants()
    } else {
        named
    }
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
