//! `cargo xtask windows`: the crates that there are for Windows, built, linted and tested on this Linux
//! machine. See docs/windows.md.
//!
//! - `toolchain`: Debian's compiler, and the target's standard library, which is built once and kept;
//! - `prefix`: Wine's folders: one template, and a clone of it for each program that is run;
//! - `wine`: the runner that cargo is told to start each test through;
//! - `tests`: what is linted and run;
//! - `programs`: what cargo has built;
//! - `side_by_side`: the test programs, some of them at once;
//! - `exe`: `abide.exe` as it is shipped;
//! - `bundle`: the test programs, for a person with a real Windows.
//!
//! Everything lies in `target/windows`. The toolchain of the Linux build is not touched.

mod bundle;
mod exe;
mod prefix;
mod programs;
mod side_by_side;
mod tests;
mod toolchain;
mod wine;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use crate::stage::Stages;
use crate::{command, needs};

pub use prefix::{Prefix, version as wine_version};
pub use toolchain::{cargo as cargo_for, remove};
pub use wine::{Run, bounded, run as wine_run};

/// What `windows` can be told.
#[derive(Args)]
pub struct Options {
    /// Only install and build what is needed for it.
    #[arg(long)]
    pub provision: bool,
    /// Put the test programs into target/windows/verify, with the script that runs them on a real Windows.
    #[arg(long)]
    pub bundle: bool,
    /// Only what takes too long for every day: the daemon is killed 200 times while 150,000 lines are written, keeper
    /// and daemon at once 20 times. Prints what was lost.
    #[arg(long, conflicts_with_all = ["package", "arguments", "bundle", "provision"])]
    pub survival: bool,
    /// Without `abide.exe` as it is shipped, whose build takes minutes.
    #[arg(long)]
    without_release: bool,
    /// Run so many test programs at once [default: 1]
    // More of them at once have more often met a time-out of their own than a fault.
    #[arg(long, short, hide_default_value = true, default_value = "1")]
    jobs: NonZeroUsize,
    /// Only these crates.
    #[arg(long, short)]
    package: Vec<String>,
    /// Handed on to the tests' own runner: a filter, --nocapture.
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            provision: false,
            bundle: false,
            survival: false,
            without_release: false,
            jobs: NonZeroUsize::MIN,
            package: Vec::new(),
            arguments: Vec::new(),
        }
    }
}

impl Options {
    /// What belongs to every run of all tests.
    #[must_use]
    pub fn lean() -> Self {
        Self {
            without_release: true,
            ..Self::default()
        }
    }
}

/// Where all of it lies.
pub fn folder() -> PathBuf {
    command::root().join("target").join("windows")
}

/// `abide.exe` as it is shipped, built with what that needs.
///
/// # Errors
/// What is missing, or what cargo said.
pub fn release() -> Result<PathBuf, String> {
    install()?;
    exe::build()
}

/// Why it cannot run on this machine; `None`: it can.
#[must_use]
pub fn missing_here() -> Option<String> {
    let missing = toolchain::missing_packages();
    if missing.is_empty() || needs::can_install() {
        return None;
    }
    Some(format!(
        "as root on Debian, `apt-get install {}`",
        missing.join(" ")
    ))
}

/// Installs packages, so that it can be done while something else is going on.
///
/// # Errors
/// What apt-get said is on stderr.
pub fn install() -> Result<(), String> {
    let missing = toolchain::missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    match missing_here() {
        Some(way_out) => Err(format!("the compiler for Windows is not here: {way_out}")),
        None => needs::apt(&missing),
    }
}

/// Only what is needed.
///
/// # Errors
/// As [`run`].
pub fn provision() -> Result<(), String> {
    run(&Options {
        provision: true,
        ..Options::default()
    })
}

/// All of it, one stage after another.
///
/// # Errors
/// Names the stages that failed.
pub fn run(options: &Options) -> Result<(), String> {
    let mut stages = Stages::default();
    let ready = stages.run("compiler, linker and Wine", install)
        && stages.run("the target's standard library", || {
            toolchain::sysroot().map(|_| ())
        })
        && stages.run("the prefix that all are cloned from", || {
            prefix::remove_abandoned()?;
            prefix::template().map(|_| ())
        });
    if ready && options.survival {
        stages.run("deaths under Wine", tests::survival);
        return stages.finish();
    }
    if ready && !options.provision {
        let packages = tests::chosen(&options.package)?;
        if options.bundle {
            stages.run("test programs for a real Windows", || {
                bundle::make(&packages)
            });
            return stages.finish();
        }
        stages.run("lints", || tests::lints(&packages));
        stages.run("tests under Wine", || {
            tests::under_wine(&packages, &options.arguments, options.jobs.get())
        });
        if options.package.is_empty() && !options.without_release {
            stages.run("abide.exe, as it is shipped", || exe::ask(&exe::build()?));
        }
    }
    stages.finish()
}
