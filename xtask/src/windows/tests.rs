//! What of the workspace is there for Windows, and how it is linted and run.

use std::process::Command;

use super::programs::{self, Kind, Program};
use super::{side_by_side, toolchain, wine};
use crate::command;

/// The crates that build for Windows. A crate joins here when its tests pass.
const PACKAGES: &[&str] = &[
    "abide-model",
    "abide-core",
    "abide-config",
    "abide-host",
    "abide-log",
    "abide-platform",
    "abide-daemon",
    "abide-service",
    "abide",
];

/// The crates that were asked for; all of them if none was.
///
/// # Errors
/// One of them is not there for Windows yet.
pub fn chosen(asked: &[String]) -> Result<Vec<&'static str>, String> {
    if asked.is_empty() {
        return Ok(PACKAGES.to_vec());
    }
    asked
        .iter()
        .map(|name| {
            PACKAGES
                .iter()
                .find(|there| *there == name)
                .copied()
                .ok_or_else(|| {
                    format!(
                        "cannot build {name} for Windows: there are {}",
                        PACKAGES.join(", ")
                    )
                })
        })
        .collect()
}

fn with_packages(cargo: &mut Command, packages: &[&str]) {
    for package in packages {
        cargo.args(["--package", package]);
    }
}

/// What is run of them. There are no documentation tests in these crates.
fn choose(cargo: &mut Command, packages: &[&str]) {
    cargo.arg("--tests");
    with_packages(cargo, packages);
}

/// Builds the test programs of these crates, and the command that they drive.
pub fn build(packages: &[&str]) -> Result<Vec<Program>, String> {
    let mut cargo = toolchain::cargo("test")?;
    cargo.arg("--no-run");
    choose(&mut cargo, packages);
    programs::build(&mut cargo)
}

/// Clippy's lints, for this target.
pub fn lints(packages: &[&str]) -> Result<(), String> {
    let mut cargo = toolchain::cargo("clippy")?;
    cargo.arg("--quiet");
    choose(&mut cargo, packages);
    cargo.args(["--", "-D", "warnings"]);
    // It does not see `const` where thread-local storage is emulated, as MinGW's is.
    cargo.args(["-A", "clippy::missing-const-for-thread-local"]);
    // Windows has no zombies.
    command::run(cargo.args(["-A", "clippy::zombie-processes"]))
}

/// The crates whose tests drive examples.
const WITH_EXAMPLES: [&str; 2] = ["abide-service", "abide"];

/// Has the examples built that tests of these crates drive; whether there are any.
pub fn choose_examples(cargo: &mut Command, packages: &[&str]) -> bool {
    let mut with = WITH_EXAMPLES.to_vec();
    with.retain(|package| packages.contains(package));
    with_packages(cargo.arg("--examples"), &with);
    !with.is_empty()
}

/// Test programs that take longer than others, the slowest first.
const SLOW: [&str; 6] = [
    "abide-guarding",
    "log-abide_log",
    "daemon-abide_daemon",
    "daemon-api",
    "core-sim",
    "log-reading",
];

/// All tests, each program in a prefix of its own, so many at once.
pub fn under_wine(packages: &[&str], arguments: &[String], at_once: usize) -> Result<(), String> {
    let mut cargo = toolchain::cargo("build")?;
    if choose_examples(cargo.arg("--quiet"), packages) {
        command::run(&mut cargo)?;
    }
    println!("$ cargo test --target {} …", toolchain::TARGET);
    let mut tests = build(packages)?;
    tests.retain(|program| program.kind == Kind::Test);
    // The longest first, so that nothing is waited for alone at the end.
    tests.sort_by_key(|program| {
        SLOW.iter()
            .position(|name| program.name() == *name)
            .unwrap_or(SLOW.len())
    });
    let report = side_by_side::run(&tests, arguments, at_once)?;
    let closing = report.closing;
    println!("\nunder Wine, {} test programs:", tests.len());
    for (name, count) in ["passed", "failed", "ignored"].map(|name| (name, sum(&closing, name))) {
        println!("{count:>6} {name}");
    }
    if report.failed.is_empty() {
        Ok(())
    } else {
        Err(report.failed.join(", "))
    }
}

/// Deaths of daemon and keeper, many of them: the same tests as every day, for longer.
pub fn survival() -> Result<(), String> {
    let mut cargo = toolchain::cargo("test")?;
    cargo.args(["--package", "abide", "--test", "guarding"]);
    cargo.args(["--", "survival", "--nocapture", "--test-threads=1"]);
    for (variable, value) in [
        ("ABIDE_TEST_KILLS", "200"),
        ("ABIDE_TEST_LINES", "150000"),
        ("ABIDE_TEST_BOTH", "20"),
        (wine::MINUTES, "40"),
    ] {
        cargo.env(variable, value);
    }
    command::run(&mut cargo)
}

/// Adds up "7 passed" over the closing lines of all programs.
fn sum(closing: &[String], word: &str) -> u64 {
    closing
        .iter()
        .flat_map(|line| line.split([';', '.']))
        .filter_map(|part| part.trim().strip_suffix(word)?.trim().parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod check {
    use super::*;

    #[test]
    fn closing_lines_are_added_up() {
        let lines = [
            "test result: ok. 19 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 43.30s",
            "test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 5 filtered out; finished in 0.01s",
        ]
        .map(str::to_owned);
        let counts = ["passed", "failed", "ignored"].map(|word| sum(&lines, word));
        assert_eq!(counts, [20, 3, 2]);
    }

    #[test]
    fn a_crate_that_is_not_there_for_windows_is_refused_by_name() {
        let refused = chosen(&["abide-e2e".to_owned()]).expect_err("not yet");
        assert!(
            refused.starts_with("cannot build abide-e2e for Windows"),
            "{refused}"
        );
    }
}
