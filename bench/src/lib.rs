//! abide and its peers, measured side by side: `cargo xtask bench`.
//!
//! All are run *in turn, in one run*, in rounds, each with its default settings. What a figure means stands at
//! the top of its file in `measure/`; how a peer is run, in its file in `peers/`; the bars, in `bars.rs`.

mod bars;
mod chart;
mod clock;
mod conditions;
mod front;
mod ground;
mod lines;
mod measure;
mod peers;
mod plan;
mod processes;
mod reports;
mod results;
mod setup;
mod statistics;
mod tables;
mod tool;

use std::path::{Path, PathBuf};

use clap::Args;

/// What `bench` can be told.
#[derive(Args, Debug, Clone)]
#[group(id = "comparison")]
pub struct Options {
    /// Whom to measure, such as `abide,dinit,floor`; all that can be had unless told.
    #[arg(long, value_delimiter = ',')]
    pub peers: Vec<String>,
    /// What to measure: launch, memory, status, storm, idle, crash, restart, capture, halves, disk, pace, death.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// With how many units.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 200, 1000, 10_000])]
    pub sizes: Vec<usize>,
    /// A few minutes: one round, less of everything; `docs/performance.md` stays as it is.
    #[arg(long)]
    pub quick: bool,
    /// How many rounds.
    #[arg(long)]
    pub rounds: Option<usize>,
    /// The abide to measure. Unless told, it is built as it is shipped.
    #[arg(long)]
    pub abide: Option<PathBuf>,
    /// A folder with the sources of dinit, which Debian does not have.
    #[arg(long)]
    pub dinit: Option<PathBuf>,
    /// Where homes and logs lie: a file system in memory.
    #[arg(long, default_value = "/dev/shm")]
    pub scratch: PathBuf,
    /// The file with the results. One that is there is added to with `--add`, else written anew.
    #[arg(long)]
    pub results: Option<PathBuf>,
    /// Adds to the results that are there: what was measured in this or an interrupted run is kept.
    #[arg(long)]
    pub add: bool,
    /// Measures nothing: writes tables and charts from the results.
    #[arg(long)]
    pub report: bool,
}

/// The folders of the repository that the benchmark works in.
pub struct Repository {
    /// Its root.
    pub root: PathBuf,
    /// The abide that is measured unless told otherwise; built if it is to be measured.
    pub abide: Box<dyn Fn() -> Result<PathBuf, String>>,
}

impl Repository {
    fn folder(&self, name: &str) -> PathBuf {
        Path::new(&self.root).join(name)
    }
}

/// Measures, prints and writes.
///
/// # Errors
/// What could not be measured at all. A peer that fails is a remark among the results.
pub fn run(options: &Options, repository: &Repository) -> Result<(), String> {
    if options.report {
        return plan::report(options, repository);
    }
    if let Some(outcome) = front::is_worker()? {
        return outcome;
    }
    plan::run(options, repository)
}
