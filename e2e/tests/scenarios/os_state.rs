//! What the system says of a main process, and of what the unit uses.

use abide_e2e::{Home, processes};
use rustix::process::Signal;

#[test]
fn a_stopped_process_is_shown_and_why_says_how_it_goes_on() {
    let home = Home::new("os-state");
    home.write("abide.toml", "[service.nap]\ncommand = \"sleep 1000\"\n");
    home.ok(&["up"]);
    let pid = home.wait_running("nap");
    let unit = home.wait_for("nap", "sleeps", |unit| unit["os_state"] == "sleeping");
    assert!(unit["io_read_bytes"].is_u64(), "{unit:#}");
    assert!(unit["io_write_bytes"].is_u64(), "{unit:#}");
    assert!(unit["memory_bytes"].as_u64() > Some(0), "{unit:#}");

    processes::signal(pid, Signal::STOP);
    home.wait_for("nap", "is stopped", |unit| unit["os_state"] == "stopped");
    let why = home.ok(&["why", "nap"]);
    assert!(why.contains("stopped by a signal"), "{why}");
    assert!(why.contains("abide signal CONT nap"), "{why}");
    home.ok(&["signal", "CONT", "nap"]);
    home.wait_for("nap", "sleeps again", |unit| unit["os_state"] == "sleeping");
    let why = home.ok(&["why", "nap"]);
    assert!(!why.contains("stopped by a signal"), "{why}");
    home.ok(&["down"]);
}
