//! `cargo xtask faults`: daemon, keeper and commands die at chosen and at random instants, over and over,
//! while fifty programs write numbered lines; nothing may be doubled, missing, lost or left behind.
//!
//! A *chapter* is one home, a *round* one thing that befalls it (`plan`), while a person restarts, stops and
//! edits (`chapter`). After each round the home has to come to what is wanted of it, and is looked at
//! (`inspect`); at the end of the chapter every line that a program wrote is looked for (`lines`).

mod cast;
mod chapter;
mod command;
mod dice;
mod file;
mod inspect;
mod lines;
mod plan;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;

use self::chapter::{Chapter, Tally};
use self::file::POINTS;
use self::plan::Coverage;
use crate::command as tools;

/// Rounds of one home.
const CHAPTER: u32 = 12;

/// What `faults` can be told.
#[derive(Args)]
pub struct Options {
    /// How many rounds.
    #[arg(long, default_value_t = 1000)]
    pub rounds: u32,
    /// Of the first chapter; each further one has the next. A chapter of one seed chooses the same faults
    /// only when it plays alone (`--jobs 1 --rounds 12`).
    #[arg(long)]
    pub seed: Option<u64>,
    /// No round begins after so many minutes.
    #[arg(long)]
    pub minutes: Option<u64>,
    /// Only points of this area, such as `spawn`, and nothing at random.
    #[arg(long)]
    pub only: Option<String>,
    /// Homes at once.
    #[arg(long, default_value_t = 2)]
    pub jobs: u32,
    /// Insist that something was done at every point.
    #[arg(long)]
    pub all_points: bool,
}

impl Options {
    /// What CI has time for.
    #[must_use]
    pub fn short() -> Self {
        Self {
            rounds: 72,
            seed: None,
            minutes: Some(2),
            only: None,
            jobs: 2,
            all_points: false,
        }
    }
}

struct Shared<'a> {
    options: &'a Options,
    binary: PathBuf,
    program: PathBuf,
    coverage: Mutex<Coverage>,
    seed: AtomicU64,
    /// Rounds that have not been given to a chapter.
    left: Mutex<u32>,
    until: Instant,
    total: Mutex<Tally>,
    violations: Mutex<Vec<String>>,
}

/// Plays rounds.
///
/// # Errors
/// Something was doubled, missing, lost or left behind: the seed, the history and the folder are told.
pub fn run(options: &Options) -> Result<(), String> {
    let binary = binary()?;
    let program = program()?;
    let seed = options.seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(1, |since| since.as_secs())
    });
    println!("seed {seed}, binary {}", binary.display());
    let minutes = options.minutes.unwrap_or(24 * 60);
    let shared = Shared {
        options,
        binary,
        program,
        coverage: Mutex::new(Coverage::new(options.only.clone())),
        seed: AtomicU64::new(seed),
        left: Mutex::new(options.rounds),
        until: Instant::now() + Duration::from_secs(60 * minutes),
        total: Mutex::default(),
        violations: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| shared.work());
        }
    });
    shared.report()
}

impl Shared<'_> {
    fn work(&self) {
        loop {
            let rounds = {
                let Ok(mut left) = self.left.lock() else {
                    return;
                };
                let rounds = CHAPTER.min(*left);
                *left -= rounds;
                rounds
            };
            if rounds == 0 || Instant::now() > self.until {
                return;
            }
            let seed = self.seed.fetch_add(1, Ordering::Relaxed);
            self.chapter(seed, rounds);
        }
    }

    fn chapter(&self, seed: u64, rounds: u32) {
        let begun = Instant::now();
        let mut chapter = match Chapter::open(seed, &self.binary, &self.program, &self.coverage) {
            Ok(chapter) => chapter,
            Err(why) => return self.violated(format!("seed {seed}: {why}")),
        };
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            chapter.play(rounds, self.until)
        }));
        match played.unwrap_or_else(|_| Err("it panicked".to_owned())) {
            Ok(tally) => {
                let Ok(mut total) = self.total.lock() else {
                    return;
                };
                total.rounds += tally.rounds;
                total.lines += tally.lines;
                total.runs += tally.runs;
                total.struck += tally.struck;
                println!(
                    "seed {seed}: {} rounds, {} runs, {} lines in {:.0} s; {} rounds so far",
                    tally.rounds,
                    tally.runs,
                    tally.lines,
                    begun.elapsed().as_secs_f64(),
                    total.rounds
                );
            }
            Err(why) => {
                let history = chapter.history.join("\n  ");
                let kept = chapter.home.keep();
                self.violated(format!(
                    "seed {seed}: {why}\n  {history}\n  kept: {}",
                    kept.display()
                ));
            }
        }
    }

    fn violated(&self, text: String) {
        println!("VIOLATION\n{text}\n");
        if let Ok(mut violations) = self.violations.lock() {
            violations.push(text.lines().next().unwrap_or_default().to_owned());
        }
    }

    fn report(&self) -> Result<(), String> {
        let poisoned = "a chapter panicked";
        let coverage = self.coverage.lock().map_err(|_| poisoned)?;
        println!("\npoint                    passed  struck");
        for (point, (name, ..)) in POINTS.iter().enumerate() {
            println!(
                "{name:<22} {:>8} {:>7}",
                coverage.passed[point], coverage.struck[point]
            );
        }
        let total = self.total.lock().map_err(|_| poisoned)?;
        println!(
            "\n{} rounds, {} strikes at points, {} runs, {} lines",
            total.rounds, total.struck, total.runs, total.lines
        );
        let never = coverage.never_struck();
        if !never.is_empty() {
            println!("nothing was done at: {}", never.join(" "));
        }
        let violations = self.violations.lock().map_err(|_| poisoned)?;
        match violations.as_slice() {
            [] if self.options.all_points && !never.is_empty() => {
                Err(format!("{} points were not visited", never.len()))
            }
            [] => Ok(()),
            some => Err(format!("{} violations:\n{}", some.len(), some.join("\n"))),
        }
    }
}

/// The binary with fault points: `ABIDE_FAULTS_BIN`, or else built now, and put where the next build
/// does not find it. Everything but the crates that have points is shared with the usual build.
fn binary() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ABIDE_FAULTS_BIN") {
        return Ok(PathBuf::from(path));
    }
    let built = abide_e2e::binary::build(&["--package", "abide", "--features", "faults"])?;
    let to = tools::root().join("target/faults-abide");
    let copied = std::fs::copy(built.join("abide"), &to);
    copied.map_err(|error| format!("cannot copy abide to {}: {error}", to.display()))?;
    // The usual one is in its usual place again.
    if let Err(why) = std::fs::remove_file(built.join("abide")) {
        return Err(format!("cannot remove {}: {why}", built.display()));
    }
    Ok(to)
}

/// The program that the homes guard.
fn program() -> Result<PathBuf, String> {
    abide_e2e::binary::build(&["--package", "abide-e2e", "--bin", "numbered"])
        .map(|dir| dir.join("numbered"))
}
