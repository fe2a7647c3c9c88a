//! One machine reports to another, goes away with everything that kept it, and comes back.

use std::fs;

use abide_e2e::{Home, processes, wait};
use rustix::process::Signal;
use serde_json::Value;

use crate::{events, free_port};

/// The service that runs elsewhere, as the monitor shows it.
fn remote(monitor: &Home, name: &str) -> Option<Value> {
    let mut units = monitor.units()?;
    units.retain(|unit| unit["name"] == name && unit["mode"] == "remote");
    units.pop()
}

fn of_kind(home: &Home, kind: &str) -> Vec<Value> {
    let mut events = events(home);
    events.retain(|event| event["event"] == kind);
    events
}

#[test]
fn a_machine_that_falls_silent_is_told_by_its_monitor_and_so_is_its_return() {
    let port = free_port();
    let monitor = Home::new("monitor");
    let hook = monitor.write(
        "tell.sh",
        "#!/bin/sh\necho \"$ABIDE_HOOK $ABIDE_HOST $ABIDE_SERVICE ${ABIDE_LAST_SEEN:+seen}\" >> told\n",
    );
    monitor.write(
        "abide.toml",
        &format!(
            "[daemon]\nlisten = \"127.0.0.1:{port}\"\n\n[monitor]\nservices = [\"alpha/*\"]\nevery = \"1s\"\nmisses = 10\non_silent = [\"/bin/sh\", \"{}\"]\n\n[service.local]\ncommand = \"sleep 1000\"\n",
            hook.display()
        ),
    );
    monitor.ok(&["up"]);
    let reporter = Home::new("reporter");
    reporter.write(
        "abide.toml",
        &format!(
            "[report]\nurl = \"http://127.0.0.1:{port}/v1/heartbeat\"\nevery = \"1s\"\ntimeout = \"1s\"\nhost = \"alpha\"\n\n[service.web]\ncommand = \"sleep 1000\"\n"
        ),
    );
    reporter.ok(&["up"]);
    let pid = reporter.wait_running("web");
    let shown = wait::until("the monitor shows it", wait::GENEROUS, || {
        remote(&monitor, "web").filter(|unit| unit["state"] == "running")
    });
    assert_eq!(shown["host"], "alpha");
    assert_eq!(shown["pid"], pid);
    let _ = monitor.abide(&["status"]).expect(0);
    let _ = monitor.abide(&["stop", "alpha/web"]).expect(1);
    assert!(monitor.ok(&["status", "alpha/web"]).contains("alpha/web"));

    // The keeper is stopped first, so that it brings nothing back.
    let keeper = reporter.keeper().expect("there is a keeper");
    let daemon = reporter.daemon().expect("there is a daemon");
    processes::signal(keeper, Signal::STOP);
    for process in [daemon, keeper, pid] {
        processes::signal(process, Signal::KILL);
    }
    let silent = wait::until("it is told", wait::GENEROUS, || {
        of_kind(&monitor, "remote_silent").pop()
    });
    assert_eq!(silent["service"], "web");
    assert_eq!(silent["host"], "alpha");
    let told = wait::until("the hook has run", wait::GENEROUS, || {
        fs::read_to_string(monitor.path("told"))
            .ok()
            .filter(|told| told.ends_with('\n'))
    });
    assert_eq!(told, "on_silent alpha web seen\n");
    let unit = remote(&monitor, "web").expect("it is remembered");
    assert_eq!(unit["health"], "unhealthy");
    let _ = monitor.abide(&["status"]).expect(3);

    // Known after the monitor itself was away, and not told twice.
    monitor.kill_daemon();
    let unit = wait::until("it is known again", wait::GENEROUS, || {
        remote(&monitor, "web")
    });
    assert_eq!(unit["health"], "unhealthy");

    reporter.ok(&["up"]);
    wait::until("its return is told", wait::GENEROUS, || {
        of_kind(&monitor, "remote_back").pop()
    });
    assert_eq!(of_kind(&monitor, "remote_silent").len(), 1);
    assert_eq!(remote(&monitor, "web").expect("shown")["health"], "unknown");

    // A monitor that is down is told by the reporter, once, and holds up nothing.
    monitor.ok(&["down"]);
    wait::until("the failure is told", wait::GENEROUS, || {
        let mut warnings = of_kind(&reporter, "warning");
        warnings.retain(|it| {
            it["text"]
                .as_str()
                .is_some_and(|it| it.contains("do not arrive"))
        });
        warnings.pop()
    });
    reporter.ok(&["restart", "web"]);
    reporter.ok(&["down"]);
    assert_eq!(reporter.processes(), []);
    assert_eq!(monitor.processes(), []);
}
