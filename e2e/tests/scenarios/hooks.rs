//! Commands around a unit's runs: when they run, what they are told, and that none outlives its time.

use abide_e2e::{Home, processes, wait};
use rustix::process::Signal;

use crate::events;

/// What the hooks wrote, in order.
fn notes(home: &Home) -> Vec<String> {
    let text = std::fs::read_to_string(home.path("notes")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn note(what: &str) -> String {
    format!("{{ command = \"echo {what} >> notes\", shell = true }}")
}

#[test]
fn hooks_run_in_their_order_and_are_told_what_happened() {
    let home = Home::new("hooks");
    home.write(
        "abide.toml",
        &format!(
            "[service.a]\ncommand = \"sleep 1000\"\nbefore_start = {}\nafter_start = {}\nbefore_stop = {}\nafter_stop = {}\non_failure = {}\n",
            note("before_start $ABIDE_RUN_ID $ABIDE_RESTARTS $ABIDE_HOOK"),
            note("after_start $ABIDE_UNIT $(readlink /proc/$MAINPID/exe | grep -o sleep)"),
            note("before_stop $(readlink /proc/$MAINPID/exe | grep -o sleep)"),
            note("after_stop $ABIDE_EXIT_SIGNAL"),
            note("on_failure $ABIDE_EXIT_REASON"),
        ),
    );
    home.ok(&["up"]);
    let first = home.wait_running("a");
    wait::until("it has started", wait::GENEROUS, || {
        (notes(&home).len() == 2).then_some(())
    });
    processes::signal(first, Signal::KILL);
    wait::until("it has started again", wait::GENEROUS, || {
        (notes(&home)
            .iter()
            .filter(|n| n.starts_with("after_start"))
            .count()
            == 2)
            .then_some(())
    });
    home.wait_running("a");
    // It holds up nothing, so it may be late.
    wait::until("its failure was told", wait::GENEROUS, || {
        let told = |note: &String| note.starts_with("on_failure");
        notes(&home).iter().any(told).then_some(())
    });
    home.ok(&["stop", "a"]);
    let mut lines = notes(&home);
    // It holds up nothing, so it has no place in the order.
    let failures: Vec<_> = lines
        .extract_if(.., |line| line.starts_with("on_failure"))
        .collect();
    assert_eq!(failures.len(), 1);
    assert!(
        failures[0].starts_with("on_failure killed by SIGKILL after"),
        "{failures:?}"
    );
    assert_eq!(
        lines,
        [
            "before_start 1 0 before_start",
            "after_start a sleep",
            "after_stop SIGKILL",
            "before_start 2 1 before_start",
            "after_start a sleep",
            "before_stop sleep",
            "after_stop SIGTERM",
        ]
    );
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_failing_before_start_is_a_failed_start_and_giving_up_has_its_hook() {
    let home = Home::new("hooks-fail");
    home.write(
        "abide.toml",
        &format!(
            "[service.a]\ncommand = \"sleep 1000\"\nbefore_start = {{ command = \"echo no luck; exit 3\", shell = true }}\n\
             backoff = \"none\"\ngive_up = {{ restarts = 2, within = \"1m\" }}\non_give_up = {}\n",
            note("gave up: $ABIDE_EXIT_REASON"),
        ),
    );
    let up = home.abide(&["up"]).expect(1);
    assert!(
        up.stderr.contains("before_start failed: exit 3"),
        "{}",
        up.stderr
    );
    let unit = home.wait_for("a", "has failed", |unit| unit["state"] == "failed");
    assert!(unit["pid"].is_null());
    assert!(
        home.ok(&["logs", "a", "--format", "raw"])
            .starts_with("no luck\n")
    );
    wait::until("the hook was run", wait::GENEROUS, || {
        notes(&home).first().map(|line| {
            assert!(line.starts_with("gave up: "), "{line}");
        })
    });
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_hook_that_forks_and_hangs_ends_with_its_time() {
    let home = Home::new("hooks-hang");
    home.write(
        "abide.toml",
        "[service.a]\ncommand = \"sleep 1000\"\nbefore_stop = { command = \"setsid sleep 2000 & (sleep 3000 &); sleep 4000\", shell = true, timeout = \"1s\" }\n",
    );
    home.ok(&["up"]);
    home.ok(&["stop", "a"]);
    let told = events(&home);
    let failed = told.iter().find(|event| event["event"] == "hook_failed");
    let reason = failed.and_then(|event| event["reason"].as_str());
    assert!(
        reason.is_some_and(|reason| reason.contains("killed after 1")),
        "{reason:?}"
    );
    let left: Vec<_> = home
        .processes()
        .into_iter()
        .filter(|process| process.command.starts_with("sleep"))
        .collect();
    assert_eq!(left, []);
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_hook_that_its_daemon_did_not_survive_is_run_again() {
    let home = Home::new("hooks-daemon");
    home.write(
        "abide.toml",
        "[service.a]\ncommand = \"sleep 1000\"\nbefore_start = { command = \"echo begin >> notes; test -e go || sleep 2000\", shell = true }\n",
    );
    home.ok(&["up", "--no-wait"]);
    wait::until("the hook runs", wait::GENEROUS, || {
        (notes(&home).len() == 1).then_some(())
    });
    home.write("go", "");
    home.kill_daemon();
    home.wait_running("a");
    assert_eq!(notes(&home), ["begin", "begin"]);
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
