//! `cargo xtask test`: everything that can be run, one stage after another, never two compilers at once.

use std::fs;
use std::thread::JoinHandle;

use clap::Args;

use crate::stage::Stages;
use crate::{check, command, faults, needs, old, quickstart, sim, systemd, windows};

/// What `test` can be told.
#[derive(Args, Default)]
pub struct Options {
    /// Without the stages that take minutes: scenarios, planted faults, quickstart.
    #[arg(long)]
    pub quick: bool,
}

/// Runs all stages, also after one has failed.
///
/// # Errors
/// Names the stages that failed.
pub fn run(options: &Options) -> Result<(), String> {
    let mut stages = Stages::default();
    if !options.quick {
        stages.run("what the tests need", needs::install);
    }
    // Hundreds of megabytes, which come while the compiler works.
    let for_windows = (!options.quick && windows::missing_here().is_none())
        .then(|| std::thread::spawn(windows::install));
    stages.run("check", || check::run(&check::Options::default()));
    stages.run("unit, contract, property, simulator", || {
        command::run(command::cargo().args([
            "test",
            "--workspace",
            "--exclude",
            "abide-e2e",
            "--no-fail-fast",
        ]))
    });
    if !options.quick {
        stages.run("planted faults", || {
            sim::run(&sim::Options {
                seeds: 500,
                teeth: true,
            })
        });
        stages.run("build the binary", || {
            command::run(command::cargo().args([
                "build",
                "--profile",
                "ci",
                "--package",
                "abide",
                "--package",
                "abide-quickstart",
            ]))
        });
        stages.run("scenarios", scenarios);
        stages.run("service managers", systemd::run_if_possible);
        stages.run("older kernels", || {
            old::run(&old::Options {
                quick: true,
                ..old::Options::default()
            })
        });
        stages.run("faults", || faults::run(&faults::Options::short()));
        stages.run("quickstart", || {
            quickstart::run(&quickstart::Options { down: true })
        });
        stages.run("windows", || under_wine(for_windows));
    }
    stages.finish()
}

/// What there is for Windows, once its packages are there.
fn under_wine(installed: Option<JoinHandle<Result<(), String>>>) -> Result<(), String> {
    let Some(installed) = installed else {
        let why = windows::missing_here().unwrap_or_default();
        eprintln!("SKIPPED what there is for Windows: {why}");
        return Ok(());
    };
    match installed.join() {
        Ok(done) => done?,
        Err(_) => return Err("installing packages for Windows panicked".to_owned()),
    }
    windows::run(&windows::Options::lean())
}

/// The end-to-end scenarios, and a summary of those that could not run here.
fn scenarios() -> Result<(), String> {
    let skipped = command::root().join("target").join("skipped-scenarios");
    let forget = || match fs::remove_file(&skipped) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {error}", skipped.display()))
        }
        _ => Ok(()),
    };
    forget()?;
    let outcome = command::run(
        command::cargo()
            .args(["test", "--package", "abide-e2e", "--no-fail-fast"])
            .env("ABIDE_SKIPPED", &skipped)
            .env("ABIDE_VENV", needs::venv()),
    );
    if let Ok(text) = fs::read_to_string(&skipped) {
        println!("{} scenarios were skipped:\n{text}", text.lines().count());
    }
    outcome
}
