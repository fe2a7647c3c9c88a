//! `cargo xtask faults`: daemon, keeper and commands die at chosen and at random instants, over and over,
//! while fifty programs write numbered lines; nothing may be doubled, missing, lost or left behind.
//!
//! A *chapter* is one home, a *round* one thing that befalls it (`plan`), while a person restarts, stops and
//! edits (`chapter`). After each round the home has to come to what is wanted of it, and is looked at
//! (`inspect`); at the end of the chapter every line that a program wrote is looked for (`lines`).

mod acts;
mod autopsy;
mod cast;
mod chapter;
mod command;
mod dice;
mod disk;
mod file;
mod inspect;
mod lines;
mod plan;
mod report;
mod settle;
mod strike;
mod told;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;

use self::chapter::Chapter;
use self::disk::Disks;
use self::plan::Coverage;
use self::report::Tally;
use crate::command as tools;

/// Rounds of one home.
const CHAPTER: u32 = 12;

/// One chapter in so many has disks that hang.
const DISKS_EVERY: u64 = 4;

/// With so many rounds something must have been done at every point.
const FULL: u32 = 500;

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
}

impl Options {
    /// What CI has time for.
    #[must_use]
    pub fn short() -> Self {
        Self {
            rounds: 72,
            seed: None,
            minutes: Some(1),
            only: None,
            jobs: 2,
        }
    }
}

/// What a home is made of.
pub struct Programs {
    /// The one with fault points.
    abide: PathBuf,
    /// What it is upgraded to: of another build, or the same in another file.
    next: PathBuf,
    numbered: PathBuf,
    impostor: PathBuf,
}

struct Shared<'a> {
    options: &'a Options,
    programs: Programs,
    coverage: Mutex<Coverage>,
    seed: AtomicU64,
    /// Rounds that have not been given to a chapter.
    left: Mutex<u32>,
    until: Instant,
    total: Mutex<Tally>,
    violations: Mutex<Vec<String>>,
    /// Homes can be given disks that hang.
    disks: bool,
}

/// Plays rounds.
///
/// # Errors
/// Something was doubled, missing, lost or left behind: the seed, the history and the folder are told. Or, where
/// enough rounds were asked for, nothing was done at some point.
pub fn run(options: &Options) -> Result<(), String> {
    let programs = Programs::find()?;
    let seed = options.seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(1, |since| since.as_secs())
    });
    println!("seed {seed}, binary {}", programs.abide.display());
    let disks = Disks::can_be_had();
    if let Err(why) = &disks {
        println!("SKIPPED: no disk hangs, since {why}");
    }
    let minutes = options.minutes.unwrap_or(24 * 60);
    let shared = Shared {
        options,
        programs,
        coverage: Mutex::new(Coverage::new(options.only.clone())),
        seed: AtomicU64::new(seed),
        left: Mutex::new(options.rounds),
        until: Instant::now() + Duration::from_secs(60 * minutes),
        total: Mutex::default(),
        violations: Mutex::default(),
        disks: disks.is_ok(),
    };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| shared.work());
        }
    });
    shared.report(seed)
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
        let wanted =
            seed.is_multiple_of(DISKS_EVERY) || self.options.only.as_deref() == Some("disk");
        let disks = self.disks && wanted;
        let mut chapter = match Chapter::open(seed, &self.programs, &self.coverage, disks) {
            Ok(chapter) => chapter,
            Err(why) => return self.violated(format!("seed {seed}: {why}")),
        };
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            chapter.play(rounds, self.until)
        }));
        chapter.count();
        let Ok(mut total) = self.total.lock() else {
            return;
        };
        total.add(&chapter.tally);
        let so_far = total.rounds;
        drop(total);
        match played.unwrap_or_else(|_| Err("it panicked".to_owned())) {
            Ok(()) => {
                let tally = &chapter.tally;
                println!(
                    "seed {seed}: {} rounds, {} runs, {} lines in {:.0} s; {so_far} rounds so far",
                    tally.rounds,
                    tally.runs,
                    tally.lines,
                    begun.elapsed().as_secs_f64(),
                );
            }
            Err(why) => {
                autopsy::write(&chapter.home);
                let history = chapter.history.join("\n  ");
                let (group, disks) = (chapter.group.take(), chapter.disks.take());
                let kept = chapter.home.keep();
                // Now that no process of it is left.
                drop(disks);
                inspect::remove_group(group.as_deref());
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

    fn report(&self, seed: u64) -> Result<(), String> {
        let poisoned = "a chapter panicked";
        let coverage = self.coverage.lock().map_err(|_| poisoned)?;
        let total = self.total.lock().map_err(|_| poisoned)?;
        let violations = self.violations.lock().map_err(|_| poisoned)?;
        report::points(&coverage);
        report::close(&total, &coverage, violations.len(), seed);
        let never = coverage.never_struck().len();
        match violations.as_slice() {
            [] if never > 0 && total.rounds >= FULL && self.options.only.is_none() => {
                Err(format!("nothing was done at {never} points"))
            }
            [] => Ok(()),
            some => Err(format!("{} violations:\n{}", some.len(), some.join("\n"))),
        }
    }
}

impl Programs {
    fn find() -> Result<Self, String> {
        let abide = binary()?;
        let next = std::env::var_os("ABIDE_FAULTS_NEXT").map(PathBuf::from);
        let dir = match std::env::var_os("ABIDE_FAULTS_PROGRAMS") {
            Some(dir) => PathBuf::from(dir),
            None => abide_e2e::binary::build(&[
                "--package",
                "abide-e2e",
                "--bin",
                "numbered",
                "--bin",
                "impostor",
            ])?,
        };
        Ok(Self {
            next: next.unwrap_or_else(|| abide.clone()),
            abide,
            numbered: dir.join("numbered"),
            impostor: dir.join("impostor"),
        })
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
