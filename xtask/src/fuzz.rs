//! `cargo xtask fuzz`: what is fed random input in the tests, for longer.

use clap::{Args, ValueEnum};

use crate::command;

/// What `fuzz` can be told.
#[derive(Args)]
pub struct Options {
    /// What is fed.
    what: What,
    /// For how long.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Only this one, as a failure printed it.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// The keeper: daemons and children that die at any instant and write garbage.
    Keeper,
}

/// Runs it.
///
/// # Errors
/// Something was found; its seed is printed.
pub fn run(options: &Options) -> Result<(), String> {
    let What::Keeper = options.what;
    let mut cargo = command::cargo();
    cargo.args(["test", "--package", "abide-platform", "--lib"]);
    cargo.args(["keeper::linux::hold::fuzz", "--", "--nocapture"]);
    cargo.env("ABIDE_FUZZ_MINUTES", options.minutes.to_string());
    if let Some(seed) = options.seed {
        cargo.env("ABIDE_FUZZ_SEED", seed.to_string());
    }
    command::run(&mut cargo)
}
