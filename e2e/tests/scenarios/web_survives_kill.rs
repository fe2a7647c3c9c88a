//! One command guards a web server; killed, it is back; `down` leaves nothing.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide_e2e::{Home, home, processes, wait};
use rustix::process::Signal;

use crate::free_port;

/// Whether the page answers.
fn page(port: u16) -> Option<()> {
    let api = abide_e2e::Api::Tcp(format!("127.0.0.1:{port}"), None);
    api.get("/")
        .ok()
        .filter(|answer| answer.status == 200)
        .map(|_| ())
}

fn scenario(home: &Home) {
    let port = free_port();
    let typed = [
        "run",
        "--name",
        "web",
        "--",
        "python3",
        "-m",
        "http.server",
        &port.to_string(),
    ];
    home.ok(&typed);
    let first = home.wait_running("web");
    wait::until("the page answers", wait::GENEROUS, || page(port));

    processes::signal(first, Signal::KILL);
    let back = home.wait_for("web", "runs again", |unit| {
        unit["state"] == "running" && unit["pid"].is_u64() && unit["pid"] != first
    });
    wait::until("the page answers again", wait::GENEROUS, || page(port));

    let status = home.abide(&["status", "--json"]).expect(0).json();
    let unit = &status[0];
    assert_eq!(unit["name"], "web");
    assert_eq!(unit["restarts"], 1, "{unit:#}");
    assert_eq!(unit["last_exit"]["signal"], "SIGKILL", "{unit:#}");
    assert!(
        unit["last_exit"]["reason"]
            .as_str()
            .is_some_and(|why| why.contains("SIGKILL")),
        "{unit:#}"
    );
    assert_eq!(unit["pid"], home::pid(&back));

    home.ok(&["down"]);
    assert_eq!(home.processes(), [], "`down` left processes, or files open");
    assert_eq!(
        special_files(&home.home()),
        Vec::<PathBuf>::new(),
        "`down` left FIFOs or sockets"
    );
    assert_eq!(home.abide(&["status"]).code, 4, "no daemon is exit code 4");
}

fn special_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            found.extend(special_files(&entry.path()));
        } else if kind.is_fifo() || kind.is_socket() {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn a_killed_web_server_is_back_and_down_leaves_nothing() {
    scenario(&Home::new("web"));
}

#[test]
fn an_ordinary_user_can_do_the_same() {
    scenario(&Home::of_ordinary_user("web-user"));
}

#[test]
fn a_unit_that_is_stopped_by_hand_stays_down_when_its_process_dies_late() {
    let home = Home::new("late");
    home.ok(&[
        "run",
        "--name",
        "late",
        "--",
        "sh",
        "-c",
        "trap 'sleep 1; exit 3' TERM; while :; do sleep 0.1; done",
    ]);
    home.wait_running("late");
    home.ok(&["stop", "late"]);
    let unit = home.wait_for("late", "is stopped", |unit| unit["state"] == "stopped");
    assert_eq!(unit["desired"], "down");
    wait::let_pass(Duration::from_millis(500));
    assert_eq!(
        home.unit("late").expect("it is remembered")["state"],
        "stopped"
    );
}
