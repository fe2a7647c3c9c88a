//! `cargo xtask upgrades`: what takes too long for every day. Twenty upgrades back and forth between two builds
//! under load, and a new daemon that hangs until its time is over.

use std::path::PathBuf;

use clap::Args;

use crate::{command, needs};

/// What `upgrades` can be told.
#[derive(Args, Default)]
pub struct Options {
    /// The other executable, built from another commit; without it these sources are built a second time
    /// under another name.
    #[arg(long, value_name = "FILE")]
    pub next: Option<PathBuf>,
}

/// Builds both and runs the scenarios.
///
/// # Errors
/// Something cannot be built, or a scenario failed.
pub fn run(options: &Options) -> Result<(), String> {
    let (own, next) = match &options.next {
        Some(file) => {
            let next = std::path::absolute(file).map_err(|e| format!("{}: {e}", file.display()))?;
            (build("dev", None)?, next)
        }
        None => two_builds("dev")?,
    };
    let mut scenarios = command::cargo();
    scenarios.args(["test", "--package", "abide-e2e", "--test", "scenarios"]);
    scenarios.args(["upgrade_under_load", "--", "--include-ignored"]);
    scenarios
        .env("ABIDE_BIN", own)
        .env("ABIDE_NEXT_BIN", next)
        .env("ABIDE_VENV", needs::venv());
    command::run(&mut scenarios)
}

/// `abide` of these sources, and the same under the name of another build, which is `next`.
///
/// # Errors
/// Cargo failed.
pub fn two_builds(profile: &str) -> Result<(PathBuf, PathBuf), String> {
    let built = build(profile, Some("next"))?;
    let kept = built.with_file_name("abide-next");
    std::fs::copy(&built, &kept)
        .map_err(|e| format!("cannot keep {} as {}: {e}", built.display(), kept.display()))?;
    Ok((build(profile, None)?, kept))
}

/// `abide` of these sources, under the name of a build.
fn build(profile: &str, name: Option<&str>) -> Result<PathBuf, String> {
    let mut cargo = command::cargo();
    cargo.args(["build", "--package", "abide", "--profile", profile]);
    if let Some(name) = name {
        cargo.env("ABIDE_BUILD", name);
    }
    command::run(&mut cargo)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| command::root().join("target"));
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target.join(folder).join("abide"))
}
