//! A stop step by step, and the report of which step ended it.

use abide_e2e::{Home, processes};
use serde_json::Value;

fn last_stop(home: &Home, unit: &str) -> Value {
    let text = home.ok(&["status", unit, "--json"]);
    let units: Value = serde_json::from_str(&text).expect("JSON");
    units[0]["last_stop"].clone()
}

/// The steps that were taken, by name.
fn steps(report: &Value) -> Vec<&str> {
    let steps = report["steps"].as_array().expect("steps").iter();
    steps.filter_map(|step| step["step"].as_str()).collect()
}

#[test]
fn a_stop_takes_its_steps_until_one_ends_the_run_and_says_which() {
    let home = Home::new("stopping");
    home.write(
        "abide.toml",
        "[service.heeds]\ncommand = \"trap '' INT; echo deaf; while :; do sleep 0.1; done\"\nshell = true\nready = { log = \"deaf\", within = \"2m\" }\n\
         stop = { within = \"60s\", steps = [{ signal = \"INT\", within = \"1s\" }, { signal = \"TERM\" }] }\n\
         [service.deaf]\ncommand = \"trap '' INT TERM; echo deaf; while :; do sleep 0.1; done\"\nshell = true\nready = { log = \"deaf\", within = \"2m\" }\n\
         stop = { within = \"1m\", steps = [{ command = \"false\", within = \"50s\" }, { signal = \"TERM\", within = \"1s\" }] }\n\
         [service.told]\ncommand = \"while [ ! -e end ]; do sleep 0.1; done\"\nshell = true\n\
         stop = { within = \"60s\", steps = [{ command = \"echo $MAINPID > end\", shell = true, within = \"50s\" }, { signal = \"TERM\" }] }\n",
    );
    home.ok(&["up"]);
    for unit in ["heeds", "deaf", "told"] {
        home.wait_running(unit);
    }
    let deaf = home.wait_running("deaf");
    let told = home.wait_running("told");
    home.ok(&["stop", "all"]);

    let heeds = last_stop(&home, "heeds");
    assert_eq!(heeds["ended_by"], "SIGTERM", "{heeds:#}");
    assert_eq!(steps(&heeds), ["SIGINT", "SIGTERM"]);
    assert_eq!(heeds["why"], "stopped by hand");

    let killed = last_stop(&home, "deaf");
    assert_eq!(killed["ended_by"], "kill", "{killed:#}");
    assert_eq!(steps(&killed), ["command", "SIGTERM", "kill"]);
    let failed = killed["steps"][0]["failed"].as_str().unwrap_or_default();
    assert!(failed.contains("exit 1"), "{killed:#}");
    assert!(!processes::lives(deaf), "nothing of it is left");

    let by_command = last_stop(&home, "told");
    assert_eq!(by_command["ended_by"], "command", "{by_command:#}");
    let pid = std::fs::read_to_string(home.path("end")).unwrap_or_default();
    assert_eq!(pid.trim(), told.to_string());

    let shown = home.ok(&["show", "heeds"]);
    assert!(shown.contains("ended by SIGTERM after"), "{shown}");
    let why = home.ok(&["why", "deaf"]);
    assert!(why.contains("ended by kill after"), "{why}");
    let events = home.ok(&["events", "--json", "--kind", "stop_report"]);
    assert_eq!(events.lines().count(), 3, "{events}");
    home.ok(&["down"]);
}
