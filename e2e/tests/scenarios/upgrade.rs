//! Another executable takes over: nothing that runs notices, and what cannot take over changes nothing.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use abide_e2e::Home;
use serde_json::{Value, json};

use crate::load::Load;
use crate::sockets::two_servers;
use crate::{assert_none_missing, events, free_port, guest, numbers, pids};

/// How many times in a row.
const TIMES: u32 = 5;

fn impostor(home: &Home, name: &str) -> String {
    let file = home.bring_as(Path::new(env!("CARGO_BIN_EXE_impostor")), name);
    file.display().to_string()
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| e["event"] == kind).collect()
}

fn counter(home: &Home) -> String {
    let guest = home.bring(guest());
    format!(
        "[service.counter]\ncommand = [\"{}\", \"count\", \"500\"]\n",
        guest.display()
    )
}

#[test]
fn executables_follow_each_other_and_neither_clients_nor_programs_notice() {
    let port = free_port();
    let home = Home::new("upgrade");
    home.write("server.py", crate::sockets::SERVER);
    home.write(
        "abide.toml",
        &format!("{}\n{}", counter(&home), two_servers(port)),
    );
    home.ok(&["up"]);
    let before = pids(&home);
    let keeper = home.keeper();
    let copies = ["abide", "abide-next"].map(|name| {
        let copy = home.bring_as(&home.path("bin").join("abide"), &format!("{name}-copy"));
        copy.display().to_string()
    });

    let load = Load::begin(&home, port);
    let mut follower = home
        .command(&["logs", "counter", "-f", "-n", "all", "--format", "raw"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a follower");
    let mut lines = BufReader::new(follower.stdout.take().expect("its output")).lines();

    for time in 0..TIMES {
        let copy = &copies[time as usize % 2];
        let report = home.abide(&["upgrade", copy, "--json"]).expect(0).json();
        assert_eq!(report["upgraded"], true, "{report}");
        assert_eq!(report["kept"], 3, "{report}");
        let daemon = home.api().get("/v1/daemon").expect("it answers").json();
        let daemon = daemon.expect("JSON");
        assert_eq!(daemon["executable"], **copy, "{daemon}");
        assert_eq!(pids(&home), before);
        assert_eq!(home.keeper(), keeper);
        load.goes_on();
    }
    load.end();
    let events = events(&home);
    assert_eq!(of_kind(&events, "upgraded").len(), TIMES as usize);
    assert_eq!(of_kind(&events, "upgrade_failed"), [] as [&Value; 0]);
    assert_eq!(of_kind(&events, "exited"), [] as [&Value; 0]);

    let last = numbers(&home, "counter").len();
    for expected in 1..=last {
        let line = lines.next().expect("the follower goes on").expect("text");
        assert_eq!(line, expected.to_string());
    }
    follower.kill().expect("ours");
    follower.wait().expect("ours");
    assert_none_missing(&numbers(&home, "counter"));
    assert_eq!(
        home.unit("counter").expect("it is there")["log"]["bytes_lost"],
        0
    );
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn what_cannot_take_over_is_refused_and_the_daemon_goes_on() {
    let home = Home::new("refused");
    home.write("abide.toml", &counter(&home));
    home.ok(&["up"]);
    let (before, daemon) = (pids(&home), home.daemon());
    home.write(
        "script",
        "#!/bin/sh\nexec \"$(dirname \"$0\")/bin/abide\" \"$@\"\n",
    );
    home.write("plain", "hello");
    let script = home.path("script").display().to_string();
    let made =
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755));
    made.expect("ours");
    let cases = [
        (
            "/bin/false".to_owned(),
            "said nothing and exited with 1: not an abide binary",
        ),
        (
            "/bin/true".to_owned(),
            "said nothing and exited with 0: not an abide binary",
        ),
        (impostor(&home, "hangs"), "did not answer within 10 s"),
        (impostor(&home, "older"), "it is too old"),
        (impostor(&home, "newer"), "take a release in between first"),
        (
            impostor(&home, "unable"),
            "cannot read the state here: it is in verse",
        ),
        (
            impostor(&home, "stillborn"),
            "ended with code 3 before it was prepared",
        ),
        (home.path("none").display().to_string(), "is not there"),
        (home.path("bin").display().to_string(), "is a directory"),
        (
            home.path("plain").display().to_string(),
            "is not executable",
        ),
        (script, ""),
    ];
    for (binary, words) in cases {
        let refused = home.abide(&["upgrade", &binary]).expect(1);
        assert!(
            refused.stderr.contains(words),
            "{binary}: {}",
            refused.stderr
        );
        assert_eq!(
            (home.daemon(), pids(&home)),
            (daemon, before.clone()),
            "{binary}"
        );
    }
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn one_that_dies_after_taking_over_is_followed_by_the_one_before() {
    let home = Home::new("rolled-back");
    home.write("abide.toml", &counter(&home));
    home.ok(&["up"]);
    let (before, keeper) = (pids(&home), home.keeper());
    let binary = impostor(&home, "short-lived");
    let failed = home.abide(&["upgrade", &binary]).expect(1);
    assert!(failed.stderr.contains("is back"), "{}", failed.stderr);
    assert!(
        failed
            .stderr
            .contains("ended with code 3 before it was ready"),
        "{}",
        failed.stderr
    );
    assert_eq!((home.keeper(), pids(&home)), (keeper, before.clone()));
    let all = events(&home);
    let told = of_kind(&all, "upgrade_failed");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["executable"], *binary);
    // And it is no worse for it.
    home.ok(&["upgrade"]);
    assert_eq!(pids(&home), before);
    assert_eq!(of_kind(&events(&home), "upgraded").len(), 1);
    assert_none_missing(&numbers(&home, "counter"));
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_daemon_whose_file_was_replaced_says_so_and_becomes_the_new_one() {
    let home = Home::new("replaced");
    home.write("abide.toml", &counter(&home));
    home.ok(&["up"]);
    let before = pids(&home);
    let abide = home.path("bin").join("abide");
    let next = home.bring_as(&abide, "abide.next");
    std::fs::rename(&next, &abide).expect("replaced, as package managers do");
    let ask = || {
        let answer = home.api().get("/v1/daemon").expect("it answers");
        answer.json().expect("JSON")
    };
    assert_eq!(ask()["executable_replaced"], true);
    home.ok(&["upgrade"]);
    let daemon = ask();
    assert_eq!(daemon["executable_replaced"], false, "{daemon}");
    assert_eq!(daemon["executable"], json!(abide), "{daemon}");
    assert_eq!(pids(&home), before);
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
