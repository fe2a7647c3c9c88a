//! That guarding itself works on this kernel, which lacks what newer ones have.

use abide_e2e::processes;
use rustix::process::Signal;

use crate::Test;
use crate::machine::{ANY, home};

pub const ALL: &[Test] = &[
    ("a_crash_is_followed_by_a_restart", ANY, restart),
    ("a_killed_daemon_costs_nothing", ANY, daemon_killed),
    ("what_is_taken_down_leaves_nothing", ANY, down),
];

fn restart() {
    let home = home("restart", &["idle"], "");
    let before = home.wait_running("it");
    processes::signal(before, Signal::ABORT);
    let unit = home.wait_for("it", "runs again", |unit| {
        unit["state"] == "running" && unit["restarts"] == 1
    });
    assert_ne!(unit["pid"], before);
    assert_eq!(unit["last_exit"]["signal"], "SIGABRT");
    home.ok(&["down"]);
}

fn daemon_killed() {
    let home = home("daemon", &["idle"], "");
    let before = home.wait_running("it");
    home.kill_daemon();
    assert_eq!(home.wait_running("it"), before);
    processes::signal(before, Signal::KILL);
    home.wait_for("it", "runs again", |unit| unit["restarts"] == 1);
    home.ok(&["down"]);
}

fn down() {
    let home = home("down", &["crowd", "3"], "");
    home.wait_for("it", "has its children", |unit| unit["processes"] == 4);
    home.ok(&["down"]);
    let me = std::env::current_exe().expect("our file");
    let left: Vec<u32> = processes::all()
        .into_iter()
        .filter(|pid| *pid != std::process::id())
        .filter(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == me))
        .collect();
    assert_eq!(left, [0; 0]);
}
