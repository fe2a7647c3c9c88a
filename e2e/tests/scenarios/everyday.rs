//! What a person does all day: look, act, change one's mind.

use abide_e2e::{Home, home, wait};

use crate::events;

fn household() -> Home {
    let home = Home::new("everyday");
    home.write(
        "abide.toml",
        r#"
group = "shop"

[service.web]
command = "sleep 1000"
instances = 2

[service.once]
type = "oneshot"
command = "true"

[service.later]
command = "sleep 1000"
enabled = false
"#,
    );
    home.ok(&["up"]);
    home
}

#[test]
fn status_says_by_its_exit_code_whether_all_is_well() {
    let home = Home::new("codes");
    assert_eq!(home.abide(&["status"]).code, 4);
    home.ok(&["run", "--name", "good", "--", "sleep", "1000"]);
    assert_eq!(home.abide(&["status"]).code, 0);
    let crashing = home.abide(&[
        "run",
        "--name",
        "bad",
        "--no-wait",
        "--",
        "sh",
        "-c",
        "exit 7",
    ]);
    assert_eq!(crashing.code, 0, "{crashing:?}");
    let bad = home.wait_for("bad", "keeps crashing", |unit| {
        unit["crash_looping"] == true
    });
    assert_eq!(bad["last_exit"]["code"], 7);
    assert_eq!(home.abide(&["status"]).code, 3);
    assert_eq!(home.abide(&["status", "good"]).code, 0);
    assert_eq!(home.abide(&["status", "nobody"]).code, 1);
    let why = home.abide(&["why", "bad"]);
    assert!(why.stdout.contains("exit 7"), "{why:?}");
    assert!(
        events(&home)
            .iter()
            .any(|event| event["event"] == "crash_looping")
    );
    home.ok(&["remove", "bad"]);
    assert_eq!(home.unit("bad"), None);
    assert_eq!(home.abide(&["status"]).code, 0);
}

#[test]
fn units_are_addressed_by_name_glob_group_and_instance() {
    let home = household();
    let names = || -> Vec<String> {
        let mut names: Vec<String> = home
            .units()
            .expect("the daemon answers")
            .iter()
            .filter(|unit| unit["state"] == "running")
            .filter_map(|unit| unit["name"].as_str().map(str::to_owned))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["shop:web@1", "shop:web@2"]);
    assert_eq!(
        home.unit("shop:once").expect("it is there")["state"],
        "exited"
    );
    assert_eq!(
        home.unit("shop:later").expect("it is there")["state"],
        "stopped"
    );
    home.ok(&["stop", "shop:web@1"]);
    assert_eq!(names(), ["shop:web@2"]);
    home.ok(&["start", "shop:web"]);
    assert_eq!(names(), ["shop:web@1", "shop:web@2"]);
    home.ok(&["stop", "*web*"]);
    assert_eq!(names(), [""; 0]);
    home.ok(&["start", "shop:*"]);
    assert_eq!(names(), ["shop:later", "shop:web@1", "shop:web@2"]);
    home.ok(&["scale", "shop:web=3"]);
    wait::until("there are three", wait::GENEROUS, || {
        (names().len() == 4).then_some(())
    });
    // One instance is the unit itself, without a number.
    home.ok(&["scale", "shop:web=1"]);
    assert_eq!(names(), ["shop:later", "shop:web"]);
    home.ok(&["stop", "all"]);
    assert_eq!(names(), [""; 0]);
}

#[test]
fn to_scale_without_waiting_is_no_answer_for_the_other_units_of_the_file() {
    let home = Home::new("scale");
    home.write(
        "abide.toml",
        r#"
[service.web]
command = "sleep 1000"

[service.bad]
command = ["sh", "-c", "exit 7"]
restart = "never"
"#,
    );
    home.ok(&["up", "--no-wait"]);
    for instances in 2..6 {
        home.wait_for("bad", "has failed", |unit| unit["state"] == "failed");
        home.ok(&["scale", &format!("web={instances}"), "--no-wait"]);
        home.wait_running(&format!("web@{instances}"));
    }
}

#[test]
fn run_replaces_a_unit_only_when_asked_to() {
    let home = Home::new("replace");
    home.ok(&["run", "--name", "x", "--", "sleep", "1000"]);
    let first = home.wait_running("x");
    let refused = home
        .abide(&["run", "--name", "x", "--", "sleep", "1001"])
        .expect(1);
    assert!(refused.stderr.contains("--replace"), "{refused:?}");
    assert_eq!(home.wait_running("x"), first);
    home.ok(&["run", "--name", "x", "--replace", "--", "sleep", "1001"]);
    let second = home.wait_for("x", "is the new one", |unit| {
        unit["state"] == "running" && unit["pid"].is_u64() && unit["pid"] != first
    });
    let command = abide_e2e::processes::command_line(home::pid(&second));
    assert_eq!(command, "sleep 1001");
    let show = home.ok(&["show", "x"]);
    assert!(show.contains("1001"), "{show}");
}

#[test]
fn a_unit_gives_up_when_it_was_told_to_and_a_person_sets_it_going_again() {
    let home = Home::new("give-up");
    home.write(
        "abide.toml",
        "[service.x]\ncommand = \"test -e go && exec sleep 1000; exit 3\"\nshell = true\nbackoff = \"none\"\ngive_up = { restarts = 3, within = \"10m\" }\n",
    );
    let up = home.abide(&["up"]);
    assert_ne!(up.code, 0, "{up:?}");
    let failed = home.wait_for("x", "has given up", |unit| unit["state"] == "failed");
    assert_eq!(failed["restarts"], 3);
    assert_eq!(home.abide(&["status"]).code, 3);
    home.write("go", "");
    home.ok(&["start", "x"]);
    home.wait_running("x");
}

#[test]
fn a_signal_reaches_the_program_and_wait_waits() {
    let home = Home::new("signal");
    home.ok(&[
        "run",
        "--name",
        "x",
        "--",
        "sh",
        "-c",
        "trap 'echo got it' USR1; echo set; while :; do sleep 0.05; done",
    ]);
    wait::until("the trap is set", wait::GENEROUS, || {
        home.ok(&["logs", "x"]).contains("set").then_some(())
    });
    home.ok(&["signal", "USR1", "x"]);
    wait::until("the program got it", wait::GENEROUS, || {
        home.ok(&["logs", "x"]).contains("got it").then_some(())
    });
    home.ok(&["wait", "--for", "up", "x"]);
    home.ok(&["stop", "x"]);
    home.ok(&["wait", "--for", "stopped", "x"]);
    assert_eq!(
        home.abide(&["wait", "--for", "up", "--timeout", "200ms", "x"])
            .code,
        3
    );
}

#[test]
fn completions_and_help_need_no_daemon() {
    let home = Home::new("help");
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.ok(&["completions", shell]).contains("abide"));
    }
    assert!(home.ok(&["--help"]).contains("status"));
    assert!(home.ok(&["run", "--help"]).contains("abide run"));
    assert_eq!(home.processes(), []);
}
