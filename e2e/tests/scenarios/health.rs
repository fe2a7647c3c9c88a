//! A program that lives and does not work is noticed, by whatever it is asked, and whatever the asking
//! meets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use abide_e2e::{Home, wait};
use serde_json::Value;

use crate::events;

/// A server on a thread that ends with the test.
fn serve(answer: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has free ports");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream);
        }
    });
    address
}

fn of_unit(home: &Home, unit: &str, what: &str) -> Vec<Value> {
    let mut events = events(home);
    events.retain(|event| event["unit"] == unit && event["event"] == what);
    events
}

#[test]
fn a_page_that_turns_bad_restarts_its_unit_or_only_marks_it() {
    let home = Home::new("health");
    let good = Arc::new(AtomicBool::new(true));
    let page = Arc::clone(&good);
    let address = serve(move |mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let status = if page.load(Ordering::SeqCst) {
            "200 OK"
        } else {
            "503 Busy"
        };
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\nfine");
    });
    let check = |rest: &str| {
        format!(
            "health = {{ http = \"http://{address}/\", every = \"2s\", timeout = \"2s\", misses = 3, grace = \"0s\"{rest} }}\n"
        )
    };
    home.write(
        "abide.toml",
        &format!(
            "[service.restarted]\ncommand = \"sleep 1000\"\n{}[service.marked]\ncommand = \"sleep 1000\"\n{}",
            check(""),
            check(", on_unhealthy = { command = \"echo $ABIDE_HOOK >> told\", shell = true }"),
        ),
    );
    home.ok(&["up"]);
    home.ok(&["wait", "--for", "healthy", "all"]);
    let (restarted, marked) = (home.wait_running("restarted"), home.wait_running("marked"));
    good.store(false, Ordering::SeqCst);
    home.wait_for("marked", "is marked", |unit| unit["health"] == "unhealthy");
    let after = home.wait_for("restarted", "is replaced", |unit| {
        unit["pid"].is_u64() && unit["pid"] != restarted
    });
    let reason = after["last_exit"]["reason"].as_str().unwrap_or_default();
    assert!(
        reason.starts_with("unhealthy: ") && reason.contains("503"),
        "{reason}"
    );
    assert!(home.ok(&["why", "marked"]).contains("503"));
    good.store(true, Ordering::SeqCst);
    let healed = home.wait_for("marked", "is well again", |unit| {
        unit["health"] == "healthy"
    });
    assert_eq!(healed["pid"], marked);
    assert_eq!(of_unit(&home, "marked", "unhealthy").len(), 1);
    wait::until("the hook was run", wait::GENEROUS, || {
        let told = std::fs::read_to_string(home.path("told")).ok()?;
        (told == "on_unhealthy\n").then_some(())
    });
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}

#[test]
fn targets_that_hang_and_commands_that_fork_for_ever_stall_nothing() {
    let home = Home::new("health-hang");
    // It accepts, keeps the connection, and never answers.
    let kept = std::sync::Mutex::new(Vec::new());
    let address = serve(move |stream| kept.lock().expect("it is whole").push(stream));
    let check = |how: &str| {
        format!(
            "health = {{ {how}, every = \"500ms\", timeout = \"400ms\", misses = 2, grace = \"0s\", on_unhealthy = \"mark\" }}\n"
        )
    };
    home.write(
        "forks.sh",
        "while :; do setsid sleep 3000 & sleep 0.05; done\n",
    );
    home.write(
        "abide.toml",
        &format!(
            "[service.hung]\ncommand = \"sleep 1000\"\n{}[service.forks]\ncommand = \"sleep 1000\"\n{}[service.silent]\ncommand = \"sleep 1000\"\n{}[service.fine]\ncommand = \"sleep 1000\"\n{}",
            check(&format!("http = \"http://{address}/\"")),
            check("exec = \"sh forks.sh\""),
            check("silence = \"1s\""),
            "health = { exec = \"true\", memory = \"500M\", every = \"1m\", timeout = \"1m\", grace = \"0s\" }\n",
        ),
    );
    home.ok(&["up"]);
    for (unit, why) in [
        ("hung", "no answer"),
        ("forks", "no answer"),
        ("silent", "no output"),
    ] {
        let sick = home.wait_for(unit, "is unhealthy", |unit| unit["health"] == "unhealthy");
        let error = sick["health_check"]["last_error"]
            .as_str()
            .unwrap_or_default();
        assert!(error.contains(why), "{unit}: {error}");
        assert_eq!(sick["restarts"], 0);
    }
    let fine = home.wait_for("fine", "is well", |unit| unit["health"] == "healthy");
    assert_eq!(fine["health_check"]["failures"], 0);
    home.ok(&["stop", "forks"]);
    wait::until("what the probe left is gone", wait::GENEROUS, || {
        let left = home.processes();
        let left = left.iter().filter(|p| p.command == "sleep 3000");
        (left.count() == 0).then_some(())
    });
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
