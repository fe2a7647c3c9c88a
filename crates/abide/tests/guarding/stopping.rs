//! Stops: who heeds nothing is gone after the deadline with all that it started, the step that ended a run is said,
//! and nobody waits for what holds a pipe open.

use serde_json::Value;

use crate::shop::{Shop, Unit, abide, running, wait_until};
use crate::system::HOW_INT_IS_SENT;

/// A signal that the program may heed, then another one.
const STEPS: &str = "stop = { within = \"8s\", steps = [{ signal = \"INT\", within = \"3s\" }, { signal = \"TERM\" }] }";

/// The same, where it matters what becomes of the first one.
const PATIENT: &str = "stop = { within = \"100s\", steps = [{ signal = \"INT\", within = \"20s\" }, { signal = \"TERM\", within = \"2s\" }] }";

/// The same, for a program that heeds it.
const HEEDED: &str = "stop = { within = \"120s\", steps = [{ signal = \"INT\", within = \"100s\" }, { signal = \"TERM\" }] }";

/// The steps that were taken, by name, and whether each reached somebody.
pub fn steps(report: &Value) -> Vec<(&str, bool)> {
    let steps = report["steps"].as_array().expect("steps").iter();
    steps
        .map(|step| {
            let name = step["step"].as_str().expect("a name");
            (name, step["failed"].is_null())
        })
        .collect()
}

/// All processes that ever played this unit's programs are gone.
pub fn none_is_left(shop: &Shop, unit: &str) {
    let left = shop.alive(unit);
    assert!(left.is_empty(), "{left:?} of {unit} live");
}

#[test]
fn after_the_deadline_nothing_of_a_tree_lives_and_the_step_that_ended_it_is_said() {
    let shop = Shop::new();
    let units: [Unit<'_>; 6] = [
        ("heeds", "idle", HEEDED),
        ("deaf", "deaf", PATIENT),
        ("family", "parent deaf", STEPS),
        ("piped", "parent talker", STEPS),
        ("away", "parent breakaway", STEPS),
        (
            "command",
            "idle",
            "stop = { within = \"60s\", steps = [{ command = \"exit 7\", shell = true, within = \"50s\" }, { signal = \"INT\" }] }",
        ),
    ];
    shop.configure(&units);
    shop.ask(&["up"]);
    for (unit, plays, _) in &units {
        let processes = if plays.starts_with("parent") { 2 } else { 1 };
        wait_until("its processes", || {
            (shop.starts(unit).len() == processes).then_some(())
        });
    }

    // While they are stopping, everything that is asked is answered.
    shop.ask(&["stop", "all", "--no-wait"]);
    let seen = shop.unit("deaf");
    assert!(seen["state"] == "stopping" || seen["state"] == "stopped");
    shop.ask(&["why", "deaf"]);
    shop.ask(&["wait", "--for", "stopped", "all"]);
    for (unit, ..) in &units {
        none_is_left(&shop, unit);
    }

    let of = |unit: &str| shop.unit(unit)["last_stop"].clone();
    let heeds = of("heeds");
    assert_eq!(heeds["ended_by"], "SIGINT", "{heeds:#}");
    for unit in ["deaf", "family", "piped", "away"] {
        let report = of(unit);
        assert_eq!(report["ended_by"], "kill", "{unit}: {report:#}");
        let all = [("SIGINT", true), ("SIGTERM", true), ("kill", true)];
        assert_eq!(steps(&report), all, "{report:#}");
    }
    // The main process obeyed, and its exit did not wait for those that did not.
    for unit in ["family", "piped", "away"] {
        let report = of(unit);
        let [exited, took] = ["exited_after_ms", "took_ms"].map(|key| report[key].as_u64());
        assert!(exited < took && exited.is_some(), "{report:#}");
    }
    let command = of("command");
    assert_eq!(steps(&command)[0], ("command", false), "{command:#}");
    assert_eq!(command["ended_by"], "SIGINT", "{command:#}");
    let deaf = of("deaf");
    assert_eq!(
        deaf["steps"][0]["how"].as_str(),
        HOW_INT_IS_SENT,
        "{deaf:#}"
    );
    let events = shop.ask(&["events", "--json", "--kind", "stop_report"]);
    assert_eq!(events.lines().count(), units.len(), "{events}");
    assert!(shop.ask(&["show", "deaf"]).contains("ended by kill"));

    // Nobody stopped abide by what it sent.
    shop.ask(&["start", "heeds"]);
    assert!(running(&shop.unit("heeds")));
    shop.ask(&["down"]);
}

#[test]
fn an_exit_is_acted_on_at_once_whatever_the_program_has_left_behind() {
    let shop = Shop::new();
    let never = "restart = \"never\"";
    shop.configure(&[
        ("leaves", "leaves deaf", never),
        ("holds", "leaves talker", never),
    ]);
    shop.ask(&["up"]);
    shop.write("leave", "");
    for unit in ["leaves", "holds"] {
        let gone = shop.wait_for(unit, |unit| unit["state"] == "failed");
        assert_eq!(gone["last_exit"]["code"], 7, "{gone:#}");
        assert_eq!(shop.starts(unit).len(), 2);
        none_is_left(&shop, unit);
        assert!(gone["last_stop"].is_null(), "nobody stopped it: {gone:#}");
    }
    shop.ask(&["down"]);
}

#[test]
fn ctrl_c_ends_a_command_that_follows_with_whole_lines_and_its_code() {
    let shop = Shop::new();
    let program = |what| format!("follower {what} {}", abide().display());
    let stop = "stop = { signal = \"INT\", within = \"100s\" }\nrestart = \"never\"";
    let follows = [("logs", "here is idle"), ("events", "started as process")];
    let [logs, events] = follows.map(|(what, _)| program(what));
    shop.configure(&[
        ("said", "idle", ""),
        ("logs", &logs, stop),
        ("events", &events, stop),
    ]);
    shop.ask(&["up"]);
    for (unit, shows) in follows {
        let log = || shop.ask(&["logs", unit, "--format", "raw"]);
        wait_until("what it follows", || log().contains(shows).then_some(()));
        shop.ask(&["stop", unit]);
        let status = shop.unit(unit);
        assert_eq!(status["last_stop"]["ended_by"], "SIGINT", "{status:#}");
        assert_eq!(status["last_exit"]["code"], 130, "{status:#}");
        assert!(log().ends_with('\n'), "{:?}", log());
    }
    shop.ask(&["down"]);
}
