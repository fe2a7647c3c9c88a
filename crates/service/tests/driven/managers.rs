//! One lifecycle, driven by real managers: installed, started, restarted, stopped, removed; entries and clean
//! finishes are counted. That of systemd needs a machine that it runs: it is a scenario of the host's tests.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;

use crate::harness::{Driven, command, entries_and_finishes, until};

/// Said where the test's own capture does not swallow it.
fn skip(why: &str) {
    let line = format!("SKIPPED: {why}\n");
    // There is nobody else to tell.
    let _lost = std::io::stderr().lock().write_all(line.as_bytes());
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

#[track_caller]
fn ended_with(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).expect("it is there");
    all.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn under_runit_each_step_is_what_it_says() {
    let (Some(runsvdir), Some(_)) = (find("runsvdir"), find("sv")) else {
        return skip("under_runit_each_step_is_what_it_says: runit is not installed");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (home, services) = (folder.path().join("home"), folder.path().join("service"));
    let queue = folder.path().join("queue");
    for made in [&home, &services, &queue] {
        fs::create_dir(made).expect("a folder");
    }
    let mut manager = Driven::start(Command::new(runsvdir).arg(&services).stdin(Stdio::null()));
    let tool = |words: &[&str]| {
        let mut command = command("worker");
        command.args(words).args(["--user", "--manager", "runit"]);
        if words == ["install"] {
            command.arg("--").arg(&queue);
        }
        command.env("HOME", &home).env("SVDIR", &services);
        command.output().expect("it runs")
    };
    let counted = |wanted: (usize, usize)| {
        until(&format!("{wanted:?}"), || {
            entries_and_finishes(&queue) == wanted
        });
    };
    ended_with(&tool(&["status"]), 4);
    ended_with(&tool(&["start"]), 1);
    ended_with(&tool(&["install"]), 0);
    ended_with(&tool(&["install"]), 0);
    ended_with(&tool(&["status"]), 3);
    assert_eq!(entries_and_finishes(&queue), (0, 0));
    ended_with(&tool(&["start"]), 0);
    counted((1, 0));
    ended_with(&tool(&["status"]), 0);
    ended_with(&tool(&["restart"]), 0);
    counted((2, 1));
    ended_with(&tool(&["stop"]), 0);
    counted((2, 2));
    ended_with(&tool(&["status"]), 3);
    ended_with(&tool(&["uninstall"]), 0);
    ended_with(&tool(&["status"]), 4);
    assert!(entries(&services).is_empty());
    assert_eq!(entries_and_finishes(&queue), (2, 2));
    // It ends its children before itself.
    manager.signal(Signal::HUP);
    manager.ended();
}

#[test]
fn what_would_be_written_is_shown_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let services = folder.path().join("service");
    fs::create_dir(&services).expect("a folder");
    let shown = command("worker")
        .args([
            "install",
            "--user",
            "--manager",
            "runit",
            "--dry-run",
            "--",
            "/a queue",
        ])
        .env("HOME", folder.path())
        .env("SVDIR", &services)
        .output()
        .expect("it runs");
    if find("sv").is_none() {
        // It says what is missing, and how it goes on.
        ended_with(&shown, 1);
        let text = String::from_utf8_lossy(&shown.stderr);
        assert!(
            text.starts_with("abide-example-worker: cannot find a service manager: "),
            "{text}"
        );
        return skip("what_would_be_written_is_shown: runit is not installed");
    }
    ended_with(&shown, 0);
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("worker run '/a queue'"), "{text}");
    assert!(entries(&services).is_empty());
    assert_eq!(entries(folder.path()), [services]);
}
