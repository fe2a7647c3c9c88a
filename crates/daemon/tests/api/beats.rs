//! Programs report in.

use std::io::Write;

use abide_daemon::board::BeatView;
use abide_model::{ActualState, Health};
use serde_json::{Value, json};

use super::client::{self, Answer, PATIENCE, raw, send, tcp};
use super::fake::{self, Fake};

fn beating() -> Fake {
    let fake = fake::start();
    fake.add_beating(1, "web");
    fake.add(2, "quiet", |_, _| {});
    fake.add(3, "down", |spec, view| {
        owes_beats(spec, view);
        view.pid = None;
        view.state = ActualState::Stopped;
    });
    fake.add(4, "leaving", |spec, view| {
        owes_beats(spec, view);
        view.state = ActualState::Stopping;
    });
    fake.add_beating(5, "shop:cart");
    fake.add_beating(6, "shop:pay");
    fake.add_beating(7, "bank:pay");
    fake
}

fn owes_beats(spec: &mut abide_model::Spec, view: &mut abide_daemon::board::UnitView) {
    spec.policy.heartbeat = Some(abide_model::Heartbeat {
        every: std::time::Duration::from_secs(5),
        misses: 3,
        file: None,
    });
    view.heartbeat = Some(BeatView::default());
    view.health = Health::Healthy;
}

fn refused(fake: &Fake, unit: &str) -> Value {
    fake.get(&format!("/v1/units/{unit}")).json()["refused"]["beats"].clone()
}

/// A body as it is written.
fn say(fake: &Fake, kind: &str, body: &str) -> Answer {
    let request = format!(
        "POST /heartbeat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(client::socket(&fake.home), request.as_bytes()).expect("an answer")
}

#[test]
fn a_beat_is_taken_or_it_is_said_clearly_why_not() {
    let fake = beating();
    for path in ["/heartbeat", "/v1/heartbeat"] {
        let mut answer = fake.post(path, &json!({ "service": "web", "ts": 1_766_000_000 }));
        assert_eq!(answer.status, 200);
        assert!(answer.json()["drift_ms"].as_i64().expect("a drift") < 0);
        assert_eq!(fake.post(path, &json!({ "service": "web" })).status, 200);
        for (service, status, error) in [
            ("nope", 404, "no_such_unit"),
            ("quiet", 409, "no_heartbeat"),
            ("down", 409, "not_running"),
            ("leaving", 409, "stopping"),
            ("pay", 409, "ambiguous"),
        ] {
            let mut answer = fake.post(path, &json!({ "service": service }));
            assert_eq!(answer.status, status, "{service}");
            let body = answer.json();
            assert_eq!(body["error"], error);
            let message = body["message"].as_str().expect("text");
            assert!(message.contains(service), "{body}");
        }
    }
    assert_eq!(refused(&fake, "web"), 0);
    assert_eq!(refused(&fake, "quiet"), 2);
    assert_eq!(refused(&fake, "down"), 2);
    assert_eq!(refused(&fake, "leaving"), 2);
    assert_eq!(fake.get("/v1/daemon").json()["beats_foreign"], 4);
    let metrics = fake.get("/metrics").text();
    for line in [
        "abide_unit_beats_total{unit=\"web\"} 4",
        "abide_unit_beats_refused_total{unit=\"quiet\"} 2",
        "abide_beats_foreign_total 4",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
    }
    assert!(!metrics.contains("nope"));
}

#[test]
fn a_name_without_its_group_will_do_and_a_slip_is_told() {
    let fake = beating();
    let mut answer = fake.post("/heartbeat", &json!({ "service": "cart" }));
    assert_eq!(answer.json()["service"], "shop:cart");
    let mut answer = fake.post("/heartbeat", &json!({ "service": "wbe" }));
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["help"], "did you mean web?");
    fake.add_beating(8, "7");
    let mut answer = fake.post("/heartbeat", &json!({ "service": 7, "ts": 1 }));
    assert_eq!(answer.json()["service"], "7");
}

#[test]
fn only_arrival_counts_whatever_the_sender_says_of_its_time() {
    let fake = beating();
    for ts in [
        json!(1_766_000_000),
        json!(1.5e9),
        json!(-1e300),
        json!(u64::MAX),
        json!("soon"),
        json!(null),
        json!([1]),
        json!({}),
        json!(true),
    ] {
        let mut answer = fake.post(
            "/heartbeat",
            &json!({ "service": "web", "ts": ts, "x": [] }),
        );
        assert_eq!(answer.status, 200, "{ts}");
        assert_eq!(answer.json()["drift_ms"].is_i64(), ts.is_number(), "{ts}");
    }
    // Once, and not once a beat.
    fake.events.flush();
    let mut events = fake.get("/v1/events?last=1000&follow=false");
    let text = events.text();
    assert_eq!(
        text.matches("only their arrival counts").count(),
        1,
        "{text}"
    );
}

#[test]
fn nobody_has_to_say_that_it_is_json() {
    let fake = beating();
    let body = "{\"service\": \"web\"}";
    for kind in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/json",
        "x",
    ] {
        assert_eq!(say(&fake, kind, body).status, 200, "{kind}");
    }
}

#[test]
fn what_is_no_beat_is_refused_with_its_place() {
    let fake = beating();
    for (body, said) in [
        ("{\"service\": \"web\",}", "line 1 column 19"),
        ("{\"service\":\n\"web\"", "line 2"),
        ("{\"ts\": 1}", "missing field `service`"),
        ("{\"service\": null}", "`service` must be a text"),
        ("service=web", "must be a JSON object"),
        ("\"web\"", "must be a JSON object"),
        ("", "there is no body"),
        ("[1,", "line 1"),
    ] {
        let mut answer = say(&fake, "application/json", body);
        assert_eq!(answer.status, 400, "{body}");
        let message = answer.json()["message"].clone();
        assert!(
            message.as_str().expect("text").contains(said),
            "{body}: {message}"
        );
    }
}

#[test]
fn several_beats_in_one_post_are_answered_one_by_one() {
    let fake = beating();
    let beats = json!([
        { "service": "web" },
        { "service": "nope" },
        { "ts": 1 },
        7,
        { "service": "quiet" },
        { "service": "shop:cart", "ts": 1_766_000_000 },
    ]);
    let mut answer = fake.post("/v1/heartbeat", &beats);
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(answer["taken"], 2);
    let refused = answer["refused"].as_array().expect("a list");
    let of = |key: &str| refused.iter().map(|it| it[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("index"), [1, 2, 3, 4]);
    assert_eq!(
        of("error"),
        ["no_such_unit", "bad_request", "bad_request", "no_heartbeat"]
    );
    assert_eq!(fake.post("/v1/heartbeat", &json!([])).status, 200);
    let mut none = fake.post("/v1/heartbeat", &json!([{ "service": "nope" }, 1]));
    assert_eq!(none.status, 404);
    let none = none.json();
    assert_eq!(none["error"], "no_such_unit");
    assert_eq!(none["refused"].as_array().map(Vec::len), Some(2));
    let many = vec![1; 1001];
    assert_eq!(fake.post("/v1/heartbeat", &json!(many)).status, 400);
}

#[test]
fn a_beat_of_a_megabyte_is_refused_to_a_sender_that_sends_it_all_first() {
    let fake = beating();
    let address = fake.listen();
    let body = json!({ "service": "web", "pad": "x".repeat(1 << 20) });
    let mut answer = send(tcp(address), "POST", "/heartbeat", &[], Some(&body));
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["error"], "too_large");
    // In chunks, so that nothing is announced.
    let mut connection = tcp(address);
    let head = b"POST /heartbeat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.write_all(head).expect("the head");
    for _ in 0..16 {
        let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        connection.write_all(&chunk).expect("a chunk");
    }
    let answer = raw(connection, b"0\r\n\r\n").expect("an answer");
    assert_eq!(answer.status, 413);
    // Somebody who asks first is told before anything is sent.
    let head = b"POST /heartbeat HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1048576\r\n\r\n";
    assert_eq!(raw(tcp(address), head).expect("an answer").status, 413);
    let mut answer = fake.post("/heartbeat", &json!({ "service": "web" }));
    assert_eq!(answer.json()["service"], "web");
}

#[test]
fn a_flood_on_many_connections_is_taken_and_others_are_answered_meanwhile() {
    const SENDERS: usize = 4;
    const EACH: usize = 2000;
    let fake = beating();
    let address = fake.listen();
    let body = "{\"service\": \"web\", \"ts\": 1766000000}";
    let request = format!(
        "POST /heartbeat HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let mut stream = std::net::TcpStream::connect(address).expect("connect");
                stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
                let mut left = EACH;
                // Many at once on one connection.
                while left > 0 {
                    let n = left.min(50);
                    stream
                        .write_all(request.repeat(n).as_bytes())
                        .expect("sent");
                    read_answers(&mut stream, n);
                    left -= n;
                }
            });
        }
        for _ in 0..20 {
            assert_eq!(fake.get("/v1/units").status, 200);
        }
    });
    let line = format!("abide_unit_beats_total{{unit=\"web\"}} {}", SENDERS * EACH);
    let metrics = fake.get("/metrics").text();
    assert!(metrics.lines().any(|it| it == line), "{metrics}");
}

/// Reads until so many answers of 200 are there.
fn read_answers(stream: &mut std::net::TcpStream, n: usize) {
    use std::io::Read;
    let mut seen = Vec::new();
    let mut block = [0; 1 << 14];
    let end = b"}";
    while seen.iter().filter(|byte| end.contains(byte)).count() < n {
        let read = stream.read(&mut block).expect("answers");
        assert!(read > 0, "the connection ended");
        seen.extend_from_slice(&block[..read]);
    }
    let text = String::from_utf8_lossy(&seen);
    assert_eq!(text.matches("HTTP/1.1 200").count(), n);
}

#[test]
fn in_a_crowd_no_connection_is_kept_idle() {
    let fake = beating();
    let address = fake.listen();
    let idle: Vec<_> = (0..65).map(|_| tcp(address)).collect();
    let beat = json!({ "service": "web" }).to_string();
    let request = format!(
        "POST /heartbeat HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{beat}",
        beat.len()
    );
    let answer = raw(tcp(address), request.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("connection"), Some("close"));
    drop(idle);
}
