//! What is told of the time without a daemon, and what becomes of the time that was running.

use std::path::Path;

use abide_e2e::{Home, processes, wait};
use rustix::process::Signal;
use serde_json::Value;

use crate::events;

fn last(home: &Home, kind: &str) -> Value {
    wait::until(kind, wait::GENEROUS, || {
        events(home).into_iter().rfind(|e| e["event"] == kind)
    })
}

#[test]
fn events_tell_when_the_daemon_died_and_how_and_what_became_of_the_runs() {
    let home = Home::new("told");
    home.write(
        "abide.toml",
        "[service.a]\ncommand = \"sleep 1000\"\n[service.b]\ncommand = \"sleep 1000\"\n",
    );
    home.ok(&["up"]);
    assert_eq!(last(&home, "daemon_started")["severity"], "info");

    let before = home.daemon().expect("there is a daemon");
    processes::signal(before, Signal::ABORT);
    let new = wait::until("a new daemon answers", wait::GENEROUS, || {
        home.daemon().filter(|pid| *pid != before)
    });
    let told = last(&home, "daemon_recovered");
    assert_eq!(
        (&told["died"], &told["pid"]),
        (&"daemon".into(), &new.into())
    );
    assert_eq!((&told["adopted"], &told["ended"]), (&2.into(), &0.into()));
    let (died, back) = (told["died_at"].as_str(), told["at"].as_str());
    assert!(
        died.expect("the keeper saw it") <= back.expect("a time"),
        "{told}"
    );
    let text = home.ok(&["events"]);
    assert!(text.contains("the daemon was killed by SIGABRT"), "{text}");
    assert!(text.contains(" and adopted 2 runs"), "{text}");

    let keeper = home.keeper().expect("there is a keeper");
    processes::signal(keeper, Signal::KILL);
    let told = wait::until("the keeper's death is told", wait::GENEROUS, || {
        home.daemon()?;
        let told = last(&home, "daemon_recovered");
        (told["died"] == "keeper").then_some(told)
    });
    assert_eq!(told["adopted"], 2, "{told}");
    assert!(told["last_seen_at"].is_string(), "{told}");

    home.kill_both();
    let up = home.ok(&["up"]);
    assert!(up.contains("keeper and daemon died after"), "{up}");
    assert!(!up.contains("may be lost"), "nothing ended: {up}");
    assert_eq!(last(&home, "daemon_recovered")["died"], "both");
    home.ok(&["down"]);
    home.ok(&["up"]);
    assert_eq!(last(&home, "daemon_started")["seq"], last_of_daemon(&home));
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

/// The number of the last event that a daemon began with.
fn last_of_daemon(home: &Home) -> Value {
    let begins = |e: &Value| e["event"] == "daemon_started" || e["event"] == "daemon_recovered";
    let all = events(home);
    all.iter().rfind(|e| begins(e)).expect("one began")["seq"].clone()
}

fn seconds(text: &Value) -> i64 {
    // RFC 3339 in UTC: of one day, or of two that follow each other.
    let text = text.as_str().expect("a time");
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().expect("digits");
    ((part(8, 10) * 24 + part(11, 13)) * 60 + part(14, 16)) * 60 + part(17, 19)
}

#[test]
fn a_stop_and_a_backoff_go_on_where_they_were_over_every_death_and_an_upgrade() {
    let home = Home::new("timers");
    let numbered = home.bring(Path::new(env!("CARGO_BIN_EXE_numbered")));
    let lines = home.make_dir("lines");
    let (program, dir) = (numbered.display(), lines.display());
    let stubborn = |unit: &str, within: &str| {
        format!(
            "[service.{unit}]\ncommand = [\"{program}\", \"{unit}\", \"{dir}\", \"stubborn\", \"100000\"]\nstop = {{ within = \"{within}\" }}\n"
        )
    };
    let crashing = "[service.crashing]\ncommand = \"false\"\nbackoff = { initial = \"2h\", max = \"2h\", jitter = 0.0 }\n";
    let (long, short) = (stubborn("long", "1h"), stubborn("short", "20s"));
    home.write("abide.toml", &format!("{crashing}{long}{short}"));
    let _ = home.abide(&["up", "--no-wait"]);
    let (long, short) = (home.wait_running("long"), home.wait_running("short"));
    let waiting = |home: &Home| {
        let unit = home.wait_for("crashing", "waits", |unit| unit["state"] == "backoff");
        seconds(&unit["next_start"])
    };
    let due = waiting(&home);
    home.ok(&["stop", "long", "short", "--no-wait"]);
    for unit in ["long", "short"] {
        home.wait_for(unit, "is asked to stop", |unit| unit["state"] == "stopping");
    }
    let check = |home: &Home, what: &str| {
        assert!((waiting(home) - due).abs() <= 1, "{what}");
        let unit = home.unit("long").expect("it is there");
        assert_eq!(
            (&unit["state"], &unit["pid"]),
            (&"stopping".into(), &long.into()),
            "{what}"
        );
    };
    home.kill_daemon();
    check(&home, "after the death of the daemon");
    home.ok(&["upgrade"]);
    check(&home, "after an upgrade");
    home.kill_both();
    let _ = home.abide(&["up", "--no-wait"]);
    check(&home, "after the death of both");

    home.wait_for("short", "is killed when its time is over", |unit| {
        unit["state"] == "stopped"
    });
    assert!(!processes::lives(short));
    let all = events(&home);
    let of: Vec<&str> = all
        .iter()
        .filter(|event| event["unit"] == "short" && event["event"] != "adopted")
        .map(|event| event["event"].as_str().expect("a kind"))
        .collect();
    let end = of
        .iter()
        .position(|kind| *kind == "stopping")
        .expect("it was asked");
    let expected = ["stopping", "killed", "exited", "stop_report", "stopped"];
    assert_eq!(of[end..], expected);
    let at = |kind: &str| {
        let mut of = all.iter().filter(|event| event["unit"] == "short");
        seconds(&of.find(|event| event["event"] == kind).expect("told")["at"])
    };
    assert!(
        at("killed") - at("stopping") >= 19,
        "not earlier than it would have been"
    );
    processes::signal(long, Signal::KILL);
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_program_that_became_ready_while_nobody_looked_is_ready() {
    let home = Home::new("unseen");
    home.write(
        "abide.toml",
        r#"
[service.file]
command = "sh -c 'until [ -e go ]; do sleep 0.05; done; touch up; touch file.done; exec sleep 1000'"
ready = { file = "up", within = "1h" }
[service.line]
command = "sh -c 'until [ -e go ]; do sleep 0.05; done; echo it is up; touch line.done; exec sleep 1000'"
ready = { log = "it is up", within = "1h" }
"#,
    );
    // A leftover of an earlier run, which does not count.
    home.write("up", "");
    let _ = home.abide(&["up", "--no-wait"]);
    for unit in ["file", "line"] {
        let begun = home.wait_for(unit, "has begun", |unit| unit["pid"].is_u64());
        assert_eq!(begun["state"], "starting", "{unit}");
    }
    home.kill_both();
    home.write("go", "");
    for unit in ["file", "line"] {
        wait::until(unit, wait::GENEROUS, || {
            home.path(&format!("{unit}.done")).exists().then_some(())
        });
    }
    home.ok(&["up"]);
    for unit in ["file", "line"] {
        home.wait_for(unit, "is ready", |unit| unit["state"] == "running");
    }
    home.ok(&["down"]);
}
