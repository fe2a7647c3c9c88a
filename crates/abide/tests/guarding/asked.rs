//! What a program says and what it is told: readiness and beats by messages, hooks, checks, reloads; logs that are
//! followed over rotations.

use std::fs::File;
use std::process::Stdio;

use crate::shop::{Shop, running, wait_until};
use crate::system::SUCCEEDS;

/// A hook that notes its word in a file, in the shell of the system. Hooks that run beside each other need files
/// of their own: on Windows only one shell can append.
fn note(word: &str, file: &str) -> String {
    format!("{{ command = \"echo {word}>>{file}\", shell = true }}")
}

/// What hooks have noted, in order. To be asked only while none is to note anything: see [`Shop::is_noted`].
fn notes(shop: &Shop) -> Vec<String> {
    let text = shop.read("notes").unwrap_or_default();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_unit_that_says_nothing_any_more_is_restarted_and_hooks_go_with_it() {
    let shop = Shop::new();
    let more = format!(
        "ready = {{ notify = true, within = \"100s\" }}\nheartbeat = {{ every = \"2s\", misses = 2 }}\n\
         before_start = {}\nafter_stop = {}\non_failure = {}",
        note("before", "notes"),
        note("after", "notes"),
        note("failed", "failures"),
    );
    shop.configure(&[("silent", "beats 3", &more)]);
    shop.ask(&["up"]);
    let after = shop.wait_for("silent", |unit| {
        unit["restarts"].as_u64() >= Some(1) && running(unit) && unit["ready"] == true
    });
    let reason = after["last_exit"]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("missed 2 heartbeats"), "{after:#}");
    assert_eq!(after["status_text"], "here", "{after:#}");
    assert_eq!(
        after["last_stop"]["why"], "missed 2 heartbeats",
        "{after:#}"
    );
    wait_until("the hook that nothing waits for", || {
        shop.is_noted("failures").then_some(())
    });
    let failures = wait_until("its file", || shop.read("failures"));
    assert!(failures.contains("failed"), "{failures}");
    let noted = notes(&shop);
    assert_eq!(noted[..3], ["before", "after", "before"], "{noted:?}");
    shop.ask(&["down"]);
}

#[test]
fn units_are_checked_reloaded_signalled_reset_and_removed() {
    let shop = Shop::new();
    let well = format!(
        "health = {{ exec = \"{SUCCEEDS}\", every = \"10s\", timeout = \"10s\", grace = \"0s\" }}"
    );
    let reloads = format!("reload = {}", note("reloaded", "notes"));
    let rests = "enabled = false";
    shop.configure(&[
        ("well", "idle", &well),
        ("reloads", "idle", &reloads),
        ("told", "idle", ""),
        ("gone", "idle", ""),
        ("rests", "idle", rests),
    ]);
    shop.ask(&["up"]);
    shop.wait_for("well", |unit| unit["health"] == "healthy");
    let before = shop.unit("reloads");
    shop.ask(&["reload", "reloads"]);
    assert_eq!(notes(&shop), ["reloaded"]);
    assert_eq!(shop.unit("reloads")["pid"], before["pid"]);

    let before = shop.unit("told");
    shop.ask(&["signal", "INT", "told"]);
    let after = shop.wait_for("told", |unit| running(unit) && unit["pid"] != before["pid"]);
    assert_eq!(after["restarts"], 1);
    shop.ask(&["reset", "told"]);
    assert_eq!(shop.unit("told")["restarts"], 0);
    assert_eq!(shop.unit("told")["pid"], after["pid"]);

    shop.ask(&["remove", "gone"]);
    assert!(shop.status().iter().all(|unit| unit["name"] != "gone"));
    assert_eq!(shop.unit("rests")["state"], "stopped");

    // One command, guarded: this program, told to do nothing.
    let this = std::env::current_exe().expect("it has a file");
    let this = this.to_str().expect("text");
    shop.ask(&[
        "run",
        "--name",
        "once",
        "--restart",
        "never",
        "--",
        this,
        "--list",
    ]);
    let once = shop.wait_for("once", |unit| unit["state"] == "exited");
    assert_eq!(once["last_exit"]["code"], 0, "{once:#}");
    let listed = shop.ask(&["logs", "once", "--format", "raw"]);
    assert!(listed.contains("programs::player: test"), "{listed}");
    shop.ask(&["down"]);
}

#[test]
fn a_log_is_followed_over_rotations_while_others_read() {
    let shop = Shop::new();
    let log = "log = { max_size = \"64K\", keep = 50 }";
    shop.configure(&[("counter", "counter 10000", log)]);
    shop.ask(&["up"]);
    let out = File::create(shop.path().join("followed")).expect("made");
    let mut follower = shop
        .command(&["logs", "-f", "-n", "1000000", "counter", "--format", "raw"])
        .stdout(Stdio::from(out))
        .spawn()
        .expect("it can be run");
    shop.ask(&["logs", "counter", "-n", "10"]);
    shop.write("enough", "");
    let last = wait_until("the last line", || shop.read("written"));
    let last: usize = last.parse().expect("a number");
    let text = wait_until("the follower", || {
        shop.read("followed")
            .filter(|text| text.contains("is the last one"))
    });
    follower.kill().expect("ended");
    follower.wait().expect("ended");
    let numbers: Vec<usize> = text
        .lines()
        .filter_map(|line| line.split_once(" is ")?.0.parse().ok())
        .collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    let files = std::fs::read_dir(shop.path().join("home/logs/counter")).expect("a log");
    let names = files.map(|file| file.expect("a file").file_name());
    let segments: Vec<_> = names
        .filter(|name| name.to_string_lossy().contains(".log"))
        .collect();
    assert!(segments.len() > 2, "it was rotated: {segments:?}");
    shop.ask(&["down"]);
}
