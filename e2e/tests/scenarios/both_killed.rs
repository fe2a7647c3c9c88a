//! Keeper and daemon die together, and with them all that they held for programs that go on.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use abide_e2e::{Home, processes, skip, wait};
use rustix::process::Signal;

use crate::{events, free_port};

/// Answers on descriptor 3 with its pid, and reports in by its notify socket.
const SERVER: &str = r#"
import os, socket, threading, time
def beat():
    while True:
        try:
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.sendto(b"WATCHDOG=1", os.environ["NOTIFY_SOCKET"])
        except OSError:
            pass
        time.sleep(0.1)
threading.Thread(target=beat, daemon=True).start()
listener = socket.socket(fileno=3)
while True:
    connection, _ = listener.accept()
    connection.sendall(str(os.getpid()).encode())
    connection.close()
"#;

fn ask(port: u16) -> u32 {
    let mut server = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    let mut answer = String::new();
    server.read_to_string(&mut answer).expect("it answers");
    answer.parse().expect("a pid")
}

#[test]
fn what_programs_have_of_their_sockets_is_taken_back_from_them() {
    let Some(python) = skip::program("python3") else {
        return skip::skip("both_killed", "python3 is not installed");
    };
    let home = Home::new("both-sockets");
    let port = free_port();
    home.write("server.py", SERVER);
    home.write(
        "abide.toml",
        &format!(
            "[service.web]\ncommand = [\"{}\", \"server.py\"]\ninstances = 2\nheartbeat = {{ every = \"1s\", misses = 3 }}\nnotify = \"main\"\nsocket = {{ listen = \"127.0.0.1:{port}\" }}\n",
            python.display()
        ),
    );
    home.ok(&["up"]);
    let (first, second) = (home.wait_running("web@1"), home.wait_running("web@2"));
    home.kill_both();
    assert!([first, second].contains(&ask(port)), "they go on without");
    home.ok(&["up"]);

    // Beats are heard again, so nobody is taken for one that hangs.
    home.wait_for("web@2", "reports in again", |unit| {
        unit["heartbeat"]["last_at"].is_string()
    });
    wait::let_pass(Duration::from_secs(5));
    assert_eq!(home.wait_running("web@1"), first);
    assert_eq!(home.wait_running("web@2"), second);
    if !can_take_descriptors() {
        replaced_together(&home, port, [first, second]);
        home.ok(&["down"]);
        return assert_eq!(home.processes(), []);
    }
    // One instance is replaced while the other still has the socket.
    home.ok(&["restart", "web@1"]);
    let third = home.wait_running("web@1");
    assert_ne!(third, first);
    assert_eq!(home.wait_running("web@2"), second);
    processes::signal(second, Signal::KILL);
    home.wait_for("web@2", "is replaced", |unit| {
        unit["state"] == "running" && unit["pid"].is_u64() && unit["pid"] != second
    });
    ask(port);
    assert!(
        events(&home)
            .iter()
            .all(|event| event["event"] != "heartbeat_missed")
    );
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

/// A kernel that lets one process have a descriptor of another: Linux 5.6 and later.
pub fn can_take_descriptors() -> bool {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    pidfd_open(getpid(), PidfdFlags::empty())
        .and_then(|pidfd| pidfd_getfd(pidfd, 0, PidfdGetfdFlags::empty()))
        .is_ok()
}

/// Elsewhere abide says that the socket is lost to it for as long as a program has it.
fn replaced_together(home: &Home, port: u16, before: [u32; 2]) {
    let warned = events(home).iter().any(|event| {
        let text = event["text"].as_str().unwrap_or_default();
        event["event"] == "warning" && text.contains("cannot be taken back")
    });
    assert!(warned, "nobody said so");
    home.ok(&["stop", "web@*"]);
    assert!(before.iter().all(|pid| !processes::lives(*pid)));
    home.ok(&["start", "web@*"]);
    assert!(!before.contains(&ask(port)));
}
