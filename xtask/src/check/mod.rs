//! `cargo xtask check`: the architecture's invariants, formatting and lints.
//!
//! To add an invariant: a rule about dependencies goes to the table in `edges.rs`, a banned call to
//! `clippy.toml` (or `crates/core/clippy.toml`), a rule about the text of the sources to `sources.rs`.

mod edges;
mod keeper;
mod lengths;
mod sources;

use clap::Args;

use crate::command;
use crate::stage::Stages;

/// What `check` can be told.
#[derive(Args, Default)]
pub struct Options {
    /// Only the invariants that need no compiler.
    #[arg(long)]
    pub quick: bool,
}

/// Checks everything, also after a failure.
///
/// # Errors
/// Names what failed; the details are printed.
pub fn run(options: &Options) -> Result<(), String> {
    let mut stages = Stages::default();
    stages.run("dependency edges", edges::check);
    stages.run("unsafe and cfg in their places", sources::check);
    stages.run("file lengths", lengths::report);
    stages.run("code in the keeper", keeper::check);
    stages.run("formatting", || {
        command::run(command::cargo().args(["fmt", "--all", "--check"]))
    });
    if !options.quick {
        stages.run("lints", || {
            command::run(command::cargo().args([
                "clippy",
                "--quiet",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]))
        });
    }
    stages.finish()
}

/// Prints what was found and says how many there are.
fn verdict(found: &[String]) -> Result<(), String> {
    for violation in found {
        println!("{violation}\n");
    }
    match found.len() {
        0 => Ok(()),
        1 => Err("1 violation".to_owned()),
        n => Err(format!("{n} violations")),
    }
}
