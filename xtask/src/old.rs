//! `cargo xtask old`: what holds on older kernels, tried on this one, which is made to answer like them
//! (`crates/platform/examples/older_kernel.rs`, `docs/kernels.md`).

use std::path::Path;

use clap::Args;

use crate::stage::Stages;
use crate::{command, needs};

/// The oldest that is supported; and one that has pidfds but little of what came with them later.
const KERNELS: &[&str] = &["4.18", "5.4"];

/// What must survive anything.
const SURVIVAL: &[&str] = &[
    "daemon_killed",
    "keeper_killed",
    "both_killed",
    "escapees",
    "web_survives_kill",
    "upgrade",
];

/// What `old` can be told.
#[derive(Args, Default)]
pub struct Options {
    /// Kernels to be like, as 5.10; may be given several times. 4.18 and 5.4 by default.
    #[arg(long = "kernel")]
    pub kernels: Vec<String>,
    /// Only the contract suite and the shortest of the scenarios.
    #[arg(long)]
    pub quick: bool,
    /// Only scenarios whose names have this in them.
    #[arg(long)]
    pub only: Option<String>,
}

/// Runs contract suite and scenarios as if on older kernels.
///
/// # Errors
/// Something cannot be built, or a test failed; names the kernels.
pub fn run(options: &Options) -> Result<(), String> {
    let launcher = crate::vm::built(
        &[
            "build",
            "--package",
            "abide-platform",
            "--example",
            "older_kernel",
        ],
        "older_kernel",
    )?;
    let suite = |package, name| {
        crate::vm::built(
            &["test", "--no-run", "--package", package, "--test", name],
            name,
        )
    };
    let contract = suite("abide-platform", "contract")?;
    let scenarios = suite("abide-e2e", "scenarios")?;
    let kernels: Vec<&str> = match options.kernels.as_slice() {
        [] => KERNELS.to_vec(),
        chosen => chosen.iter().map(String::as_str).collect(),
    };
    let filters: Vec<&str> = match (&options.only, options.quick) {
        (Some(only), _) => vec![only.as_str()],
        (None, true) => vec!["keeper_killed", "both_killed"],
        (None, false) => SURVIVAL.to_vec(),
    };
    let mut stages = Stages::default();
    for kernel in kernels {
        stages.run(&format!("contract suite as on Linux {kernel}"), || {
            older(&launcher, kernel, &contract, &[])
        });
        stages.run(&format!("survival as on Linux {kernel}"), || {
            older(&launcher, kernel, &scenarios, &filters)
        });
    }
    stages.finish()
}

fn older(launcher: &Path, kernel: &str, program: &Path, filters: &[&str]) -> Result<(), String> {
    let mut older = std::process::Command::new(launcher);
    older.arg(kernel).arg(program).args(filters);
    older
        .env("ABIDE_VENV", needs::venv())
        .current_dir(command::root());
    command::run(&mut older)
}
