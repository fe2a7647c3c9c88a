//! A program written with the library, as a service of a real systemd.

use std::fs;
use std::path::PathBuf;

use abide_e2e::binary;
use abide_e2e::wait::{GENEROUS, until};
use serde_json::Value;

use crate::machine::{Init, Machine};

const QUEUE: &str = "/srv/queue";
const WORKER: &str = "abide-example-worker";

/// An example, built, and brought into the machine.
fn bring(machine: &Machine, name: &str) {
    let built = binary::build(&["--package", "abide-service", "--example", name]);
    let program: PathBuf = built.expect("it builds").join("examples").join(name);
    fs::copy(program, machine.path("/usr/bin").join(name)).expect("it can be copied");
}

/// How often the worker began, and how often it ended as it should.
fn counts(machine: &Machine) -> (usize, usize) {
    let history = fs::read_to_string(machine.path(QUEUE).join("history")).unwrap_or_default();
    let count = |what: &str| {
        history
            .lines()
            .filter(|line| line.starts_with(what))
            .count()
    };
    (count("begin"), count("end"))
}

fn show(machine: &Machine, property: &str) -> String {
    let unit = WORKER;
    let said = machine.must(&["systemctl", "show", "--value", "--property", property, unit]);
    said.trim().to_owned()
}

/// A job appears in one piece.
fn give(machine: &Machine, name: &str, text: &str) {
    let queue = machine.path(QUEUE);
    fs::write(queue.join("aside"), text).expect("write");
    fs::rename(queue.join("aside"), queue.join("jobs").join(name)).expect("rename");
}

/// What the journal has of it whose message begins so.
fn journal(machine: &Machine, unit: &str, message: &str) -> Option<Value> {
    let said = machine.must(&["journalctl", "-o", "json", "-u", unit]);
    said.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .rfind(|entry| {
            entry["MESSAGE"]
                .as_str()
                .is_some_and(|said| said.starts_with(message))
        })
}

/// The same of the worker, which the journal may have a moment later.
fn logged(machine: &Machine, message: &str) -> Value {
    until(message, GENEROUS, || journal(machine, WORKER, message))
}

#[test]
fn an_example_of_the_library_is_a_service_of_systemd() {
    let Some(mut machine) = Machine::boot("library", Init::Systemd) else {
        return;
    };
    bring(&machine, "worker");
    fs::create_dir_all(machine.path(QUEUE)).expect("mkdir");
    // A journal that is still there after a boot.
    fs::create_dir_all(machine.path("/var/log/journal")).expect("mkdir");
    machine.must(&["journalctl", "--flush"]);
    let before = machine.files();
    machine
        .run(&["worker", "status"])
        .expect_code(4, &["status"]);
    machine.must(&["worker", "install", "--", QUEUE]);
    assert_eq!(counts(&machine), (0, 0));
    machine.must(&["worker", "start"]);
    // It is ready, so it has begun.
    assert_eq!(counts(&machine), (1, 0));
    machine.must(&["worker", "status"]);
    give(&machine, "one", "four words to count");
    until("it says what it did", GENEROUS, || {
        (show(&machine, "StatusText") == "1 jobs done").then_some(())
    });
    let entry = logged(&machine, "did ");
    assert_eq!(entry["_TRANSPORT"], "journal");
    assert_eq!(entry["PRIORITY"], "6");
    assert_eq!(entry["SERVICE_NAME"], "abide-example-worker");
    assert_eq!(entry["EVENT_SEVERITY"], "6");
    for field in ["INSTANCE_ID", "TIMESTAMP"] {
        assert!(entry[field].is_string(), "{field}: {entry}");
    }

    machine.must(&["worker", "restart"]);
    assert_eq!(counts(&machine), (2, 1));
    let stopped = |reason: &str| format!("1 jobs done, stopped: Some({reason})");
    logged(&machine, &stopped("Restart"));

    // What hangs in its work is killed by the watchdog, and comes back.
    give(&machine, "two", "hang");
    until("it is killed and begun again", GENEROUS, || {
        (counts(&machine) == (3, 1)).then_some(())
    });
    until("it is up again", GENEROUS, || {
        (show(&machine, "ActiveState") == "active").then_some(())
    });
    assert_eq!(show(&machine, "NRestarts"), "1");

    machine.must(&["systemctl", "stop", "abide-example-worker"]);
    assert_eq!(counts(&machine), (3, 2));
    assert_eq!(show(&machine, "Result"), "success", "a stop, and no crash");
    logged(&machine, "0 jobs done, stopped: Some(Requested)");
    machine
        .run(&["worker", "status"])
        .expect_code(3, &["status"]);

    machine.must(&["worker", "start"]);
    assert_eq!(counts(&machine), (4, 2));
    machine.reboot();
    until("it is up after the boot", GENEROUS, || {
        (counts(&machine) == (5, 3)).then_some(())
    });
    logged(&machine, "0 jobs done, stopped: Some(Shutdown)");
    machine.must(&["worker", "uninstall"]);
    assert_eq!(counts(&machine), (5, 4));
    machine
        .run(&["worker", "status"])
        .expect_code(4, &["status"]);
    assert_eq!(machine.files(), before, "it leaves nothing");
}

#[test]
fn an_example_that_needs_nothing_may_do_nothing() {
    let Some(machine) = Machine::boot("library-sandbox", Init::Systemd) else {
        return;
    };
    bring(&machine, "by_hand");
    let unit = "abide-example-by-hand";
    let before = machine.files();
    machine.must(&["by_hand", "install"]);
    machine.must(&["by_hand", "start"]);
    let entry = until("it is in the journal", GENEROUS, || {
        journal(&machine, unit, "started by systemd")
    });
    assert_eq!(entry["SERVICE_NAME"], unit);
    let judged = machine.must(&["systemd-analyze", "security", "--no-pager", unit]);
    let verdict = judged.lines().last().unwrap_or_default();
    assert!(
        ["OK", "SAFE", "PERFECT"]
            .iter()
            .any(|word| verdict.contains(word)),
        "{verdict}"
    );
    machine.must(&["by_hand", "uninstall"]);
    let mut left = machine.files();
    left.retain(|file| !before.contains(file));
    // Its state is its own, and not the installation's.
    assert_eq!(left, [format!("/var/lib/{unit}")]);
}
