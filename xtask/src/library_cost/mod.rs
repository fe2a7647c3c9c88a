//! `cargo xtask library-cost`: what a program pays for being a service with `abide-service`, beside the same program with
//! sd-notify and signal-hook by hand (and windows-service for the other system), and beside one that is no service.
//!
//! The programs lie in `programs/` as text: they are built in a folder of their own, as a stranger's would be.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;

use crate::command;

/// What `library-cost` can be told.
#[derive(Args)]
pub struct Options {
    /// So many clean builds of each; the quickest counts.
    #[arg(long, default_value_t = 3)]
    pub builds: u32,
}

struct Subject {
    name: &'static str,
    dependencies: &'static str,
    program: &'static str,
}

const SUBJECTS: &[Subject] = &[
    Subject {
        name: "no service: waits for ever",
        dependencies: "",
        program: include_str!("programs/bare.rs.txt"),
    },
    Subject {
        name: "sd-notify, signal-hook, windows-service by hand",
        dependencies: "sd-notify = \"0.5\"\nsignal-hook = \"0.4\"\n\
                       [target.'cfg(windows)'.dependencies]\nwindows-service = \"0.8\"\n",
        program: include_str!("programs/by_hand.rs.txt"),
    },
    Subject {
        name: "`abide-service`, only `run`",
        dependencies: "abide-service = { path = \"SERVICE\" }\n",
        program: include_str!("programs/run.rs.txt"),
    },
    Subject {
        name: "`abide-service`, `main`: all subcommands",
        dependencies: "abide-service = { path = \"SERVICE\" }\n",
        program: include_str!("programs/main.rs.txt"),
    },
];

/// Measures all of them, and prints a table for docs/library.md.
///
/// # Errors
/// One could not be built. The crates are fetched from their registry first.
pub fn run(options: &Options) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| format!("cannot make a folder: {e}"))?;
    println!("{} builds of each\n", options.builds);
    let mut rows = Vec::new();
    for (n, subject) in SUBJECTS.iter().enumerate() {
        let place = folder.path().join(n.to_string());
        rows.push(measure(subject, &place, options.builds)?);
    }
    println!("| | lines | crates | clean release build, CPU | program, stripped | over none |");
    println!("|---|--:|--:|--:|--:|--:|");
    let floor = rows.first().map_or(0, |row| row.bytes);
    for (subject, row) in SUBJECTS.iter().zip(&rows) {
        let lines = subject
            .program
            .lines()
            .filter(|l| !l.trim().is_empty())
            .count();
        println!(
            "| {} | {lines} | {} | {:.1} s | {} KiB | {} KiB |",
            subject.name,
            row.crates,
            row.seconds,
            row.bytes / 1024,
            row.bytes.saturating_sub(floor) / 1024
        );
    }
    Ok(())
}

struct Row {
    crates: usize,
    seconds: f64,
    bytes: u64,
}

fn measure(subject: &Subject, place: &Path, builds: u32) -> Result<Row, String> {
    let service = command::root().join("crates/service");
    let manifest = format!(
        "[package]\nname = \"subject\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [profile.release]\nstrip = true\n[dependencies]\n{}",
        subject
            .dependencies
            .replace("SERVICE", &service.display().to_string())
    );
    write(&place.join("Cargo.toml"), &manifest)?;
    write(&place.join("src/main.rs"), subject.program)?;
    // The versions that abide itself is built with, where they are known.
    let lock = command::root().join("Cargo.lock");
    fs::copy(&lock, place.join("Cargo.lock"))
        .map_err(|e| format!("cannot copy {}: {e}", lock.display()))?;
    cargo(place, &["fetch", "--quiet"])?;
    let tree = cargo(
        place,
        &[
            "tree",
            "--prefix",
            "none",
            "--edges",
            "normal",
            "--no-dedupe",
        ],
    )?;
    let mut crates: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "subject")
        .collect();
    crates.sort_unstable();
    crates.dedup();
    let mut seconds = f64::INFINITY;
    for _ in 0..builds.max(1) {
        cargo(place, &["clean", "--quiet"])?;
        let before = children_seconds()?;
        cargo(place, &["build", "--release", "--quiet", "--offline"])?;
        seconds = seconds.min(children_seconds()? - before);
    }
    let program = place.join("target/release/subject");
    let bytes = fs::metadata(&program)
        .map_err(|e| format!("cannot look at {}: {e}", program.display()))?
        .len();
    Ok(Row {
        crates: crates.len(),
        seconds,
        bytes,
    })
}

/// Processor time of all that this process has started and that has ended: `cutime` and `cstime` of
/// proc_pid_stat(5), in hundredths of a second. Unlike the time on the wall it does not ask what else runs.
fn children_seconds() -> Result<f64, String> {
    let stat = fs::read_to_string("/proc/self/stat")
        .map_err(|e| format!("cannot read /proc/self/stat: {e}"))?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u32>().ok());
    match (ticks(13), ticks(14)) {
        (Some(user), Some(system)) => Ok(f64::from(user + system) / 100.0),
        _ => Err(format!("cannot read /proc/self/stat: {stat}")),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("cannot write {}: {e}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

/// Runs cargo there, and returns what it said on stdout.
fn cargo(place: &Path, words: &[&str]) -> Result<String, String> {
    let mut command: Command = command::cargo();
    let output = command
        .args(words)
        .current_dir(place)
        .env("CARGO_TARGET_DIR", place.join("target"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!(
            "`cargo {}` ended with {}",
            words.join(" "),
            output.status
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
