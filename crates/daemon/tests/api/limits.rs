//! Requests that are too large, too slow, too many or nonsense.

use std::io::{Read, Write};

use super::client::{raw, send, socket, tcp};
use super::fake;

#[test]
fn nonsense_is_answered_and_harms_nobody() {
    let fake = fake::start();
    let say = |text: &[u8]| {
        raw(socket(&fake.home), text)
            .map(|answer| answer.status)
            .ok()
    };
    assert_eq!(say(b"\x00\x01\x02 nonsense\r\n\r\n"), Some(400));
    assert_eq!(
        say(b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Some(404)
    );
    assert_eq!(
        say(b"DELETE /v1/units HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Some(405)
    );
    assert_eq!(
        say(b"POST /v1/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n[]"),
        Some(400)
    );
    let mut answer = send(socket(&fake.home), "PATCH", "/v1/units", &[], None);
    assert_eq!(answer.json()["error"], "method_not_allowed");
    assert!(answer.header("allow").expect("which").contains("GET"));
    assert_eq!(fake.get("/healthz").status, 200);
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let fake = fake::start();
    let head = b"POST /v1/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n";
    let mut connection = socket(&fake.home);
    connection.write_all(head).expect("the head");
    // As much as it takes to go over the bound; the daemon may end the connection meanwhile.
    let block = vec![b' '; 64 << 10];
    for _ in 0..20 {
        if connection.write_all(&block).is_err() {
            break;
        }
    }
    let mut start = [0; 12];
    connection.read_exact(&mut start).expect("an answer");
    assert_eq!(&start, b"HTTP/1.1 413");
}

#[test]
fn many_silent_connections_over_tcp_do_not_keep_the_owner_out() {
    let fake = fake::start();
    let address = fake.listen();
    let silent: Vec<_> = (0..200).map(|_| tcp(address)).collect();
    assert_eq!(fake.get("/v1/units").status, 200);
    drop(silent);
}

#[test]
fn followers_are_bounded_and_give_their_places_back() {
    let fake = fake::start();
    let mut streams: Vec<_> = (0..64).map(|_| fake.get("/v1/events")).collect();
    assert!(streams.iter().all(|stream| stream.status == 200));
    let mut answer = fake.get("/v1/events");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["error"], "too_many_followers");
    streams.pop();
    // The place is free as soon as the daemon sees that the client is gone.
    let begun = std::time::Instant::now();
    while fake.get("/v1/events?follow=false").status != 200 {
        assert!(
            begun.elapsed() < super::client::PATIENCE,
            "the place was not given back"
        );
    }
}
