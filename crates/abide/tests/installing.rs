//! `abide.exe install` with the Service Control Manager that Wine has: what is written, shown, changed and removed.
//! (That it runs then is shown by the tests of the service's own side.)

use std::path::Path;
use std::process::{Command, Output};

const ABIDE: &str = env!("CARGO_BIN_EXE_abide");

/// Only on Windows, and there only where nobody's services are meddled with.
fn here() -> bool {
    let here = std::path::MAIN_SEPARATOR == '\\' && std::env::var_os("ABIDE_UNDER_WINE").is_some();
    if !here {
        // Past the runner's capture; there is nobody else to tell.
        let line = b"SKIPPED installing: services of Windows are made only under Wine\n";
        let _lost = std::io::Write::write_all(&mut std::io::stderr().lock(), line);
    }
    here
}

fn abide(arguments: &[&str]) -> Output {
    let output = Command::new(ABIDE).args(arguments).output();
    output.expect("abide.exe is executed")
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

#[test]
fn a_program_is_installed_changed_and_removed() {
    if !here() {
        return;
    }
    let install = |more: &[&str]| {
        let mut words = vec!["install", "--name", "shop", "--display-name", "The shop"];
        words.extend(more);
        words.extend(["--", r"C:\windows\system32\hostname.exe", "a b"]);
        abide(&words)
    };
    let shown = install(&["--dry-run"]);
    let text = said(&shown);
    assert_eq!(shown.status.code(), Some(0), "{text}");
    assert!(text.starts_with("service shop\n"), "{text}");
    for part in [
        r#"\abide.exe" --home C:\ProgramData\abide\hosted\shop host --managed "#,
        r"C:\ProgramData\abide\services\shop\unit.toml:shop",
        "    DisplayName = The shop\n",
        "    ObjectName = LocalSystem\n",
        r"EventLog\Application\shop\EventMessageFile = ",
        r"file C:\ProgramData\abide\services\shop\service.json",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!Path::new(r"C:\ProgramData\abide\services\shop").exists());
    // Another account is given its home, which is there before it is started.
    let local = ["--account", "LocalService", "--control", "128=reload"];
    let text = said(&install(&[&local[..], &["--dry-run"]].concat()));
    for part in [
        "directory C:\\ProgramData\\abide\\hosted\\shop\n",
        "    ObjectName = NT AUTHORITY\\LocalService\n",
        "    right of NT AUTHORITY\\LocalService = change C:\\ProgramData\\abide\\hosted\\shop\n",
        "    right of NT AUTHORITY\\LocalService = read C:\\ProgramData\\abide\\services\\shop\n",
        " --control 128=reload ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("log on as a service"), "{text}");
    assert!(!Path::new(r"C:\ProgramData\abide\hosted\shop").exists());
    let made = install(&local);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    assert!(Path::new(r"C:\ProgramData\abide\hosted\shop").is_dir());
    let changed = said(&install(&[&local[..3], &["255=read-files"]].concat()));
    assert!(
        changed.contains("--control 128=reload") && changed.contains("--control 255=read-files"),
        "{changed}"
    );
    let changed = said(&install(&[]));
    assert!(
        changed.contains(r"- right of NT AUTHORITY\LocalService = change")
            && changed.contains("+ ObjectName = LocalSystem"),
        "{changed}"
    );
    let gone = abide(&["uninstall", "shop"]);
    assert_eq!(gone.status.code(), Some(0), "{}", said(&gone));
    assert!(!Path::new(r"C:\ProgramData\abide\hosted\shop").exists());
    for (control, why) in [
        ("127=reload", "128 to 255"),
        ("256=reload", "128 to 255"),
        ("128=dance", "none of reload, restart, read-files"),
        ("reload", "CODE=COMMAND"),
    ] {
        let refused = install(&["--control", control]);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains(why), "{}", said(&refused));
    }
    let twice = install(&["--control", "128=reload", "--control", "128=restart"]);
    assert_eq!(twice.status.code(), Some(2), "{}", said(&twice));
    // All of the machine's services are noted in the usual home.
    let own = abide(&["install", "--account", "LocalService"]);
    assert_eq!(own.status.code(), Some(2), "{}", said(&own));
    assert!(said(&own).contains("--home DIR"), "{}", said(&own));

    let made = install(&[]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    assert!(
        said(&made).starts_with("shop is a service of scm now\n"),
        "{}",
        said(&made)
    );
    let status = abide(&["status", "shop", "--json"]);
    let document = said(&status);
    assert!(document.contains(r#""mode": "service""#), "{document}");

    let changed = install(&["--start", "manual"]);
    let text = said(&changed);
    assert!(
        text.contains("- Start = 2 (at boot)") && text.contains("+ Start = 3 (by hand)"),
        "{text}"
    );

    let refused = abide(&[
        "install",
        "--name",
        "RpcSs",
        "--",
        r"C:\windows\system32\hostname.exe",
    ]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(
        said(&refused).contains("not made by abide"),
        "{}",
        said(&refused)
    );

    let gone = abide(&["uninstall", "shop"]);
    assert_eq!(gone.status.code(), Some(0), "{}", said(&gone));
    assert!(!Path::new(r"C:\ProgramData\abide\services\shop").exists());
    let again = abide(&["uninstall", "shop"]);
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
}

#[test]
fn a_service_that_is_installed_and_sound_is_examined_and_a_start_that_fails_says_what_is_wrong() {
    if !here() {
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let program = place.path().join("my till.exe");
    std::fs::copy(r"C:\windows\system32\hostname.exe", &program).expect("copied");
    let program = program.display().to_string();
    // By hand: Wine keeps no recovery actions, which one that comes up at boot should have.
    let words = ["install", "--name", "till", "--start", "manual", "--"];
    let made = abide(&[&words[..], &[&program]].concat());
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let sound = abide(&["doctor", "till"]);
    assert_eq!(sound.status.code(), Some(0), "{}", said(&sound));
    assert_eq!(said(&sound), "nothing is wrong with till, this machine\n");

    std::fs::remove_file(&program).expect("removed");
    let faulty = abide(&["doctor", "till", "--json"]);
    assert_eq!(faulty.status.code(), Some(1), "{}", said(&faulty));
    let document: serde_json::Value = serde_json::from_slice(&faulty.stdout).expect("a document");
    let findings = document["findings"].as_array().expect("a list");
    // The unit's file is not valid for the same reason, which comes second.
    let checks: Vec<_> = findings.iter().map(|finding| &finding["check"]).collect();
    assert_eq!(checks, ["program", "unit"], "{document:#}");
    assert_eq!(findings[0]["about"], *program, "{document:#}");
    assert!(document["machine"]["memory_available_bytes"].is_u64());
    assert!(document["machine"]["disk_free_bytes"].is_u64());

    let start = abide(&["start", "till", "--timeout", "60s"]);
    let text = said(&start);
    assert_eq!(start.status.code(), Some(1), "{text}");
    let what = format!("{program}, which the unit till executes, is not there");
    assert!(
        text.contains(&what) && text.contains("help: put it there"),
        "{text}"
    );
    let gone = abide(&["uninstall", "till"]);
    assert_eq!(gone.status.code(), Some(0), "{}", said(&gone));
}
