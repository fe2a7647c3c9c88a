//! What is true of the units is told to a monitor.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use abide_config::DaemonSettings;
use abide_daemon::board::SourceInfo;
use abide_model::{ActualState, ReportSpec, ReportStyle};
use serde_json::Value;

use super::client::PATIENCE;
use super::fake::{self, Fake};

/// A monitor that answers everything with a status, and gives away what it was told.
struct Monitor {
    address: SocketAddr,
    told: Receiver<(String, String)>,
}

fn monitor(status: &'static str) -> Monitor {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("an address");
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            while let Some(request) = request(&mut stream) {
                if tell.send(request).is_err() {
                    return;
                }
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    Monitor { address, told }
}

/// The request line and the body.
fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut text = Vec::new();
    let mut block = [0; 4096];
    loop {
        let so_far = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse::<usize>().expect("a length"))
            });
            if body.len() >= length.unwrap_or(0) {
                let line = head.lines().next().expect("a line").to_owned();
                return Some((line, body.to_owned()));
            }
        }
        match stream.read(&mut block) {
            Ok(0) | Err(_) => return None,
            Ok(n) => text.extend_from_slice(&block[..n]),
        }
    }
}

impl Monitor {
    fn next(&self) -> (String, String) {
        self.told.recv_timeout(PATIENCE).expect("a report")
    }
}

fn report_to(fake: &Fake, url: &str, style: ReportStyle) {
    report_within(PATIENCE, fake, url, style);
}

fn report_within(timeout: Duration, fake: &Fake, url: &str, style: ReportStyle) {
    let settings = DaemonSettings {
        report: Some(ReportSpec {
            url: url.to_owned(),
            every: Duration::from_secs(3600),
            style,
            timeout,
            host: Some("here".into()),
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

fn set(fake: &Fake, unit: &str, state: ActualState) {
    let mut entry = (*fake.board.unit(unit).expect("published")).clone();
    entry.view.state = state;
    entry.view.ready = state == ActualState::Running;
    fake.board.publish(entry);
}

#[test]
fn all_units_are_told_at_first_and_then_what_changes() {
    let fake = fake::start();
    let monitor = monitor("200 OK");
    fake.add(1, "web", |_, _| {});
    fake.add(2, "db", |_, view| view.restarts = 3);
    let url = format!("http://{}/v1/heartbeat", monitor.address);
    report_to(&fake, &url, ReportStyle::Batch);
    let (line, body) = monitor.next();
    assert_eq!(line, "POST /v1/heartbeat HTTP/1.1");
    let beats: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(beats.as_array().map(Vec::len), Some(2));
    assert_eq!(beats[0]["service"], "db");
    assert_eq!(beats[0]["restarts"], 3);
    assert_eq!(beats[1]["host"], "here");
    assert_eq!(beats[1]["state"], "running");
    assert!(beats[1]["ts"].as_f64().expect("a time") > 1.7e9);

    set(&fake, "web", ActualState::Backoff);
    let beats: Value = serde_json::from_str(&monitor.next().1).expect("JSON");
    assert_eq!(beats.as_array().map(Vec::len), Some(1));
    assert_eq!(beats[0]["state"], "backoff");
    let report = fake.get("/v1/daemon").json()["report"].clone();
    assert_eq!(report["to"], format!("http://{}", monitor.address));
    assert!(report["last_error"].is_null());
}

#[test]
fn a_ping_says_whether_a_unit_starts_is_well_or_fails() {
    let fake = fake::start();
    let monitor = monitor("200 OK");
    fake.add(1, "shop:web", |_, _| {});
    fake.add(2, "idle", |_, view| view.state = ActualState::Stopped);
    let url = format!("http://{}/ping/{{unit}}?k=1", monitor.address);
    report_to(&fake, &url, ReportStyle::Ping);
    assert_eq!(monitor.next().0, "GET /ping/shop:web?k=1 HTTP/1.1");
    for (state, line) in [
        (ActualState::Backoff, "GET /ping/shop:web/fail?k=1 HTTP/1.1"),
        (
            ActualState::Starting,
            "GET /ping/shop:web/start?k=1 HTTP/1.1",
        ),
        (ActualState::Running, "GET /ping/shop:web?k=1 HTTP/1.1"),
    ] {
        set(&fake, "shop:web", state);
        assert_eq!(monitor.next().0, line);
    }
}

#[test]
fn each_unit_can_be_told_by_itself() {
    let fake = fake::start();
    let monitor = monitor("204 No Content");
    fake.add(1, "web", |_, _| {});
    fake.add(2, "db", |_, _| {});
    report_to(
        &fake,
        &format!("http://{}/", monitor.address),
        ReportStyle::Each,
    );
    for name in ["db", "web"] {
        let beat: Value = serde_json::from_str(&monitor.next().1).expect("JSON");
        assert_eq!(beat["service"], name);
    }
}

#[test]
fn a_monitor_that_fails_or_hangs_is_told_once_and_holds_up_nothing() {
    let fake = fake::start();
    fake.add(1, "web", |_, _| {});
    // It accepts, by its backlog, and never answers.
    let hung = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = hung.local_addr().expect("an address");
    report_within(
        Duration::from_secs(2),
        &fake,
        &format!("http://{address}/secret"),
        ReportStyle::Batch,
    );
    assert_eq!(fake.get("/v1/units").status, 200);
    let told = fake
        .get("/v1/events?last=100")
        .until(|text| text.contains("warning"));
    assert!(told.contains("no answer within 2 s"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    let failing = monitor("500 Internal Server Error");
    report_to(
        &fake,
        &format!("http://{}/", failing.address),
        ReportStyle::Batch,
    );
    failing.next();
    fake.get("/v1/events?last=100")
        .until(|text| text.contains("500 Internal Server Error"));
    let well = monitor("200 OK");
    report_to(
        &fake,
        &format!("http://{}/", well.address),
        ReportStyle::Batch,
    );
    well.next();
    fake.board.update_daemon(|daemon| daemon.sources.clear());
    let daemon = fake.get("/v1/daemon").json();
    // It is followed a moment later.
    assert!(daemon["report"].is_null() || daemon["report"]["sent"].is_u64());
}
