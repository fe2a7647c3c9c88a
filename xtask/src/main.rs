//! The task runner of this repository. What passes here passes in CI, which calls `cargo xtask test`.

mod bench;
mod check;
mod command;
mod debian_rust;
mod dist;
mod faults;
mod foreign;
mod fuzz;
mod library_cost;
mod needs;
mod old;
mod quickstart;
mod sim;
mod stage;
mod systemd;
mod test;
mod upgrades;
mod vm;
mod windows;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the abide repository")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds abide, guards three small programs with it, and shows what it claims.
    Quickstart(quickstart::Options),
    /// Installs what the tests need and runs all of them. This is what CI runs.
    Test(test::Options),
    /// Installs what the tests need, and nothing else.
    Needs,
    /// Architecture invariants, formatting and lints.
    Check(check::Options),
    /// Measures abide and its peers side by side, or one thing of abide alone.
    Bench(bench::Options),
    /// Feeds random input to what must stand it.
    Fuzz(fuzz::Options),
    /// Runs the core through seeded histories of crashes, hangs and lost answers.
    Sim(sim::Options),
    /// The contract suite and what must survive anything, on a kernel that answers like an older one.
    Old(old::Options),
    /// Kills daemon, keeper and commands at chosen instants while fifty programs write numbered lines.
    Faults(faults::Options),
    /// Twenty upgrades in a row between two builds, under load, and one to a build that hangs.
    Upgrades(upgrades::Options),
    /// Installs services in a small Debian with a real systemd, a real runsvdir, and init scripts.
    Systemd(systemd::Options),
    /// Archives, a Debian package, checksums and a list of parts, in target/packages.
    Dist(dist::Options),
    /// What a program pays for being a service with the library, beside doing it by hand.
    LibraryCost(library_cost::Options),
    /// Boots a small virtual machine, with control groups v2, v1 and none, and runs in it what needs one.
    Vm(vm::Options),
    /// Builds and tests what there is for Windows, under Wine.
    Windows(windows::Options),
    /// The runner of the tests for Windows: one program in a Wine of its own.
    #[command(hide = true)]
    WineRun(windows::Run),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Quickstart(options) => quickstart::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Needs => needs::install(),
        Task::Check(options) => check::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Sim(options) => sim::run(&options),
        Task::Old(options) => old::run(&options),
        Task::Faults(options) => faults::run(&options),
        Task::Upgrades(options) => upgrades::run(&options),
        Task::Systemd(options) => systemd::run(&options),
        Task::Dist(options) => dist::run(&options),
        Task::LibraryCost(options) => library_cost::run(&options),
        Task::Vm(options) => vm::run(&options),
        Task::Windows(options) => windows::run(&options),
        Task::WineRun(options) => windows::wine_run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nxtask: {why}");
            ExitCode::FAILURE
        }
    }
}
