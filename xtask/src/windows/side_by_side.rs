//! The test programs, some of them at once: they wait more than they compute.

use std::io::{PipeReader, Read, Write, pipe};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::programs::Program;

/// What became of them.
#[derive(Default)]
pub struct Report {
    /// The line of each that has the counts of its tests.
    pub closing: Vec<String>,
    /// The names of those that failed, and how.
    pub failed: Vec<String>,
}

/// One that has ended.
struct Ended {
    name: String,
    status: ExitStatus,
    said: Vec<u8>,
    took: Duration,
}

/// Runs all of them with these arguments, so many at once and begun in this order. What each says is printed when it has ended, so that it stands
/// together.
///
/// # Errors
/// One could not be run at all.
pub fn run(programs: &[Program], arguments: &[String], at_once: usize) -> Result<Report, String> {
    let mut waiting = programs.iter();
    let mut report = Report::default();
    thread::scope(|scope| {
        let (ended, endings) = channel();
        let mut start = || {
            let ended = ended.clone();
            waiting.next().is_some_and(|program| {
                scope.spawn(move || ended.send(one(program, arguments)));
                true
            })
        };
        let mut running = (0..at_once).take_while(|_| start()).count();
        while running > 0 {
            let one = next(&endings)?;
            if !start() {
                running -= 1;
            }
            report.add(&one);
        }
        Ok(report)
    })
}

fn next(endings: &Receiver<Result<Ended, String>>) -> Result<Ended, String> {
    endings.recv().map_err(|error| error.to_string())?
}

/// As cargo runs a test: in the folder of its package.
fn one(program: &Program, arguments: &[String]) -> Result<Ended, String> {
    let name = program.name();
    let cannot = |error| format!("cannot run {name}: {error}");
    let begun = Instant::now();
    let me = std::env::current_exe().map_err(cannot)?;
    let (said, saying) = pipe().map_err(cannot)?;
    let mut command = Command::new(me);
    command
        .arg("wine-run")
        .arg(&program.path)
        .args(arguments)
        .current_dir(&program.folder)
        .env("CARGO_MANIFEST_DIR", &program.folder)
        // What is the same everywhere is tried often enough on Linux.
        .envs(unless_set("PROPTEST_CASES", "16"))
        .envs(unless_set("ABIDE_SIM_SEEDS", "100"))
        .stdin(Stdio::null())
        .stderr(saying.try_clone().map_err(cannot)?)
        .stdout(saying);
    let mut child = command.spawn().map_err(cannot)?;
    // Else what it has of the pipe would keep the pipe from ending.
    drop(command);
    let said = read(said).map_err(cannot)?;
    let status = child.wait().map_err(cannot)?;
    Ok(Ended {
        name,
        status,
        said,
        took: begun.elapsed(),
    })
}

fn unless_set<'a>(variable: &'a str, value: &'a str) -> Option<(&'a str, &'a str)> {
    std::env::var_os(variable)
        .is_none()
        .then_some((variable, value))
}

fn read(mut said: PipeReader) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    said.read_to_end(&mut all)?;
    Ok(all)
}

impl Report {
    /// Prints what one has said, and counts it.
    fn add(&mut self, one: &Ended) {
        let said = String::from_utf8_lossy(&one.said);
        let mut out = std::io::stdout().lock();
        // Nobody reads it any more: then the tests still have their result.
        let _ = writeln!(
            out,
            "     Running {} ({:.1} s)",
            one.name,
            one.took.as_secs_f64()
        );
        for line in said.lines() {
            let _ = writeln!(out, "{}", line.trim_end());
            if line.starts_with("test result:") {
                self.closing.push(line.to_owned());
            }
        }
        if !one.status.success() {
            self.failed
                .push(format!("{} ended with {}", one.name, one.status));
        }
    }
}
