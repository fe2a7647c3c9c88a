//! Where the processes of a home are at when something is wrong: written beside it before they are ended.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use abide_e2e::Home;

/// Of keepers, daemons and commands: each thread, what it waits for in the kernel, and every descriptor.
pub fn write(home: &Home) {
    let mut text = String::new();
    for name in ["abide", "abide-next"] {
        for pid in home.running(name) {
            of_process(&mut text, pid);
        }
    }
    let to = home.path("processes");
    if let Err(error) = fs::write(&to, text) {
        eprintln!("cannot write {}: {error}", to.display());
    }
}

fn of_process(text: &mut String, pid: u32) {
    let dir = format!("/proc/{pid}");
    let words = fs::read_to_string(format!("{dir}/cmdline")).unwrap_or_default();
    let _ = writeln!(text, "process {pid}: {}", words.replace('\0', " "));
    for task in entries(&format!("{dir}/task")) {
        let read = |file: &str| {
            let said = fs::read_to_string(Path::new(&task).join(file)).unwrap_or_default();
            said.trim().replace('\n', "\n      ")
        };
        let _ = writeln!(
            text,
            "  {}\n    {}\n    {}\n      {}",
            read("comm"),
            read("stat"),
            read("syscall"),
            read("stack")
        );
    }
    for fd in entries(&format!("{dir}/fd")) {
        let what = fs::read_link(&fd).unwrap_or_default();
        let _ = writeln!(text, "  {fd} {}", what.display());
    }
}

fn entries(dir: &str) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path().display().to_string())
        .collect()
}
