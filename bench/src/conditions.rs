//! What a reader has to know to judge the figures.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::peers::Peer;
use crate::results::Conditions;
use crate::tool;

/// Asks the machine.
#[must_use]
pub fn ask(scratch: &Path, disk: &Path, peers: &[Box<dyn Peer>]) -> Conditions {
    let said = |command: &mut Command| {
        tool::output(command).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
    };
    let processor = line("/proc/cpuinfo", "model name");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Conditions {
        date: said(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"])),
        kernel: said(Command::new("uname").args(["-sr"])),
        cores: format!("{cores} cores, {processor}"),
        memory: line("/proc/meminfo", "MemTotal"),
        system: line("/etc/os-release", "PRETTY_NAME")
            .trim_matches('"')
            .to_owned(),
        load_before: load(),
        scratch: file_system(scratch),
        disk: file_system(disk),
        versions: peers
            .iter()
            .map(|peer| {
                let version = peer.version().unwrap_or_else(|why| why);
                (peer.name().to_owned(), version)
            })
            .collect(),
        ..Conditions::default()
    }
}

/// The load average of the last minute, and of the last five.
#[must_use]
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(2).collect::<Vec<&str>>().join(", ")
}

/// What stands behind a word in a file of such lines.
fn line(path: &str, word: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(word))
        .map_or_else(
            || "unknown".to_owned(),
            |rest| rest.trim_start_matches([' ', '\t', ':', '=']).to_owned(),
        )
}

/// The kind of file system that a folder lies on.
fn file_system(dir: &Path) -> String {
    let kind = tool::output(Command::new("stat").args(["-f", "-c", "%T"]).arg(dir));
    kind.map_or_else(|_| "unknown".to_owned(), |kind| kind.trim().to_owned())
}
