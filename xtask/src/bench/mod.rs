//! `cargo xtask bench`: figures of abide at work, on the reader's own machine.

mod probes;
mod windows;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::command;

/// What `bench` can be told.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    peers: abide_bench::Options,
}

#[derive(Subcommand)]
enum What {
    /// Many units with a TCP probe each: what that costs, and how the probes are spread; with the
    /// machine idle, and with all its cores taken.
    Probes(probes::Options),
    /// abide beside shawl under Wine: crashes, memory, hostile output.
    Windows(windows::Options),
}

/// Measures, and prints a table.
///
/// # Errors
/// What was measured is not as it is promised, or could not be measured.
pub fn run(options: &Options) -> Result<(), String> {
    match &options.what {
        Some(What::Probes(options)) => probes::run(options),
        Some(What::Windows(options)) => windows::run(options),
        None => abide_bench::run(
            &options.peers,
            &abide_bench::Repository {
                root: command::root(),
                abide: Box::new(build),
            },
        ),
    }
}

/// abide as it is shipped.
fn build() -> Result<PathBuf, String> {
    command::run(command::cargo().args(["build", "--profile", "dist", "-p", "abide"]))?;
    Ok(command::root().join("target/dist/abide"))
}
