//! What the driver of a real run put into the core, and what came out, is what the core does when it
//! is replayed: the simulator is tied to the real thing.

use std::fs;
use std::path::Path;

use abide_core::recording::{Line, replay};
use abide_e2e::{Home, processes, wait};
use rustix::process::Signal;

#[test]
fn a_recording_of_a_real_run_replayed_into_the_core_gives_the_same_effects() {
    let mut home = Home::new("recording");
    let file = home.path("recording");
    home.set("ABIDE_RECORD", &file.display().to_string());
    home.write(
        "abide.toml",
        r#"
[service.db]
command = "sleep 1000"

[service.web]
command = "sleep 1001"
requires = ["db"]

[service.crashing]
command = "sleep 0.2; exit 3"
shell = true

[service.once]
command = "true"
type = "oneshot"
"#,
    );
    let _ = home.abide(&["up"]);
    let web = home.wait_running("web");
    processes::signal(web, Signal::KILL);
    home.wait_for("web", "is back", |unit| {
        unit["state"] == "running" && unit["pid"].is_u64() && unit["pid"] != web
    });
    home.ok(&["restart", "db"]);
    home.kill_daemon();
    home.wait_for("crashing", "keeps crashing", |unit| {
        unit["crash_looping"] == true
    });
    home.ok(&["stop", "crashing"]);
    home.ok(&["down"]);
    wait::until("the recording is whole", wait::GENEROUS, || {
        home.processes().is_empty().then_some(())
    });

    let mut lives: Vec<Vec<Line>> = Vec::new();
    for line in lines(&home.path("recording")) {
        if matches!(line, Line::New { .. } | Line::Resume { .. }) {
            lives.push(Vec::new());
        }
        lives
            .last_mut()
            .expect("a recording begins with a beginning")
            .push(line);
    }
    assert_eq!(lives.len(), 2, "a daemon was killed once");
    for (n, life) in lives.iter().enumerate() {
        let inputs = life
            .iter()
            .filter(|line| matches!(line, Line::Input { .. }))
            .count();
        assert!(
            inputs > 10,
            "only {inputs} inputs of daemon {n} were recorded"
        );
        if let Err(difference) = replay(life) {
            panic!("daemon {n}: {difference:?}");
        }
    }
}

fn lines(recording: &Path) -> Vec<Line> {
    let text = fs::read_to_string(recording).expect("a recording can be read");
    let lines: Vec<Line> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    // A daemon that was killed may leave half a line.
    assert!(
        lines.len() + 1 >= text.lines().count(),
        "lines of the recording cannot be read"
    );
    lines
}
