//! An unmodified Python program that reports in by HTTP.

use abide_e2e::{Home, processes, skip};
use rustix::process::Signal;

use super::notify::python_with;
use crate::events;

/// As people write it: a thread, the requests library, whole seconds, a time-out of its own.
const PROGRAM: &str = r#"
import os, requests, threading, time

def report(url, service):
    while True:
        try:
            body = {"service": service, "ts": int(time.time())}
            requests.post(url, json=body, timeout=2)
        except requests.RequestException as e:
            print("no answer:", e, flush=True)
        time.sleep(float(os.environ["EVERY"]))

url, service = os.environ["ABIDE_HEARTBEAT_URL"], os.environ["ABIDE_UNIT"]
threading.Thread(target=report, args=(url, service), daemon=True).start()
while True:
    time.sleep(3600)
"#;

#[test]
fn a_python_program_that_is_stopped_is_restarted_after_three_missed_beats() {
    let home = Home::new("python-beats");
    let Some(python) = python_with("requests") else {
        return skip::skip("python_beats", "Python's requests is not installed");
    };
    home.write("app.py", PROGRAM);
    home.write(
        "abide.toml",
        &format!(
            r#"
[service.app]
command = ["{python}", "-u", "app.py"]
environment = {{ EVERY = "1" }}
heartbeat = {{ every = "3s" }}
"#
        ),
    );
    home.ok(&["up"]);
    let first = home.wait_running("app");
    home.wait_for("app", "beats", |unit| unit["health"] == "healthy");

    // Continued before three beats were missed, nothing happens.
    processes::signal(first, Signal::STOP);
    home.wait_for("app", "is stopped", |unit| {
        unit["os_state"] == "stopped" && unit["heartbeat"]["missed"] == 1
    });
    let why = home.ok(&["why", "app"]);
    assert!(why.contains("stopped"), "{why}");
    processes::signal(first, Signal::CONT);
    home.wait_for("app", "beats again", |unit| {
        unit["heartbeat"]["missed"] == 0 && unit["os_state"] != "stopped"
    });
    assert_eq!(home.wait_running("app"), first);

    processes::signal(first, Signal::STOP);
    let after = home.wait_for("app", "is replaced", |unit| {
        unit["pid"].is_u64() && unit["pid"] != first
    });
    assert_eq!(after["restarts"], 1);
    let reason = after["last_exit"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("missed 3 heartbeats"), "{reason}");
    let told: Vec<String> = events(&home)
        .iter()
        .filter(|event| event["unit"] == "app")
        .filter_map(|event| event["event"].as_str().map(str::to_owned))
        .collect();
    for what in ["process_stopped", "process_continued", "heartbeat_missed"] {
        assert!(
            told.iter().any(|event| event == what),
            "no {what} in {told:?}"
        );
    }
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
