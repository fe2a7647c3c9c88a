//! What is wanted is remembered: over `down`, over the daemon's end, over a bad edit.

use abide_e2e::{Home, processes, wait};
use rustix::process::Signal;

const TWO: &str =
    "[service.one]\ncommand = \"sleep 1000\"\n\n[service.two]\ncommand = \"sleep 1001\"\n";

#[test]
fn what_was_stopped_by_hand_stays_stopped_and_the_rest_comes_back() {
    let home = Home::new("remembered");
    home.write("abide.toml", TWO);
    home.ok(&["up"]);
    home.ok(&["run", "--name", "three", "--", "sleep", "1002"]);
    home.ok(&["stop", "two"]);
    home.ok(&["down"]);
    // Elsewhere there is no abide.toml: what was remembered comes back.
    let elsewhere = home.make_dir("elsewhere");
    let mut up = home.command(&["up"]);
    up.current_dir(elsewhere);
    let _ = home.finish(up, "abide up").expect(0);
    home.wait_running("one");
    home.wait_running("three");
    assert_eq!(
        home.unit("two").expect("it is remembered")["state"],
        "stopped"
    );
}

#[test]
fn sigterm_stops_the_units_and_then_the_daemon() {
    let home = Home::new("sigterm");
    home.write("abide.toml", TWO);
    home.ok(&["up"]);
    let daemon = home.daemon().expect("there is a daemon");
    processes::signal(daemon, Signal::TERM);
    wait::until("everything has ended", wait::GENEROUS, || {
        home.processes().is_empty().then_some(())
    });
    home.ok(&["up"]);
    home.wait_running("one");
}

#[test]
fn sighup_reads_the_configuration_again_and_a_mistake_in_it_changes_nothing() {
    let home = Home::new("sighup");
    home.write("abide.toml", TWO);
    home.ok(&["up"]);
    let (one, two) = (home.wait_running("one"), home.wait_running("two"));
    let daemon = home.daemon().expect("there is a daemon");
    home.write("abide.toml", &TWO.replace("1001", "1003"));
    processes::signal(daemon, Signal::HUP);
    home.wait_for("two", "runs with its new command", |unit| {
        unit["state"] == "running" && unit["pid"].is_u64() && unit["pid"] != two
    });
    let two = home.wait_running("two");
    home.write("abide.toml", "[service.one]\ncomand = \"sleep 1000\"\n");
    processes::signal(daemon, Signal::HUP);
    wait::until("the mistake is told", wait::GENEROUS, || {
        crate::events(&home)
            .iter()
            .any(|event| event["event"] == "reload_failed")
            .then_some(())
    });
    assert_eq!(
        (home.wait_running("one"), home.wait_running("two")),
        (one, two)
    );
}

#[test]
fn a_second_daemon_on_a_home_is_told_who_holds_it() {
    let home = Home::new("second");
    home.write("abide.toml", TWO);
    home.ok(&["up"]);
    let holders = [home.daemon(), home.keeper()].map(|pid| pid.expect("both are there"));
    let second = home.abide(&["daemon"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(
        holders
            .iter()
            .any(|pid| second.stderr.contains(&pid.to_string())),
        "{second:?}"
    );
}
