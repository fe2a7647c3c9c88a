//! Which processes belong to a scenario, and how they are ended.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal};

use crate::wait;

/// A process as `/proc` shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its command line, blanks between the words.
    pub command: String,
    /// What ties it to the folder: `exe`, `cwd`, `fd`, `command` or `environment`.
    pub tie: &'static str,
}

/// Every process that has anything to do with a folder: its program, working directory or an open
/// file lies in it, or its command line or environment names it.
#[must_use]
pub fn belonging_to(dir: &Path) -> Vec<Process> {
    let own = std::process::id();
    let mut found: Vec<Process> = all()
        .into_iter()
        .filter(|pid| *pid != own)
        .filter_map(|pid| {
            let tie = tie(pid, dir)?;
            Some(Process {
                pid,
                command: command_line(pid),
                tie,
            })
        })
        .collect();
    found.sort();
    found
}

/// Every process there is.
#[must_use]
pub fn all() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn tie(pid: u32, dir: &Path) -> Option<&'static str> {
    let needle = dir.as_os_str().as_bytes();
    let mentions = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let link = |name: &str| {
        fs::read_link(format!("/proc/{pid}/{name}"))
            .is_ok_and(|target| mentions(target.as_os_str().as_bytes()))
    };
    let file =
        |name: &str| fs::read(format!("/proc/{pid}/{name}")).is_ok_and(|text| mentions(&text));
    if link("exe") {
        return Some("exe");
    }
    if link("cwd") {
        return Some("cwd");
    }
    if file("cmdline") {
        return Some("command");
    }
    if file("environ") {
        return Some("environment");
    }
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    descriptors
        .flatten()
        .any(|entry| {
            fs::read_link(entry.path()).is_ok_and(|target| mentions(target.as_os_str().as_bytes()))
        })
        .then_some("fd")
}

/// A process's command line.
#[must_use]
pub fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .replace('\0', " ")
        .trim_end()
        .to_owned()
}

/// Whether the process is there and not a zombie.
#[must_use]
pub fn lives(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != "Z" && state != "X")
}

/// Whether a SIGSTOP holds it.
#[must_use]
pub fn is_stopped(pid: u32) -> bool {
    state(pid).is_some_and(|state| state == "T")
}

/// The letter of proc_pid_stat(5).
fn state(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = stat.rsplit(')').next()?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// The parent's number.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')')
        .next()?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// Sends a signal to one process. A process that is gone already is no error.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Ends everything that belongs to the folder, by pid, and looks again until nothing is left.
///
/// # Errors
/// Names what would not end.
pub fn end_all(dir: &Path) -> Result<(), String> {
    wait::try_until("processes of the scenario end", wait::GENEROUS, || {
        let left = belonging_to(dir);
        for process in &left {
            signal(process.pid, Signal::KILL);
        }
        left.is_empty().then_some(())
    })
    .map_err(|why| format!("{why}: {:?}", belonging_to(dir)))
}
