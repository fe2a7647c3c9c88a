//! A listening socket that outlives what serves it: nobody who connects is refused.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use abide_e2e::{Home, processes, skip, wait};
use rustix::process::Signal;

use crate::{events, free_port};

/// Answers with its pid; on SIGTERM it takes no more connections and ends those that it has in order.
pub(crate) const SERVER: &str = r#"
import os, signal, socket, socketserver, sys, threading, http.server

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if going:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = False
    block_on_close = True

going = False
server = Server(("127.0.0.1", 0), Answer, bind_and_activate=False)
assert os.environ["LISTEN_PID"] == str(os.getpid())
server.socket = socket.socket(fileno=3)
def stop(*_):
    global going
    going = True
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, stop)
if os.path.exists("broken"):
    signal.pause()
address = os.environ["NOTIFY_SOCKET"]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\0" + address[1:] if address[0] == "@" else address)
s.send(b"READY=1")
server.serve_forever(poll_interval=0.05)
server.server_close()
"#;

fn home_with_server(port: u16, more: &str) -> Home {
    let home = Home::new("sockets");
    home.write("server.py", SERVER);
    home.write("abide.toml", &configuration(port, more));
    home
}

fn configuration(port: u16, more: &str) -> String {
    ready_within("2m", port, more)
}

fn ready_within(time: &str, port: u16, more: &str) -> String {
    format!(
        "[service.web]\ncommand = \"python3 -u server.py\"\nready = {{ notify = true, within = \"{time}\" }}\n{more}\n\
         [service.web.socket]\nlisten = \"127.0.0.1:{port}\"\n"
    )
}

/// Two instances of the server on one socket.
pub(crate) fn two_servers(port: u16) -> String {
    configuration(port, "instances = 2")
}

/// A GET on a connection of its own; the pid that answered.
pub(crate) fn get(port: u16) -> u32 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the connection is taken");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a time-out can be set");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("the request is taken");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("there is an answer");
    let body = answer.rsplit("\r\n\r\n").next().unwrap_or_default();
    body.trim().parse().unwrap_or_else(|_| panic!("{answer:?}"))
}

#[test]
fn connections_wait_while_the_only_server_is_away() {
    let port = free_port();
    let home = home_with_server(port, "backoff = { initial = \"1s\" }");
    home.ok(&["up"]);
    let first = home.wait_running("web");
    assert_eq!(get(port), first);
    processes::signal(first, Signal::KILL);
    let second = get(port);
    assert_ne!(second, first);
    // And while nobody decides: the daemon is dead, and the server with it.
    let daemon = home.daemon().expect("there is one");
    processes::signal(daemon, Signal::KILL);
    processes::signal(second, Signal::KILL);
    let third = get(port);
    assert_ne!(third, second);
    home.ok(&["down"]);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert_eq!(home.processes(), []);
}

#[test]
fn the_first_connection_starts_it_and_idleness_stops_it() {
    let port = free_port();
    let home = home_with_server(port, "");
    home.write(
        "abide.toml",
        &(configuration(port, "") + "start = \"connection\"\nidle_stop = \"1s\"\n"),
    );
    home.ok(&["up"]);
    let waits = home.unit("web").expect("it is there");
    assert_eq!(
        (&waits["state"], &waits["pid"]),
        (&"waiting".into(), &().into())
    );
    let first = get(port);
    home.wait_for("web", "is stopped again", |unit| unit["state"] == "waiting");
    // The daemon that was told of the wait is gone; the next one waits as well.
    home.kill_daemon();
    assert_ne!(get(port), first);
    let unit = home.unit("web").expect("it is there");
    assert_eq!(unit["restarts"], 0);
    home.ok(&["stop", "web"]);
    let told: Vec<_> = events(&home)
        .into_iter()
        .filter(|event| event["event"] == "connection")
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_socket_that_somebody_else_has_is_a_failed_start_that_says_who() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let home = home_with_server(port, "give_up = { restarts = 1, within = \"1m\" }");
    let up = home.abide(&["up"]).expect(1);
    assert!(
        up.stderr.contains(&format!("127.0.0.1:{port}")),
        "{}",
        up.stderr
    );
    let unit = home.unit("web").expect("it is there");
    let reason = unit["last_exit"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("already listens there"), "{reason}");
    drop(taken);
    home.ok(&["start", "web"]);
    get(port);
    home.ok(&["down"]);
}

/// wrk's own count of what went wrong; it writes that line only if something did.
fn load(port: u16, meanwhile: impl FnOnce()) -> (u64, Option<String>) {
    let wrk = Command::new("wrk")
        .args(["-t1", "-c8", "-d12s", "--timeout", "10s"])
        .arg(format!("http://127.0.0.1:{port}/"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("wrk can be started");
    meanwhile();
    let output = wrk.wait_with_output().expect("wrk ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let requests = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))
        .and_then(|(count, _)| count.parse().ok())
        .unwrap_or_else(|| panic!("{text}"));
    let errors = text.lines().find(|line| line.contains("Socket errors"));
    let bad = text.lines().find(|line| line.contains("Non-2xx"));
    (requests, errors.or(bad).map(str::to_owned))
}

#[test]
fn under_load_no_connection_is_refused_whatever_is_restarted() {
    if skip::program("wrk").is_none() {
        return skip::skip("sockets", "wrk is not installed");
    }
    let port = free_port();
    let home = home_with_server(port, "instances = 2\nbackoff = \"none\"");
    home.ok(&["up"]);
    let (requests, errors) = load(port, || {
        home.ok(&["restart", "--rolling", "web@*"]);
        home.ok(&["restart", "web@1"]);
        home.ok(&["restart", "web@*"]);
    });
    assert!(requests > 100, "{requests}");
    assert_eq!(errors, None);

    // What one process had taken when it was killed is lost with it, and nothing else.
    let killed = home.wait_running("web@1");
    let (requests, errors) = load(port, || {
        processes::signal(killed, Signal::KILL);
        home.wait_for("web@1", "is back", |unit| {
            unit["ready"] == true && unit["pid"].is_u64() && unit["pid"] != killed
        });
    });
    assert!(requests > 100, "{requests}");
    let errors = errors.unwrap_or_default();
    assert!(
        errors.is_empty() || errors.contains("connect 0,") && errors.contains("timeout 0"),
        "{errors}"
    );
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_version_that_never_gets_ready_is_rolled_back_without_a_failed_request() {
    if skip::program("wrk").is_none() {
        return skip::skip("sockets", "wrk is not installed");
    }
    let port = free_port();
    let home = home_with_server(port, "instances = 2");
    home.ok(&["up"]);
    let before = [home.wait_running("web@1"), home.wait_running("web@2")];
    let (_, errors) = load(port, || {
        let new = "instances = 2\nenvironment = { VERSION = \"2\" }";
        home.write("abide.toml", &ready_within("3s", port, new));
        home.write("broken", "");
        // The old version's environment starts well again: only what is new is broken.
        home.write(
            "server.py",
            &SERVER.replace(
                "os.path.exists(\"broken\")",
                "os.environ.get(\"VERSION\") == \"2\"",
            ),
        );
        let up = home.abide(&["up", "--rolling"]).expect(1);
        let said = up.stdout + &up.stderr;
        assert!(said.contains("rolled back"), "{said}");
    });
    assert_eq!(errors, None);
    let after = [home.wait_running("web@1"), home.wait_running("web@2")];
    let same = before.iter().filter(|pid| after.contains(pid)).count();
    assert_eq!(same, 1, "only the canary was touched: {before:?} {after:?}");
    wait::until("both serve", wait::GENEROUS, || {
        after.contains(&get(port)).then_some(())
    });
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
