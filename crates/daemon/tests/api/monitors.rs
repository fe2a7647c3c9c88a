//! Services of other machines report here.

use std::time::Duration;

use abide_config::DaemonSettings;
use abide_daemon::board::SourceInfo;
use abide_model::MonitorSpec;
use serde_json::{Value, json};

use super::client::PATIENCE;
use super::fake::{self, Fake};

fn monitor(fake: &Fake, services: &[&str], every: Duration) {
    let settings = DaemonSettings {
        monitor: Some(MonitorSpec {
            services: services.iter().map(|text| (*text).to_owned()).collect(),
            every,
            misses: 2,
            on_silent: None,
            line: 7,
        }),
        ..DaemonSettings::default()
    };
    fake.board.update_daemon(|daemon| {
        daemon.sources = vec![SourceInfo {
            file: "/x/abide.toml".into(),
            environment: Default::default(),
            settings,
            argument: "/x/abide.toml".into(),
            scale: Default::default(),
        }];
    });
}

/// The configuration is followed a moment later.
fn beat(fake: &Fake, beat: &Value) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let mut answer = fake.post("/v1/heartbeat", beat);
        if answer.status == 200 {
            return answer.json();
        }
        assert!(begun.elapsed() < PATIENCE, "{}", answer.text());
    }
}

#[test]
fn a_service_of_another_machine_is_shown_where_it_reports_and_cannot_be_commanded() {
    let fake = fake::start();
    fake.add_beating(1, "web");
    monitor(&fake, &["web", "a/*"], Duration::from_secs(3600));
    let said = json!({ "service": "web", "host": "a", "state": "backoff", "ready": false,
                       "restarts": 5, "health": "unhealthy", "pid": 9, "ts": 1 });
    assert_eq!(beat(&fake, &said)["service"], "a/web");
    assert_eq!(
        beat(&fake, &json!({ "service": "db", "host": "a" }))["service"],
        "a/db"
    );
    // Without a host, it is the unit of this machine.
    assert_eq!(beat(&fake, &json!({ "service": "web" }))["service"], "web");
    let mut strange = fake.post("/v1/heartbeat", &json!({ "service": "db", "host": "b" }));
    assert_eq!(
        (strange.status, strange.json()["error"].as_str()),
        (404, Some("no_such_unit"))
    );

    let units = fake.get("/v1/units").json();
    let of = |key: &str| -> Vec<Value> {
        units
            .as_array()
            .expect("a list")
            .iter()
            .map(|unit| unit[key].clone())
            .collect()
    };
    assert_eq!(of("name"), ["db", "web", "web"]);
    assert_eq!(of("mode"), ["remote", "guard", "remote"]);
    assert_eq!(of("host"), [json!("a"), Value::Null, json!("a")]);
    assert_eq!(of("state"), ["running", "running", "backoff"]);
    assert_eq!(units[0]["health"], "healthy");
    assert_eq!(units[2]["restarts"], 5);
    assert_eq!(
        units[2]["source"],
        json!({ "file": "/x/abide.toml", "line": 7 })
    );
    assert!(units[2]["heartbeat"]["drift_ms"].as_i64().expect("a drift") < 0);
    assert_eq!(
        fake.get("/v1/units?pattern=a/*")
            .json()
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    assert_eq!(fake.get("/v1/units?pattern=db").json()[0]["host"], "a");
    assert_eq!(fake.get("/v1/units?pattern=nobody").status, 404);
    assert_eq!(fake.get("/v1/units/a%2Fweb").json()["mode"], "remote");
    assert_eq!(fake.get("/v1/units/a%2Fweb/why").status, 200);

    let stop = json!({ "command": "stop", "patterns": ["a/db"] });
    let mut answer = fake.post("/v1/command", &stop);
    assert_eq!(answer.status, 409);
    let answer = answer.json();
    assert_eq!(answer["error"], "runs_elsewhere");
    assert_eq!(answer["message"], "db runs on a and only reports here");
    assert_eq!(fake.get("/v1/units/db/spec").status, 409);
    let all = json!({ "command": "restart", "patterns": ["all"] });
    assert_eq!(fake.post("/v1/command", &all).status, 202);
    let metrics = fake.get("/metrics").text();
    assert!(
        metrics.contains("abide_remotes{state=\"reporting\"} 2"),
        "{metrics}"
    );

    let remove = json!({ "command": "remove", "patterns": ["a/db"] });
    let mut answer = fake.post("/v1/command", &remove);
    assert_eq!(answer.status, 202);
    let id = answer.json()["id"].as_u64().expect("a number");
    assert_eq!(
        fake.get(&format!("/v1/operations/{id}?wait=1")).json()["state"],
        "done"
    );
    assert_eq!(fake.get("/v1/units?pattern=a/db").status, 404);
}

#[test]
fn one_that_falls_silent_is_told_and_so_is_its_return() {
    let fake = fake::start();
    monitor(&fake, &["*"], Duration::from_millis(50));
    let web = json!({ "service": "web", "host": "a" });
    beat(&fake, &web);
    let mut events = fake.get("/v1/events?last=100");
    let told = events.until(|text| text.contains("remote_silent"));
    assert!(told.contains("a/web is silent"), "{told}");
    let unit = fake.get("/v1/units/web").json();
    assert_eq!(unit["health"], "unhealthy");
    assert_eq!(unit["ready"], false);
    assert!(unit["heartbeat"]["missed"].as_u64().expect("a number") >= 2);
    beat(&fake, &web);
    events.until(|text| text.contains("remote_back"));
}

#[test]
fn what_is_known_survives_the_api() {
    let mut fake = fake::start();
    monitor(&fake, &["*"], Duration::from_secs(3600));
    beat(
        &fake,
        &json!({ "service": "web", "host": "a", "restarts": 3 }),
    );
    fake.api.take();
    let written = std::fs::read_to_string(fake.home.join("state/remotes.json"));
    let written: Value = serde_json::from_str(&written.expect("written")).expect("JSON");
    assert_eq!(written["remotes"][0]["host"], "a");
    assert_eq!(written["remotes"][0]["restarts"], 3);
}
