//! `cargo xtask sim`: the core in the simulator, `crates/core/tests/sim`.

use clap::Args;

use crate::command;

/// What `sim` can be told.
#[derive(Args, Default)]
pub struct Options {
    /// How many seeded histories.
    #[arg(long, default_value_t = 2000)]
    pub seeds: u64,
    /// Plant faults in the core, one at a time, and see that each is found.
    #[arg(long)]
    pub teeth: bool,
}

/// Runs the simulator.
///
/// # Errors
/// A history broke an invariant (its seed and its shortest form are printed), or a planted fault
/// was not found.
pub fn run(options: &Options) -> Result<(), String> {
    let mut cargo = command::cargo();
    cargo.args(["test", "--package", "abide-core", "--test", "sim"]);
    if options.teeth {
        cargo.args(["--features", "teeth"]);
    }
    cargo.args(["--", "--nocapture"]);
    cargo.env("ABIDE_SIM_SEEDS", options.seeds.to_string());
    command::run(&mut cargo)
}
