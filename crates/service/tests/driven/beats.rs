//! Signs of life: given while it works, not when it hangs.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Driven, Manager, command, until};

/// A beat is owed each half of it.
const LIMIT: Duration = Duration::from_millis(400);

fn limit() -> String {
    LIMIT.as_micros().to_string()
}

#[test]
fn a_worker_beats_while_it_works_and_not_when_it_hangs() {
    let folder = tempfile::tempdir().expect("a folder");
    let manager = Manager::in_folder(folder.path());
    let worker = Driven::start(
        command("worker")
            .args(["run".as_ref(), folder.path().as_os_str()])
            .env("NOTIFY_SOCKET", manager.address())
            .env("WATCHDOG_USEC", limit()),
    );
    manager.hears("READY=1");
    for _ in 0..3 {
        manager.hears("WATCHDOG=1");
    }
    let job = folder.path().join("jobs/hangs");
    let aside = folder.path().join("aside");
    fs::write(&aside, "hang").expect("a job");
    fs::rename(&aside, &job).expect("in one piece");
    until("the job is taken", || !job.exists());
    // It took the job after its last beat.
    manager.forget();
    assert_eq!(manager.within(LIMIT * 5), None);
    // It is there, and hears that it is to stop; that it does not is the manager's affair.
    worker.signal(Signal::TERM);
    manager.hears("STOPPING=1");
}

#[test]
fn a_body_that_only_waits_is_seen_to_live() {
    let manager = Manager::abstract_named("waits");
    let mut waiting = Driven::start(
        command("by_hand")
            .arg("run")
            .env("NOTIFY_SOCKET", manager.address())
            .env("WATCHDOG_USEC", limit()),
    );
    for _ in 0..3 {
        manager.hears("WATCHDOG=1");
    }
    waiting.signal(Signal::TERM);
    waiting.ended_well();
}

#[test]
fn a_body_that_is_polled_is_seen_to_live() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = folder.path().join("words");
    fs::write(&words, "good day\n").expect("a file");
    let manager = Manager::in_folder(folder.path());
    let mut web = Driven::start(
        command("web")
            .args(["run", "127.0.0.1:0"])
            .arg(&words)
            .env("NOTIFY_SOCKET", manager.address())
            .env("WATCHDOG_USEC", limit()),
    );
    for _ in 0..3 {
        manager.hears("WATCHDOG=1");
    }
    // A runtime whose only thread does not run polls nobody.
    web.signal(Signal::STOP);
    web.signal(Signal::CONT);
    manager.hears("WATCHDOG=1");
    web.signal(Signal::TERM);
    web.ended_well();
}

#[test]
fn a_watchdog_of_another_process_wants_no_beats() {
    let manager = Manager::abstract_named("other");
    let mut waiting = Driven::start(
        command("by_hand")
            .arg("run")
            .env("NOTIFY_SOCKET", manager.address())
            .env("WATCHDOG_USEC", limit())
            .env("WATCHDOG_PID", "1"),
    );
    assert_eq!(manager.next(), "READY=1\n");
    waiting.signal(Signal::TERM);
    assert_eq!(manager.next(), "STOPPING=1\n");
    waiting.ended_well();
}

#[test]
fn without_a_notify_socket_beats_go_to_the_url_of_abide() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    let mut waiting = Driven::start(
        command("by_hand")
            .arg("run")
            .env("ABIDE_UNIT", "shop:worker@2")
            .env(
                "ABIDE_HEARTBEAT_URL",
                format!("http://{address}/v1/heartbeat"),
            )
            .env("WATCHDOG_USEC", limit()),
    );
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().expect("it connects");
        let mut request = String::new();
        let wanted = r#"{"service": "shop:worker@2"}"#;
        let mut part = [0; 512];
        while !request.ends_with(wanted) {
            let length = stream.read(&mut part).expect("a request");
            assert_ne!(length, 0, "{request}");
            request.push_str(&String::from_utf8_lossy(&part[..length]));
        }
        assert!(
            request.starts_with("POST /v1/heartbeat HTTP/1.1\r\n"),
            "{request}"
        );
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .expect("it is answered");
    }
    waiting.signal(Signal::TERM);
    waiting.ended_well();
}
