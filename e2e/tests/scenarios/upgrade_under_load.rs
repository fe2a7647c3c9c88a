//! Another executable takes over in the middle of things: requests, heavy logging, a rolling restart, people
//! who follow logs and events, and under a service manager.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};

use abide_e2e::{Home, processes, wait};
use rustix::process::Signal;
use serde_json::Value;

use crate::load::Load;
use crate::sockets::{SERVER, two_servers};
use crate::{assert_none_missing, events, free_port, guest, numbers, pids};

/// Writes a numbered line every so many microseconds.
fn counter(home: &Home, every_us: u32) -> String {
    let guest = home.bring(guest());
    let guest = guest.display();
    format!("[service.counter]\ncommand = [\"{guest}\", \"count\", \"{every_us}\"]\n")
}

fn of_kind(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|e| e["event"] == kind).count()
}

/// The executables that follow each other: the one under test, and the one that `ABIDE_NEXT_BIN` names, built
/// from another commit or under another name; a copy where it names none.
fn two_builds(home: &Home) -> [String; 2] {
    let own = home.path("bin").join("abide");
    let next = std::env::var_os("ABIDE_NEXT_BIN").map_or_else(|| own.clone(), PathBuf::from);
    [(next, "abide-next"), (own, "abide-before")].map(|(file, name)| {
        let copy = home.bring_as(&file, name);
        copy.display().to_string()
    })
}

/// Whether what is brought back and forth are two builds indeed.
fn versions(home: &Home, builds: &[String; 2]) -> Vec<String> {
    let ask = |build: &String| {
        let mut command = std::process::Command::new(build);
        command.arg("--version").stdin(Stdio::null());
        let said = home.finish(command, "abide --version").expect(0);
        said.stdout.trim().to_owned()
    };
    builds.iter().map(ask).collect()
}

/// As many upgrades in a row, back and forth, while four clients ask a server that abide listens for, one asks
/// the API, and a program writes a line every 100 µs.
fn upgrades_in_a_row(times: usize) {
    let port = free_port();
    let home = Home::new("under-load");
    home.write("server.py", SERVER);
    let units = format!("{}\n{}", counter(&home, 100), two_servers(port));
    home.write("abide.toml", &units);
    home.ok(&["up"]);
    let (before, keeper) = (pids(&home), home.keeper());
    let builds = two_builds(&home);
    eprintln!("{:?}", versions(&home, &builds));
    let load = Load::begin(&home, port);
    for time in 0..times {
        let build = &builds[time % 2];
        let report = home.abide(&["upgrade", build, "--json"]).expect(0).json();
        assert_eq!(report["upgraded"], true, "{report}");
        assert_eq!((pids(&home), home.keeper()), (before.clone(), keeper));
        load.goes_on();
    }
    load.end();
    let all = events(&home);
    assert_eq!(of_kind(&all, "upgraded"), times);
    for kind in ["upgrade_failed", "exited", "daemon_recovered", "log_lost"] {
        assert_eq!(of_kind(&all, kind), 0, "{kind}");
    }
    assert_none_missing(&numbers(&home, "counter"));
    let counter = home.unit("counter").expect("it is there");
    assert_eq!(counter["log"]["bytes_lost"], 0);
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn three_upgrades_under_load_cost_no_request_no_line_and_no_process() {
    upgrades_in_a_row(3);
}

/// `cargo xtask upgrades` runs this with two builds.
#[test]
#[ignore = "takes a while; `cargo xtask upgrades` runs it, with two builds"]
fn twenty_upgrades_back_and_forth_under_load_cost_no_request_no_line_and_no_process() {
    upgrades_in_a_row(20);
}

#[test]
#[ignore = "takes the half minute that a new daemon has; `cargo xtask upgrades` runs it"]
fn a_successor_that_hangs_is_given_up_and_the_daemon_goes_on() {
    let home = Home::new("sleeper");
    home.write("abide.toml", &counter(&home, 5000));
    home.ok(&["up"]);
    let (before, daemon) = (pids(&home), home.daemon());
    let sleeper = home.bring_as(Path::new(env!("CARGO_BIN_EXE_impostor")), "sleeper");
    let refused = home
        .abide(&["upgrade", &sleeper.display().to_string()])
        .expect(1);
    assert!(refused.stderr.contains("30 s"), "{}", refused.stderr);
    assert_eq!((home.daemon(), pids(&home)), (daemon, before.clone()));
    assert_eq!(home.running("sleeper"), [] as [u32; 0]);
    assert_eq!(of_kind(&events(&home), "upgrade_failed"), 1);
    home.ok(&["upgrade"]);
    assert_eq!(pids(&home), before);
    assert_none_missing(&numbers(&home, "counter"));
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_rolling_restart_goes_on_under_the_next_daemon() {
    let home = Home::new("rolling-upgrade");
    // The first one is ready at any time, the others when they may.
    let check = "test -e go || test $ABIDE_UNIT = web@1";
    home.write(
        "abide.toml",
        &format!("[service.web]\ncommand = \"sleep 1000\"\ninstances = 6\nready = {{ exec = [\"sh\", \"-c\", \"{check}\"], within = \"10m\" }}\n"),
    );
    home.write("go", "");
    home.ok(&["up"]);
    let before = pids(&home);
    std::fs::remove_file(home.path("go")).expect("ours");
    home.ok(&["restart", "--rolling", "web@*", "--no-wait"]);
    let moved = |home: &Home| {
        let all = events(home);
        let ready = all.iter().filter(|e| e["event"] == "ready").count();
        ready.checked_sub(before.len())
    };
    wait::until("it is under way", wait::GENEROUS, || {
        moved(&home).filter(|n| *n > 0)
    });
    home.ok(&["upgrade"]);
    assert_eq!(moved(&home), Some(1), "the second one waits");
    home.write("go", "");
    wait::until("it has come to the last one", wait::GENEROUS, || {
        let now = pids_that_run(&home)?;
        let other = before
            .iter()
            .all(|(unit, pid)| now.get(unit).is_some_and(|new| *new != u64::from(*pid)));
        other.then_some(())
    });
    let all = events(&home);
    assert_eq!(
        of_kind(&all, "started"),
        2 * before.len(),
        "each once, and no more"
    );
    assert_eq!(of_kind(&all, "rolling_halted"), 0);
    assert_eq!(of_kind(&all, "upgraded"), 1);
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

/// The main process of every unit that is ready, if all are.
fn pids_that_run(home: &Home) -> Option<BTreeMap<String, u64>> {
    let running = |unit: &Value| {
        let name = unit["name"].as_str()?.to_owned();
        (unit["ready"] == true).then_some((name, unit["pid"].as_u64()?))
    };
    home.units()?.iter().map(running).collect()
}

#[test]
fn under_a_service_manager_the_process_in_front_stays_the_same() {
    let home = Home::new("upgrade-in-front");
    home.write("abide.toml", &counter(&home, 5000));
    let mut front = home
        .command(&["daemon", "abide.toml"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("abide can be run");
    let pid = home.wait_running("counter");
    let daemon = home.daemon();
    for build in two_builds(&home) {
        home.ok(&["upgrade", &build]);
        assert_eq!(home.wait_running("counter"), pid);
        assert_eq!(home.keeper(), Some(front.id()));
        assert_ne!(home.daemon(), daemon);
    }
    // The keeper as well.
    home.ok(&["upgrade", "--keeper"]);
    wait::until("the keeper is renewed", wait::GENEROUS, || {
        (of_kind(&events(&home), "keeper_renewed") == 1).then_some(())
    });
    assert_eq!(home.keeper(), Some(front.id()));
    assert_eq!(home.wait_running("counter"), pid);
    assert!(
        front.try_wait().expect("ours").is_none(),
        "it is still there"
    );
    assert_none_missing(&numbers(&home, "counter"));
    processes::signal(front.id(), Signal::TERM);
    let status = wait::until("it ends", wait::GENEROUS, || {
        front.try_wait().ok().flatten()
    });
    assert!(status.success(), "{status}");
    assert_eq!(home.processes(), []);
}

/// A command that goes on, and its lines as they come.
fn follow(home: &Home, args: &[&str]) -> (Child, Receiver<String>) {
    let mut child = home
        .command(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a follower");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        // Until the command ends, or the test.
        for line in lines.map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    (child, receiver)
}

#[test]
fn who_follows_events_and_logs_goes_on_with_the_next_daemon() {
    let home = Home::new("followed");
    home.write("abide.toml", &counter(&home, 5000));
    home.ok(&["up"]);
    let (mut logs, lines) = follow(
        &home,
        &["logs", "counter", "-f", "-n", "all", "--format", "raw"],
    );
    let (mut told, seen) = follow(&home, &["events", "-f", "--json"]);
    for _ in 0..2 {
        home.ok(&["upgrade"]);
        home.kill_daemon();
    }
    home.ok(&["restart", "counter"]);
    let all = events(&home);
    let first = seen.recv_timeout(wait::GENEROUS).expect("an event");
    let first: Value = serde_json::from_str(&first).expect("JSON");
    let from = first["seq"].as_u64().expect("a number");
    let last = all.last().expect("there are events")["seq"].as_u64();
    for expected in from + 1..=last.expect("a number") {
        let event = seen
            .recv_timeout(wait::GENEROUS)
            .expect("the follower goes on");
        let event: Value = serde_json::from_str(&event).expect("JSON");
        assert_eq!(event["seq"], expected, "each once, in order: {event}");
    }
    for expected in numbers(&home, "counter") {
        let line = lines
            .recv_timeout(wait::GENEROUS)
            .expect("the follower goes on");
        assert_eq!(line, expected.to_string());
    }
    for child in [&mut logs, &mut told] {
        child.kill().expect("ours");
        child.wait().expect("ours");
    }
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
