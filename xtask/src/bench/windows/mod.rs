//! `cargo xtask bench windows`: abide beside shawl, a wrapper for services of Windows, in one Wine and one run.
//!
//! - `made`: abide as it is shipped, shawl from the registry of crates, and the program that both keep;
//! - `desk`: a Wine prefix with all of it in, and what runs there;
//! - `peers`: how each is configured, started, ended and read;
//! - `output`: how much of what the program wrote is in a log.

mod desk;
mod made;
mod output;
mod peers;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::command;
use crate::windows::{self, wine_version};
use desk::Desk;
use made::Made;
use output::{EXPECTED, Kept};
use peers::{Peer, Program};

/// Between these lines of docs/performance.md stands what is measured here.
const BEGIN: &str =
    "<!-- beside shawl: made by `cargo xtask bench windows --write`, not by hand -->";
const END: &str = "<!-- end of beside shawl -->";

/// How long a program runs before it crashes.
const RUN_FOR: Duration = Duration::from_secs(2);

/// Longer than shawl leaves a crash unanswered while somebody holds the output.
const LONGEST: Duration = Duration::from_secs(60);

/// What `bench windows` can be told.
#[derive(Args)]
pub struct Options {
    /// How many crashes.
    #[arg(long, default_value_t = 20)]
    crashes: usize,
    /// The abide.exe to measure. Unless told, it is built as it is shipped.
    #[arg(long, value_name = "FILE")]
    abide: Option<PathBuf>,
    /// Puts the table into docs/performance.md.
    #[arg(long)]
    write: bool,
}

/// What was measured of one of them.
#[derive(Default)]
struct Figures {
    /// From each crash to the successor's `main()`, in ms, sorted.
    crashes: Vec<f64>,
    /// MiB that are its own or its share of what is shared, with one unit and with ten.
    memory: [f64; 2],
    /// Processes that it is, with ten units.
    processes: usize,
    /// What it kept of the hostile output.
    kept: Kept,
    /// From a crash to the successor while a process of the run lives on and holds the output, in ms.
    held: f64,
}

/// Measures both, and prints a table.
///
/// # Errors
/// Something could not be measured, or abide is behind in something.
pub fn run(options: &Options) -> Result<(), String> {
    windows::provision()?;
    let made = Made::make(options.abide.as_deref())?;
    let desk = Desk::new(&made)?;
    let [abide, shawl] = [Peer::Abide, Peer::Shawl].map(|peer| measure(&desk, peer, options));
    let (abide, shawl) = (abide?, shawl?);
    drop(desk);
    let rows = rows(&abide, &shawl);
    let table = table(&rows, options)?;
    println!("\n{table}");
    if options.write {
        write(&table)?;
    }
    let behind: Vec<&str> = rows
        .iter()
        .filter(|row| !row.ahead)
        .map(|row| row.title)
        .collect();
    if behind.is_empty() {
        return Ok(());
    }
    Err(format!("abide is behind in: {}", behind.join("; ")))
}

fn measure(desk: &Desk, peer: Peer, options: &Options) -> Result<Figures, String> {
    let mut figures = Figures::default();
    println!("{}: {} crashes", peer.name(), options.crashes);
    let crashing = Program::crashing("crash", RUN_FOR);
    peer.start(desk, std::slice::from_ref(&crashing))?;
    figures.crashes = desk.gaps(&crashing, options.crashes, LONGEST)?;
    peer.end(desk, std::slice::from_ref(&crashing))?;
    for (place, count) in [1, 10].into_iter().enumerate() {
        println!("{}: memory with {count}", peer.name());
        let idle: Vec<Program> = (0..count)
            .map(|n| Program::idle(&format!("idle{n}")))
            .collect();
        peer.start(desk, &idle)?;
        desk.settle(&idle)?;
        let own = desk.processes(peer.executable())?;
        figures.processes = own.len();
        figures.memory[place] = desk.memory(&own)?;
        peer.end(desk, &idle)?;
    }
    println!("{}: hostile output", peer.name());
    let hostile = Program::hostile("hostile");
    peer.start(desk, std::slice::from_ref(&hostile))?;
    let gaps = desk.gaps(&hostile, 1, LONGEST)?;
    figures.held = gaps.first().copied().unwrap_or(f64::NAN);
    figures.kept = output::count(&peer.lines(desk, &hostile)?);
    peer.end(desk, std::slice::from_ref(&hostile))?;
    Ok(figures)
}

/// A row of the table.
struct Row {
    title: &'static str,
    abide: String,
    shawl: String,
    ahead: bool,
}

fn rows(abide: &Figures, shawl: &Figures) -> Vec<Row> {
    let less = |title, abide: f64, shawl: f64| Row {
        title,
        abide: figure(abide),
        shawl: figure(shawl),
        ahead: abide < shawl,
    };
    let mut rows = vec![
        less(
            "crash to `main()` of the successor, median, ms",
            middle(&abide.crashes),
            middle(&shawl.crashes),
        ),
        less(
            "the same, longest, ms",
            last(&abide.crashes),
            last(&shawl.crashes),
        ),
        less(
            "the same while a grandchild lives on and holds the output, ms",
            abide.held,
            shawl.held,
        ),
        less(
            "memory of the wrapper, one unit, MiB",
            abide.memory[0],
            shawl.memory[0],
        ),
        less(
            "memory of the wrapper, ten units, MiB",
            abide.memory[1],
            shawl.memory[1],
        ),
    ];
    rows.push(Row {
        title: "processes of the wrapper, ten units",
        abide: abide.processes.to_string(),
        shawl: shawl.processes.to_string(),
        ahead: abide.processes < shawl.processes,
    });
    for ((title, expected), place) in EXPECTED.iter().zip(0..) {
        let (abide, shawl) = (abide.kept[place], shawl.kept[place]);
        let of = |kept: usize| format!("{kept} of {expected}");
        rows.push(Row {
            title,
            abide: of(abide),
            shawl: of(shawl),
            // Whoever keeps all cannot be surpassed.
            ahead: abide == *expected,
        });
    }
    rows
}

fn middle(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn last(sorted: &[f64]) -> f64 {
    sorted.last().copied().unwrap_or(f64::NAN)
}

fn figure(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

fn table(rows: &[Row], options: &Options) -> Result<String, String> {
    let mut text = format!(
        "{}, on this repository's Linux machine, not on a Windows. abide {}, shawl {}; {} crashes each.\n\n\
         | | abide | shawl | ahead |\n|---|---|---|---|\n",
        wine_version()?,
        env!("CARGO_PKG_VERSION"),
        made::SHAWL,
        options.crashes,
    );
    for row in rows {
        let ahead = match (row.ahead, row.abide == row.shawl) {
            (true, true) => "even",
            (true, false) => "yes",
            (false, _) => "**no**",
        };
        let Row {
            title,
            abide,
            shawl,
            ..
        } = row;
        let _ = writeln!(text, "| {title} | {abide} | {shawl} | {ahead} |");
    }
    Ok(text)
}

fn write(table: &str) -> Result<(), String> {
    let page = command::root().join("docs/performance.md");
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", page.display());
    let text = std::fs::read_to_string(&page).map_err(failed)?;
    let parts = text
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("there is no `{BEGIN}` in it"))?;
    std::fs::write(&page, format!("{before}{BEGIN}\n\n{table}\n{END}{after}")).map_err(failed)
}
