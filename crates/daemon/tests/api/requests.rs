//! Questions and commands about units.

use abide_model::{ActualState, ExitStatus, LastExit, RunId, Signal, Wall};
use serde_json::{Value, json};

use super::fake;

#[test]
fn a_status_has_every_field_and_null_for_what_is_not_known() {
    let fake = fake::start();
    fake.add(1, "shop:web@2", |_, view| {
        view.state = ActualState::Backoff;
        view.restarts = 3;
        view.next_start = Some(Wall(1_767_225_600_500_000_000));
        view.last_exit = Some(Box::new(LastExit {
            status: ExitStatus::Signal {
                signal: Signal(11),
                core: false,
            },
            at: Wall(1_767_225_600_000_000_000),
            run: RunId(7),
            ran_for: std::time::Duration::from_millis(200),
            output_may_be_lost: false,
            reason: "killed by SIGSEGV after 0.2 s".into(),
        }));
    });
    let status = fake.get("/v1/units/shop:web@2").json();
    let mut keys: Vec<_> = status
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    let mut expected: Vec<_> = "name group instance kind enabled desired state state_since health ready pid run_id \
        started_at restarts crash_looping last_exit last_stop next_start reason cpu_percent memory_bytes processes os_state \
        heartbeat log limits_unsupported source mode io_read_bytes io_write_bytes status_text
        health_check sockets fds_stored refused host".split_whitespace().collect();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(status["group"], "shop");
    assert_eq!(status["instance"], "2");
    assert_eq!(status["state"], "backoff");
    assert_eq!(status["next_start"], "2026-01-01T00:00:00.500Z");
    assert_eq!(
        status["last_exit"],
        json!({
            "code": null, "signal": "SIGSEGV", "at": "2026-01-01T00:00:00.000Z",
            "reason": "killed by SIGSEGV after 0.2 s", "run_id": 7,
            "output_may_be_lost": false,
        })
    );
    assert_eq!(status["cpu_percent"], Value::Null);
    assert_eq!(status["source"]["line"], 1);
}

#[test]
fn patterns_choose_units_and_one_that_means_nothing_is_refused() {
    let fake = fake::start();
    for (id, name) in [
        (1, "db"),
        (2, "shop:web@1"),
        (3, "shop:web@2"),
        (4, "webby"),
    ] {
        fake.add(id, name, |_, _| {});
    }
    let names = |query: &str| {
        let answer = fake.get(&format!("/v1/units{query}")).json();
        let units = answer.as_array().expect("an array").clone();
        units
            .iter()
            .map(|unit| unit["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["db", "shop:web@1", "shop:web@2", "webby"]);
    assert_eq!(
        names("?pattern=shop:*&pattern=db"),
        ["db", "shop:web@1", "shop:web@2"]
    );
    assert_eq!(names("?pattern=shop%3Aweb"), ["shop:web@1", "shop:web@2"]);
    let mut answer = fake.get("/v1/units?pattern=db&pattern=nope");
    assert_eq!(answer.status, 404);
    let body = answer.json();
    assert_eq!(body["error"], "no_such_unit");
    assert!(body["message"].as_str().expect("text").contains("nope"));
    assert!(
        fake.get("/v1/units/web").json()["help"]
            .as_str()
            .expect("help")
            .contains("shop:web@1")
    );
    assert_eq!(fake.get("/v1/units?patern=db").status, 400);
    assert_eq!(fake.get("/v1/units?pattern=%5B").status, 400);
    assert_eq!(fake.get("/v1/units/%FF").status, 400);
}

#[test]
fn commands_reach_the_driver_with_ids_and_are_answered_with_an_operation() {
    let fake = fake::start();
    fake.add(1, "db", |_, _| {});
    fake.add(2, "web", |_, _| {});
    let mut answer = fake.post("/v1/units/w*/stop", &json!({}));
    assert_eq!(answer.status, 202);
    let operation = answer.json();
    assert_eq!(operation["kind"], "stop");
    assert_eq!(
        operation["steps"][0],
        json!({ "unit": "web", "state": "done", "note": null })
    );
    assert_eq!(
        fake.get(&format!("/v1/operations/{}", operation["id"]))
            .json(),
        operation
    );
    assert_eq!(
        fake.post(
            "/v1/command",
            &json!({ "command": "start", "patterns": ["db", "all"] })
        )
        .status,
        202
    );
    assert_eq!(
        fake.post("/v1/units/db/signal", &json!({ "signal": "hup" }))
            .status,
        202
    );
    assert_eq!(
        fake.commands(),
        [
            "Stop([UnitId(2)])",
            "Start([UnitId(1), UnitId(2)])",
            "Signal([UnitId(1)], SIGHUP)",
        ]
    );
    for (path, body, status) in [
        ("/v1/units/nope/start", json!({}), 404),
        ("/v1/units/db/explode", json!({}), 404),
        ("/v1/units/db/signal", json!({}), 400),
        ("/v1/units/db/signal", json!({ "signal": "SIGNOPE" }), 400),
        (
            "/v1/command",
            json!({ "command": "start", "patterns": [] }),
            400,
        ),
        (
            "/v1/command",
            json!({ "command": "start", "patterns": ["db"], "extra": 1 }),
            400,
        ),
        (
            "/v1/command",
            json!({ "command": "signal", "patterns": ["db"] }),
            400,
        ),
        (
            "/v1/command",
            json!({ "command": "start", "patterns": ["db"], "signal": "HUP" }),
            400,
        ),
    ] {
        assert_eq!(fake.post(path, &body).status, status, "{path} {body}");
    }
}

#[test]
fn why_tells_the_cause_what_is_waited_for_and_what_would_change_it() {
    let fake = fake::start();
    fake.add(1, "web", |_, _| {});
    let why = fake.get("/v1/units/web/why").json();
    assert_eq!(
        why["because"],
        json!(["it waits for what it requires", "db: failed: exit 1"])
    );
    assert_eq!(why["would_change"], json!(["`abide start db`"]));
}

#[test]
fn metrics_have_each_unit_and_end_as_open_metrics_do() {
    let fake = fake::start();
    fake.add(1, "web", |_, view| view.restarts = 4);
    let mut answer = fake.get("/metrics");
    assert!(
        answer
            .header("content-type")
            .expect("a type")
            .starts_with("application/openmetrics-text")
    );
    let text = answer.text();
    for line in [
        "abide_unit_restarts_total{unit=\"web\"} 4",
        "abide_unit_up{unit=\"web\"} 1",
        "abide_units{state=\"running\"} 1",
        "abide_units{state=\"failed\"} 0",
        "abide_build_info{version=\"0.1.0\"} 1",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in {text}"
        );
    }
    assert!(text.ends_with("# EOF\n"));
}
