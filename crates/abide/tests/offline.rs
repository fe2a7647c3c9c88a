//! What can be asked of the executable where no daemon runs, on every system.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The executable: the one that `ABIDE_EXE` names, else the one that was built with this test.
fn abide() -> PathBuf {
    std::env::var_os("ABIDE_EXE").map_or_else(|| env!("CARGO_BIN_EXE_abide").into(), PathBuf::from)
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs it in a folder that is its home's, too.
fn run(folder: &Path, arguments: &[&str]) -> Said {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(abide())
        .args(arguments)
        .current_dir(folder)
        .env("ABIDE_HOME", folder.join("home"))
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .expect("it can be run");
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    Said {
        code: status.code(),
        out: text(stdout),
        err: text(stderr),
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("abide tëst ")
        .tempdir()
        .expect("a directory")
}

#[test]
fn help_and_version_are_told() {
    let folder = folder();
    for arguments in [&["--help"][..], &["up", "--help"], &["--version"], &[]] {
        let said = run(folder.path(), arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.err);
        assert!(said.out.contains("abide"), "{arguments:?}: {}", said.out);
    }
    let wrong = run(folder.path(), &["upp"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("upp"), "{}", wrong.err);
}

#[test]
fn completions_are_written_for_each_shell() {
    let folder = folder();
    for (shell, sign) in [
        ("powershell", "Register-ArgumentCompleter"),
        ("bash", "complete -F"),
        ("zsh", "#compdef abide"),
        ("fish", "complete -c abide"),
    ] {
        let said = run(folder.path(), &["completions", shell]);
        assert_eq!(said.code, Some(0), "{shell}: {}", said.err);
        assert!(said.out.contains(sign), "{shell}");
        assert!(said.out.contains("restart"), "{shell}");
    }
}

#[test]
fn a_valid_file_is_said_to_be_one() {
    let folder = folder();
    let text = "[service.web]\ncommand = [\"abide-no-such-path/web\"]\n\
                windows = { command = [\"C:\\\\no such\\\\web.exe\"] }\n[service.db]\ncommand = \"db\"\nwants = [\"web\"]\n";
    std::fs::write(folder.path().join("abide.toml"), text).expect("written");
    let said = run(folder.path(), &["check", "--json"]);
    let report: Value = serde_json::from_str(&said.out).expect("JSON");
    // The programs are not there, which is no mistake of the file where they may be installed later.
    let mistakes = |severity: &str| said.out.contains(&format!("\"severity\": \"{severity}\""));
    assert_eq!(
        report["valid"],
        Value::Bool(!mistakes("error")),
        "{}",
        said.out
    );
    assert_eq!(report["units"], 2);
}

#[test]
fn a_mistake_is_shown_with_its_place() {
    let folder = folder();
    let file = folder.path().join("shöp.toml");
    std::fs::write(
        &file,
        "[service.web]\ncommand = \"web\"\nrestrat = \"always\"\n",
    )
    .expect("written");
    for arguments in [&["check", "shöp.toml"][..], &["plan", "shöp.toml"]] {
        let said = run(folder.path(), arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.err);
        for part in ["restrat", "shöp.toml:3", "restart"] {
            assert!(
                said.err.contains(part),
                "{arguments:?}: {part}: {}",
                said.err
            );
        }
    }
    let said = run(folder.path(), &["check", "nowhere.toml"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("nowhere.toml"), "{}", said.err);
}

#[test]
fn without_a_daemon_it_is_said_that_there_is_none() {
    let folder = folder();
    let named = folder.path().join("other home");
    let named = named.to_str().expect("text");
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["stop", "web"],
        &["restart", "all"],
        &["reload", "web"],
        &["reset", "web"],
        &["remove", "web"],
        &["signal", "TERM", "web"],
        &["events"],
        &["logs"],
        &["why", "web"],
        &["show", "web"],
        &["upgrade"],
        &["down"],
        &["--home", named, "status"],
    ] {
        let said = run(folder.path(), arguments);
        assert_eq!(
            said.code,
            Some(4),
            "{arguments:?}: {} {}",
            said.out,
            said.err
        );
        assert!(
            said.err.contains("no daemon runs"),
            "{arguments:?}: {}",
            said.err
        );
    }
    assert!(!folder.path().join("home").exists(), "nothing is made");
}

#[test]
fn who_takes_user_for_whom_a_program_runs_as_is_told_what_to_write() {
    let folder = folder();
    let program = ["--name", "web", "--", "web"];
    let both = run(
        folder.path(),
        &[&["install", "--user", "bob"], &program[..]].concat(),
    );
    assert_eq!(both.code, Some(2), "{}", both.out);
    assert!(both.err.contains("--account bob"), "{}", both.err);
    let both = run(
        folder.path(),
        &[&["install", "shop.toml:web"], &program[..]].concat(),
    );
    assert_eq!(both.code, Some(2), "{}", both.out);
    assert!(
        both.err.contains("\"shop.toml:web\" and the program"),
        "{}",
        both.err
    );
}
