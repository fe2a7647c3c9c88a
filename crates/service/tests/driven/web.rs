//! A body that is a future: readiness, reloads, and a stop that ends what is under way.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;

use crate::harness::{Driven, Manager, command};

/// The server, and where it listens.
fn start(folder: &Path, manager: &Manager) -> (Driven, String) {
    let words = folder.join("words");
    fs::write(&words, "good day\n").expect("a file");
    let mut web = Driven::start(
        command("web")
            .args(["run", "127.0.0.1:0"])
            .arg(&words)
            .env("NOTIFY_SOCKET", manager.address())
            .stderr(Stdio::piped()),
    );
    manager.hears("READY=1");
    let mut said = String::new();
    let mut stderr = BufReader::new(web.0.stderr.take().expect("a pipe"));
    stderr.read_line(&mut said).expect("a line");
    let address = said.trim().strip_prefix("info: listening on ");
    (
        web,
        address.unwrap_or_else(|| panic!("{said:?}")).to_owned(),
    )
}

fn get(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_reload_is_told_from_its_begin_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let manager = Manager::in_folder(folder.path());
    let (mut web, address) = start(folder.path(), &manager);
    assert!(get(&address).ends_with("good day\n"));
    fs::write(folder.path().join("words"), "good night\n").expect("a file");
    web.signal(Signal::HUP);
    let reloading = manager.hears("RELOADING=1");
    let since = reloading
        .lines()
        .find_map(|line| line.strip_prefix("MONOTONIC_USEC="))
        .and_then(|micros| micros.parse::<u64>().ok());
    assert!(since.is_some_and(|micros| micros > 0), "{reloading}");
    assert_eq!(manager.next(), "READY=1\n");
    assert!(get(&address).ends_with("good night\n"));

    // What cannot be read leaves what there was, and is no reason to end.
    fs::remove_file(folder.path().join("words")).expect("it was there");
    web.signal(Signal::HUP);
    manager.hears("RELOADING=1");
    assert_eq!(manager.next(), "READY=1\n");
    assert!(get(&address).ends_with("good night\n"));
    web.signal(Signal::TERM);
    web.ended_well();
}

#[test]
fn a_request_that_was_begun_before_the_stop_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let manager = Manager::in_folder(folder.path());
    let (mut web, address) = start(folder.path(), &manager);
    let mut stream = TcpStream::connect(&address).expect("it listens");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: ")
        .expect("it is read");
    // It has the connection when it answers the next one.
    get(&address);
    web.signal(Signal::TERM);
    manager.hears("STOPPING=1");
    stream
        .write_all(b"localhost\r\n\r\n")
        .expect("it is read still");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("good day\n"), "{answer}");
    web.ended_well();
    assert!(TcpStream::connect(&address).is_err());
}
