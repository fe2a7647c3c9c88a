//! A program that stops reporting in is replaced; one that reports is left alone.

use std::fs;

use abide_e2e::{Api, Home, wait};
use serde_json::json;

use crate::{free_port, guest};

fn home_with_beats(port: u16) -> Home {
    let home = Home::new("beats");
    let guest = home.bring(guest());
    home.write(
        "abide.toml",
        &format!(
            "[daemon]\nlisten = \"127.0.0.1:{port}\"\n\n[service.beater]\ncommand = [\"{}\", \"beat\"]\nheartbeat = {{ every = \"2s\", misses = 3 }}\n",
            guest.display()
        ),
    );
    home.ok(&["up"]);
    home
}

#[test]
fn a_program_that_hangs_is_replaced_after_three_missed_beats() {
    let home = home_with_beats(free_port());
    let first = home.wait_running("beater");
    let unit = home.wait_for("beater", "has reported in", |unit| {
        unit["heartbeat"]["last_at"].is_string()
    });
    assert_eq!(unit["restarts"], 0);
    // The daemon's death is not the program's fault.
    home.kill_daemon();
    home.wait_for("beater", "has reported in again", |unit| {
        unit["heartbeat"]["last_at"].is_string()
    });
    assert_eq!(home.wait_running("beater"), first);

    fs::write(home.path("hang"), "").expect("the file can be made");
    let after = home.wait_for("beater", "is replaced", |unit| {
        unit["state"] == "running" && unit["pid"].is_u64() && unit["pid"] != first
    });
    assert_eq!(after["restarts"], 1);
    let reason = after["last_exit"]["reason"]
        .as_str()
        .expect("there is a reason");
    assert!(reason.contains("beat"), "{reason}");
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_beat_for_nobody_is_refused() {
    let port = free_port();
    let home = home_with_beats(port);
    let api = Api::Tcp(format!("127.0.0.1:{port}"), None);
    wait::until("the beats' door is open", wait::GENEROUS, || {
        api.get("/healthz").ok()
    });
    let answer = api
        .post("/v1/heartbeat", &json!({"service": "nobody"}))
        .expect("there is an answer");
    assert_eq!(answer.status, 404, "{answer:?}");
    let answer = api
        .post(
            "/v1/heartbeat",
            &json!({"service": "beater", "ts": 1_766_000_000}),
        )
        .expect("there is an answer");
    assert!((200..300).contains(&answer.status), "{answer:?}");
    drop(home);
}
