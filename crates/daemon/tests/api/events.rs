//! Following what happens.

use abide_model::{EventKind, Wall};
use serde_json::Value;

use super::fake::{self, Fake};

fn record(fake: &Fake, unit: &str, n: u32) {
    let at = Wall(1_767_225_600_000_000_000);
    fake.events.record(
        at,
        Some(unit.parse().expect("a name")),
        None,
        EventKind::Started { pid: n },
    );
}

fn seqs(text: &str) -> Vec<u64> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| {
            serde_json::from_str::<Value>(data).expect("JSON")["seq"]
                .as_u64()
                .expect("a number")
        })
        .collect()
}

#[test]
fn a_follower_hears_every_event_once_and_in_order() {
    let fake = fake::start();
    for n in 1..=200 {
        record(&fake, "web", n);
    }
    fake.events.flush();
    let mut stream = fake.get("/v1/events?after=0");
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    let first = stream.until(|text| seqs(text).len() >= 200);
    for n in 201..=300 {
        record(&fake, "web", n);
    }
    let all = first + &stream.until(|text| seqs(text).len() >= 100);
    assert_eq!(seqs(&all), (1..=300).collect::<Vec<_>>());
    assert!(all.starts_with("id: 1\nevent: started\ndata: {"), "{all}");
}

#[test]
fn an_event_is_shown_with_its_time_its_unit_and_in_words() {
    let fake = fake::start();
    record(&fake, "web", 42);
    fake.events.flush();
    let text = fake.get("/v1/events?after=0&follow=false").text();
    let data = text
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .expect("an event");
    let event: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(
        event,
        serde_json::json!({
            "v": 1, "seq": 1, "at": "2026-01-01T00:00:00.000Z", "unit": "web", "run": null,
            "severity": "info", "text": "web: started as process 42", "event": "started", "pid": 42,
        })
    );
}

#[test]
fn the_last_events_and_those_of_some_units_can_be_asked_for() {
    let fake = fake::start();
    for n in 0..100 {
        record(&fake, if n % 2 == 0 { "even" } else { "odd" }, n);
    }
    fake.events.flush();
    let ask = |query: &str| seqs(&fake.get(&format!("/v1/events?follow=false&{query}")).text());
    assert_eq!(ask("last=3"), [98, 99, 100]);
    assert_eq!(ask("last=2&pattern=od*"), [98, 100]);
    assert_eq!(ask("after=95&pattern=even"), [97, 99]);
    assert_eq!(ask("after=100"), [] as [u64; 0]);
    assert_eq!(ask("last=2&kind=started&kind=failed"), [99, 100]);
    assert_eq!(ask("last=2&kind=failed"), [] as [u64; 0]);
    assert_eq!(fake.get("/v1/events?follow=perhaps").status, 400);
    let mut wrong = fake.get("/v1/events?kind=faild");
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("no kind of event"), "says which");
}

#[test]
fn a_warning_has_one_text_with_its_unit_before_it() {
    let fake = fake::start();
    let text = "its clock drifts".to_owned();
    let unit = Some("web".parse().expect("a name"));
    let kind = EventKind::Warning { text };
    fake.events.record(Wall(1), unit, None, kind);
    fake.events.flush();
    let answer = fake.get("/v1/events?after=0&follow=false").text();
    assert_eq!(answer.matches("\"text\"").count(), 1, "{answer}");
    assert!(
        answer.contains(r#""text":"web: its clock drifts""#),
        "{answer}"
    );
}

#[test]
fn numbers_go_on_after_a_restart_of_the_daemon() {
    let dir = tempfile::tempdir().expect("tempdir");
    for round in 0..3u64 {
        let log = abide_daemon::events::EventLog::open(dir.path()).expect("a log");
        assert_eq!(log.last(), round * 10);
        for _ in 0..10 {
            log.record(Wall(1), None, None, EventKind::DaemonStopping);
        }
    }
    let log = abide_daemon::events::EventLog::open(dir.path()).expect("a log");
    let all: Vec<_> = log
        .read(0, 100)
        .expect("read")
        .iter()
        .map(|event| event.seq)
        .collect();
    assert_eq!(all, (1..=30).collect::<Vec<_>>());
}
