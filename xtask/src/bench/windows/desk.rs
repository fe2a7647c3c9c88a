//! A Wine prefix with everything in it, seen from Linux.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::made::Made;
use super::peers::Program;
use crate::windows::{Prefix, bounded};

/// Where all of it lies, as programs in it see that.
pub const FOLDER: &str = r"C:\bench";

/// No command takes as long.
const AT_MOST: Duration = Duration::from_secs(120);

/// Removed, with what runs in it, when this is dropped.
pub struct Desk {
    // Dropped first, while the prefix is still there.
    keeping: Child,
    prefix: Prefix,
    folder: PathBuf,
}

impl Desk {
    pub fn new(made: &Made) -> Result<Self, String> {
        let prefix = Prefix::new()?;
        let folder = prefix.path().join("drive_c").join("bench");
        let failed = |error: std::io::Error| format!("cannot fill {}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        for (from, name) in [
            (&made.abide, "abide.exe"),
            (&made.shawl, "shawl.exe"),
            (&made.child, "child.exe"),
        ] {
            fs::copy(from, folder.join(name)).map_err(failed)?;
        }
        // Wine ends all services with the last ordinary program.
        let keeping = prefix
            .wine(Path::new(r"C:\bench\child.exe"))
            .arg("idle")
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot run Wine: {error}"))?;
        Ok(Self {
            keeping,
            prefix,
            folder,
        })
    }

    /// Of ours, to its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        self.system(&format!(r"{FOLDER}\{program}"), arguments)
    }

    /// Of Wine's, to its end.
    pub fn system(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        self.output_of(program, arguments).map(|_| ())
    }

    /// What it says.
    pub fn output(&self, program: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
        self.output_of(&format!(r"{FOLDER}\{program}"), arguments)
    }

    fn output_of(&self, program: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let shown = format!("`{program} {}`", arguments.join(" "));
        let path = self.folder.join("said");
        let said = fs::File::create(&path).map_err(|error| error.to_string())?;
        let mut command: Command = self.prefix.wine(Path::new(program));
        command.args(arguments).stdin(Stdio::null()).stdout(said);
        match bounded(&mut command, AT_MOST)? {
            Some(status) if status.success() => fs::read(&path).map_err(|error| error.to_string()),
            Some(status) => Err(format!("{shown} ended with {status}")),
            None => Err(format!("{shown} does not end")),
        }
    }

    pub fn write(&self, name: &str, text: &str) -> Result<(), String> {
        fs::write(self.folder.join(name), text)
            .map_err(|error| format!("cannot write {name}: {error}"))
    }

    pub fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        fs::read(self.folder.join(name)).map_err(|error| format!("cannot read {name}: {error}"))
    }

    /// From the end of each run of a program to the beginning of the next one, in ms, sorted; as soon as there are
    /// so many. Its notes are forgotten.
    pub fn gaps(
        &self,
        program: &Program,
        count: usize,
        each: Duration,
    ) -> Result<Vec<f64>, String> {
        let notes = self.folder.join(format!("{}.notes", program.name));
        let within = each * u32::try_from(count).unwrap_or(u32::MAX);
        let mut gaps = wait(
            within,
            &format!("{count} successors of {}", program.name),
            || {
                let gaps = gaps_in(&fs::read_to_string(&notes).unwrap_or_default());
                (gaps.len() >= count).then_some(gaps)
            },
        )?;
        fs::remove_file(&notes).map_err(|error| error.to_string())?;
        gaps.sort_by(f64::total_cmp);
        Ok(gaps)
    }

    /// Waits until these run, and what starts them has come to rest.
    pub fn settle(&self, programs: &[Program]) -> Result<(), String> {
        // The one that keeps the prefix is another one.
        wait(AT_MOST, "all programs to run", || {
            let running = self.processes("child.exe").unwrap_or_default();
            (running.len() > programs.len()).then_some(())
        })?;
        pause(Duration::from_secs(5));
        Ok(())
    }

    /// Processes of Linux that run this in our prefix.
    pub fn processes(&self, executable: &str) -> Result<Vec<u32>, String> {
        let marker = format!("WINEPREFIX={}", self.prefix.path().display());
        let entries =
            fs::read_dir("/proc").map_err(|error| format!("cannot look at /proc: {error}"))?;
        let pids = entries.flatten().filter_map(|entry| {
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let pid = entry.file_name().to_str()?.parse().ok()?;
            // What it runs stands first; what that is started with may name others.
            let line = read("cmdline");
            let program = line.split(|byte| *byte == 0).next()?;
            let ours = read("environ")
                .split(|byte| *byte == 0)
                .any(|part| part == marker.as_bytes());
            let program = String::from_utf8_lossy(program).into_owned();
            (ours && program.rsplit(['\\', '/']).next() == Some(executable)).then_some(pid)
        });
        Ok(pids.collect())
    }

    /// MiB that are theirs alone, and their share of what they share (proportional set size).
    pub fn memory(&self, pids: &[u32]) -> Result<f64, String> {
        let mut sum = 0.0;
        for pid in pids {
            let path = format!("/proc/{pid}/smaps_rollup");
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {path}: {error}"))?;
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
            let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
            sum += kib.ok_or_else(|| format!("cannot make sense of {path}"))? / 1024.0;
        }
        Ok(sum)
    }

    pub fn wait_for_none(&self, executable: &str) -> Result<(), String> {
        wait(AT_MOST, &format!("the end of {executable}"), || {
            self.processes(executable)
                .is_ok_and(|pids| pids.is_empty())
                .then_some(())
        })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // The prefix ends what is left in it, this one too.
        let _ = self.keeping.kill();
        let _ = self.keeping.wait();
    }
}

/// Of notes "begin NS" and "end NS", each from an end to the begin behind it.
fn gaps_in(notes: &str) -> Vec<f64> {
    let mut ended: Option<f64> = None;
    let mut gaps = Vec::new();
    for line in notes.lines() {
        match line
            .split_once(' ')
            .map(|(what, at)| (what, at.parse::<f64>()))
        {
            Some(("end", Ok(at))) => ended = Some(at),
            Some(("begin", Ok(at))) => gaps.extend(ended.take().map(|end| (at - end) / 1e6)),
            _ => {}
        }
    }
    gaps
}

fn wait<T>(at_most: Duration, what: &str, look: impl Fn() -> Option<T>) -> Result<T, String> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if begun.elapsed() > at_most {
            return Err(format!("waited in vain for {what}"));
        }
        pause(Duration::from_millis(50));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is waited for are files and processes of Wine, and then quiet"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod check {
    use super::*;

    #[test]
    fn a_gap_is_from_an_end_to_the_next_begin() {
        let notes = "begin 0\nend 1000000\nbegin 4000000\nend 5000000\n";
        assert_eq!(gaps_in(notes), [3.0]);
        assert_eq!(gaps_in("begin 1\n"), [0.0; 0]);
    }
}
