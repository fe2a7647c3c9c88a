//! Real programs that say of themselves that they are ready (sd_notify(3)), and who may say it.

use std::path::{Path, PathBuf};

use abide_e2e::{Home, skip, wait};
use serde_json::Value;

use crate::{events, free_port, redis_server};

fn happened(home: &Home, unit: &str, what: &str) -> Vec<Value> {
    let mut events = events(home);
    events.retain(|event| event["unit"] == unit && event["event"] == what);
    events
}

#[test]
fn redis_is_ready_when_it_says_so() {
    let home = Home::new("notify-redis");
    let Some(server) = redis_server(&home) else {
        return skip::skip("notify_redis", "redis-server is not installed");
    };
    home.write(
        "abide.toml",
        &format!(
            r#"
[service.redis]
command = ["{server}", "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--supervised", "systemd"]
ready = {{ notify = true, within = "2m" }}
"#,
            server = server.display(),
            port = free_port(),
        ),
    );
    home.ok(&["up"]);
    let redis = home.unit("redis").expect("it is there");
    assert_eq!(redis["ready"], true);
    let status = redis["status_text"].as_str().unwrap_or_default();
    assert!(status.contains("Ready"), "{status:?}");
    assert_eq!(redis["refused"]["notifications"], 0);
    assert_eq!(happened(&home, "redis", "ready").len(), 1);
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_python_program_speaks_by_sdnotify_and_its_watchdog_is_a_heartbeat() {
    let home = Home::new("notify-python");
    let Some(python) = python_with("sdnotify") else {
        return skip::skip("notify_python", "Python's sdnotify is not installed");
    };
    home.write(
        "speaks.py",
        r#"
import os, sdnotify, time
n = sdnotify.SystemdNotifier(debug=True)
n.notify("STATUS=warming up")
time.sleep(0.2)
n.notify("READY=1\nSTATUS=serving")
every = int(os.environ["WATCHDOG_USEC"]) / 2e6
while not os.path.exists("hang"):
    n.notify("WATCHDOG=1")
    time.sleep(every)
while True:
    time.sleep(3600)
"#,
    );
    home.write(
        "abide.toml",
        &format!(
            r#"
[service.speaks]
command = ["{python}", "-u", "speaks.py"]
ready = {{ notify = true, within = "2m" }}
heartbeat = {{ every = "2s" }}
"#
        ),
    );
    home.ok(&["up"]);
    let first = home.wait_running("speaks");
    home.wait_for("speaks", "beats", |unit| unit["health"] == "healthy");
    // What is said while there is no daemon is not lost, and its absence is nobody's fault.
    home.kill_daemon();
    home.wait_for("speaks", "beats again", |unit| {
        unit["health"] == "healthy" && unit["heartbeat"]["last_at"].is_string()
    });
    assert_eq!(home.wait_running("speaks"), first);
    home.write("hang", "");
    let after = home.wait_for("speaks", "is replaced", |unit| {
        unit["pid"].is_u64() && unit["pid"] != first
    });
    let reason = after["last_exit"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("missed 3 heartbeats"), "{reason}");
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn haproxy_is_ready_when_it_says_so_and_reloads_without_a_restart() {
    let home = Home::new("notify-haproxy");
    let Some((program, libraries)) = haproxy() else {
        return skip::skip("notify_haproxy", "haproxy is not there");
    };
    let port = free_port();
    home.write(
        "haproxy.cfg",
        &format!(
            "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n\
             frontend f\n  bind 127.0.0.1:{port}\n  http-request return status 204\n"
        ),
    );
    home.write(
        "abide.toml",
        &format!(
            r#"
[service.proxy]
command = ["{program}", "-Ws", "-f", "haproxy.cfg"]
environment = {{ LD_LIBRARY_PATH = "{libraries}" }}
ready = {{ notify = true, within = "2m" }}
reload = {{ signal = "SIGUSR2", confirm = true, within = "2m" }}
stop = {{ signal = "SIGUSR1", within = "1m" }}
"#,
        ),
    );
    home.ok(&["up"]);
    let first = home.wait_running("proxy");
    home.ok(&["reload", "proxy"]);
    let after = home.unit("proxy").expect("it is there");
    assert_eq!(after["pid"], first);
    assert_eq!(after["restarts"], 0);
    assert_eq!(happened(&home, "proxy", "unit_reloaded").len(), 1);
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn a_child_speaks_only_where_that_is_allowed() {
    let home = Home::of_ordinary_user("notify-child");
    if skip::program("systemd-notify").is_none() {
        return skip::skip("notify_child", "systemd-notify is not installed");
    }
    let unit = |name: &str, access: &str, within: &str| {
        format!(
            "[service.{name}]\ncommand = [\"sh\", \"-c\", \"systemd-notify --ready --status=up; exec sleep 1000\"]\n\
             ready = {{ notify = \"{access}\", within = \"{within}\" }}\nrestart = \"never\"\n"
        )
    };
    // The one is ready at once; the other says so, too, and is not heard.
    let units = unit("all", "all", "2m") + &unit("main", "main", "10s");
    home.write("abide.toml", &units);
    let up = home.abide(&["up"]).expect(1);
    assert!(up.stderr.contains("not ready"), "{}", up.stderr);
    let all = home.unit("all").expect("it is there");
    assert_eq!(
        (&all["ready"], &all["status_text"]),
        (&true.into(), &"up".into())
    );
    let main = home.unit("main").expect("it is there");
    assert_eq!(main["state"], "failed");
    assert_eq!(main["refused"]["notifications"], 1);
    let refused = happened(&home, "main", "notify_refused");
    let reason = refused[0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("notify = \"all\""), "{reason}");
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn what_a_program_leaves_here_is_there_for_its_next_run() {
    let home = Home::new("notify-store");
    home.write(
        "keeps.py",
        r#"
import os, socket, time
address = os.environ["NOTIFY_SOCKET"]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\0" + address[1:] if address[0] == "@" else address)
names = os.environ.get("LISTEN_FDNAMES", "").split(":")
if "cache" in names:
    assert os.environ["LISTEN_PID"] == str(os.getpid())
    fd = 3 + names.index("cache")
    print("found", os.pread(fd, 100, 0).decode(), flush=True)
else:
    fd = os.memfd_create("cache")
    os.pwrite(fd, b"warm", 0)
    socket.send_fds(s, [b"FDSTORE=1\nFDNAME=cache"], [fd])
    socket.send_fds(s, [b"FDSTORE=1\nFDNAME=more"], [os.memfd_create("more")])
    print("left it", flush=True)
s.send(b"READY=1")
time.sleep(1000)
"#,
    );
    home.write(
        "abide.toml",
        "[service.keeps]\ncommand = \"python3 -u keeps.py\"\nready = { notify = true }\nfd_store = 1\n",
    );
    home.ok(&["up"]);
    home.wait_for("keeps", "left one", |unit| unit["fds_stored"] == 1);
    home.wait_for("keeps", "was refused another", |unit| {
        unit["refused"]["notifications"] == 1
    });
    // Neither the death of the program nor that of the daemon loses it.
    home.kill_daemon();
    home.ok(&["restart", "keeps"]);
    wait::until("what both said is in the log", wait::GENEROUS, || {
        let log = home.ok(&["logs", "keeps", "--format", "raw"]);
        (log == "left it\nfound warm\n").then_some(())
    });
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

/// A Python that has the module: that of the folder which `cargo xtask needs` fills, or the system's.
pub fn python_with(module: &str) -> Option<String> {
    let venv = std::env::var_os("ABIDE_VENV").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv"),
        PathBuf::from,
    );
    let pythons = [venv.join("bin/python3"), PathBuf::from("python3")];
    let found = pythons.into_iter().find(|python| {
        let tried = std::process::Command::new(python)
            .args(["-c", &format!("import {module}")])
            .output();
        tried.is_ok_and(|output| output.status.success())
    });
    found.map(|python| python.display().to_string())
}

/// The program, and where its libraries lie: installed, or unpacked by `cargo xtask needs`, since an
/// installed one would also be started.
fn haproxy() -> Option<(String, String)> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/haproxy/usr");
    let program = unpacked.join("sbin/haproxy");
    if program.is_file() {
        let libraries = std::fs::read_dir(unpacked.join("lib")).ok()?;
        let libraries = libraries.flatten().map(|entry| entry.path());
        let libraries: Vec<_> = libraries.map(|path| path.display().to_string()).collect();
        return Some((program.display().to_string(), libraries.join(":")));
    }
    Some((
        skip::program("haproxy")?.display().to_string(),
        String::new(),
    ))
}

#[test]
fn a_program_that_goes_to_the_background_names_its_new_main_process() {
    let home = Home::new("notify-main");
    home.write(
        "forks.py",
        r#"
import os, socket, sys, time
address = os.environ["NOTIFY_SOCKET"]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\0" + address[1:] if address[0] == "@" else address)
child = os.fork()
if child:
    s.send(f"MAINPID={child}\nREADY=1".encode())
    sys.exit(0)
os.setsid()
while not os.path.exists("end"):
    time.sleep(0.05)
sys.exit(7)
"#,
    );
    home.write(
        "abide.toml",
        "[service.forks]\ncommand = \"python3 -u forks.py\"\nready = { notify = true }\nrestart = \"never\"\n",
    );
    home.ok(&["up"]);
    let main = home.wait_for("forks", "has its new main process", |unit| {
        unit["state"] == "running" && unit["os_state"].is_string()
    });
    assert_eq!(happened(&home, "forks", "main_changed").len(), 1);
    assert_eq!(happened(&home, "forks", "exited").len(), 0);
    // A new daemon takes it for the main process, too, and hears how it ends.
    home.kill_daemon();
    assert_eq!(home.wait_running("forks"), abide_e2e::home::pid(&main));
    home.write("end", "");
    let ended = home.wait_for("forks", "has ended", |unit| unit["state"] == "failed");
    assert_eq!(ended["last_exit"]["code"], 7);
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
