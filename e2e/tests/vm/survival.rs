//! That what runs survives the death of those that keep it, on this kernel: one that has pidfds, but tells neither
//! the exit of a process that is no child nor an inode that is a pidfd's own.

use abide_e2e::{Home, processes, wait};
use rustix::process::Signal;

use crate::Test;
use crate::machine::{ANY, home};

pub const ALL: &[Test] = &[
    ("a_killed_daemon_costs_no_line", ANY, daemon),
    ("a_killed_keeper_is_replaced", ANY, keeper),
    ("when_both_are_killed_the_next_up_adopts", ANY, both),
    (
        "what_ended_while_nobody_was_there_is_known_to_have_ended",
        ANY,
        gap,
    ),
    ("an_upgrade_is_not_noticed", ANY, upgrade),
];

fn counting(test: &str) -> (Home, u32) {
    let home = home(test, &["count", "5"], "");
    let pid = home.wait_running("it");
    (home, pid)
}

/// Waits for more lines, and insists that they follow each other from 1.
fn goes_on(home: &Home) {
    let count = || {
        let text = home.ok(&["logs", "it", "-n", "all", "--format", "raw"]);
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for (number, line) in (1..).zip(whole.lines()) {
            assert_eq!(line, number.to_string());
        }
        whole.lines().count()
    };
    let before = count();
    wait::until("more is written", wait::GENEROUS, || {
        (count() > before + 20).then_some(())
    });
}

fn kill_both(home: &Home) {
    let both = [
        home.keeper().expect("there is a keeper"),
        home.daemon().expect("there is a daemon"),
    ];
    for pid in both {
        processes::signal(pid, Signal::KILL);
    }
    wait::until("both are gone", wait::GENEROUS, || {
        both.iter().all(|pid| !processes::lives(*pid)).then_some(())
    });
}

fn daemon() {
    let (home, pid) = counting("daemon-lines");
    for _ in 0..3 {
        home.kill_daemon();
        goes_on(&home);
    }
    assert_eq!(home.wait_running("it"), pid);
    home.ok(&["down"]);
}

fn keeper() {
    let (home, pid) = counting("keeper");
    let keeper = home.keeper().expect("there is a keeper");
    processes::signal(keeper, Signal::KILL);
    wait::until("there is a new keeper", wait::GENEROUS, || {
        home.keeper().filter(|new| *new != keeper && *new != 1)
    });
    goes_on(&home);
    home.kill_daemon();
    assert_eq!(home.wait_running("it"), pid);
    processes::signal(pid, Signal::KILL);
    home.wait_for("it", "runs again", |unit| unit["restarts"] == 1);
    home.ok(&["down"]);
}

fn both() {
    let (home, pid) = counting("both");
    for _ in 0..3 {
        kill_both(&home);
        assert!(processes::lives(pid));
        home.ok(&["up"]);
        assert_eq!(home.wait_running("it"), pid);
        goes_on(&home);
    }
    home.ok(&["down"]);
    assert!(!processes::lives(pid));
}

fn gap() {
    let (home, pid) = counting("gap");
    kill_both(&home);
    processes::signal(pid, Signal::KILL);
    wait::until("it has ended", wait::GENEROUS, || {
        (!processes::lives(pid)).then_some(())
    });
    home.ok(&["up"]);
    let unit = home.wait_for("it", "runs again", |unit| {
        unit["state"] == "running" && unit["restarts"] == 1
    });
    assert_ne!(unit["pid"], pid);
    // Linux 6.15 and later would have told.
    assert_eq!(unit["last_exit"]["signal"], serde_json::Value::Null);
    home.ok(&["down"]);
}

fn upgrade() {
    let (home, pid) = counting("upgrade");
    let daemon = home.daemon().expect("there is a daemon");
    home.ok(&["upgrade"]);
    wait::until("there is a new daemon", wait::GENEROUS, || {
        home.daemon().filter(|new| *new != daemon)
    });
    assert_eq!(home.wait_running("it"), pid);
    goes_on(&home);
    home.ok(&["upgrade", "--keeper"]);
    assert_eq!(home.wait_running("it"), pid);
    goes_on(&home);
    home.ok(&["down"]);
}
