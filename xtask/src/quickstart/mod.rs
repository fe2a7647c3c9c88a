//! `cargo xtask quickstart`: abide at work, on the reader's own machine, in about ten seconds.
//!
//! Each figure that is printed is read from the control API; each command is echoed, so that it can
//! be typed again. What is claimed is checked, and a claim that does not hold ends in exit code 1.

mod claims;
mod stage_set;

use std::time::Instant;

use clap::Args;

use crate::command;
use claims::Claims;
use stage_set::Demo;

/// What `quickstart` can be told.
#[derive(Args, Default)]
pub struct Options {
    /// Take everything down again at the end.
    #[arg(long)]
    pub down: bool,
}

/// Builds, shows, and leaves abide running.
///
/// # Errors
/// A claim did not hold, or something could not be done at all.
pub fn run(options: &Options) -> Result<(), String> {
    let begun = Instant::now();
    command::run(command::cargo().args([
        "build",
        "--profile",
        "ci",
        "--package",
        "abide",
        "--package",
        "abide-quickstart",
    ]))?;
    println!("built in {:.0} s", begun.elapsed().as_secs_f64());

    let demo = Demo::prepare()?;
    let shown = show(&demo);
    if options.down || shown.is_err() {
        demo.down();
    } else {
        demo.say_what_next();
    }
    shown
}

fn show(demo: &Demo) -> Result<(), String> {
    let mut claims = Claims::default();
    demo.up()?;
    claims.check(
        "all programs are up and ready when `up` returns",
        claims::up(demo),
    );
    demo.abide(&["status"])?;
    claims.check(
        "a program that is killed comes back by itself",
        claims::killed(demo),
    );
    claims.check(
        "a program that hangs is noticed and replaced",
        claims::hung(demo),
    );
    claims.check(
        "abide itself may be killed: nobody notices",
        claims::daemon_killed(demo),
    );
    claims.check("no line of output is lost or doubled", claims::lines(demo));
    demo.abide(&["status"])?;
    claims.sum_up()
}
