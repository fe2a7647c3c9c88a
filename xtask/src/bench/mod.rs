//! `cargo xtask bench`: figures of abide at work, on the reader's own machine.

mod probes;

use clap::{Args, Subcommand};

/// What `bench` can be told.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Many units with a TCP probe each: what that costs, and how the probes are spread; with the
    /// machine idle, and with all its cores taken.
    Probes(probes::Options),
}

/// Measures, and prints a table.
///
/// # Errors
/// What was measured is not as it is promised, or could not be measured.
pub fn run(options: &Options) -> Result<(), String> {
    match &options.what {
        What::Probes(options) => probes::run(options),
    }
}
