//! A client that requires a server: started when the server is ready, and back after it.

use abide_e2e::{Home, home, processes, skip, wait};
use rustix::process::Signal;

use crate::{events, free_port, guest, redis_server};

#[test]
fn a_client_starts_when_its_server_is_ready_and_returns_when_the_server_does() {
    let home = Home::new("redis");
    let Some(server) = redis_server(&home) else {
        return skip::skip("redis_chain", "redis-server is not installed");
    };
    let client = home.bring(guest());
    let port = free_port();
    home.write(
        "abide.toml",
        &format!(
            r#"
[service.redis]
command = ["{server}", "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
ready = {{ tcp = "127.0.0.1:{port}", within = "2m" }}

[service.client]
command = ["{client}", "client", "127.0.0.1:{port}"]
requires = ["redis"]

[service.reader]
command = ["{client}", "client", "127.0.0.1:{port}"]
requires = ["client"]
"#,
            server = server.display(),
            client = client.display(),
        ),
    );
    home.ok(&["up"]);
    let order: Vec<String> = events(&home)
        .iter()
        .filter(|event| event["event"] == "ready" || event["event"] == "started")
        .map(|event| {
            format!(
                "{} {}",
                event["unit"].as_str().unwrap_or("?"),
                event["event"].as_str().unwrap_or("?")
            )
        })
        .collect();
    let place = |what: &str| {
        order
            .iter()
            .position(|event| event == what)
            .unwrap_or_else(|| panic!("no {what} in {order:?}"))
    };
    assert!(place("redis ready") < place("client started"), "{order:?}");
    assert!(
        place("client started") < place("reader started"),
        "{order:?}"
    );
    let redis = home.wait_running("redis");
    let first = home.wait_running("client");
    assert_eq!(
        home.unit("client").expect("it is there")["restarts"],
        0,
        "it was started too early"
    );

    processes::signal(redis, Signal::KILL);
    let back = home.wait_for("client", "is back", |unit| {
        unit["state"] == "running"
            && unit["ready"] == true
            && unit["pid"].is_u64()
            && unit["pid"] != first
    });
    let redis_back = home.wait_running("redis");
    assert_ne!(redis_back, redis);
    wait::until(
        "the new client speaks to the new server",
        wait::GENEROUS,
        || {
            let client = home.unit("client")?;
            (client["state"] == "running" && processes::lives(home::pid(&client))).then_some(())
        },
    );
    assert_ne!(home::pid(&back), first);

    // The server is stopped by hand: what requires it goes first, waits, and returns with it.
    home.ok(&["stop", "redis"]);
    home.wait_for("client", "waits", |unit| {
        unit["state"] == "waiting" && unit["desired"] == "up"
    });
    home.wait_for("reader", "waits", |unit| unit["state"] == "waiting");
    assert!(home.ok(&["why", "client"]).contains("redis"));
    home.ok(&["start", "redis"]);
    home.wait_running("client");
    home.wait_running("reader");

    home.ok(&["down"]);
    let stopped: Vec<String> = events_after_down(&home);
    let place = |unit: &str| stopped.iter().rposition(|name| name == unit);
    assert!(
        place("reader") < place("client") && place("client") < place("redis"),
        "stopped in this order: {stopped:?}"
    );
}

/// The order in which units were stopped at last; the daemon is gone, so its file tells.
fn events_after_down(home: &Home) -> Vec<String> {
    home.ok(&["up"]);
    let stopped = events(home)
        .iter()
        .filter(|event| event["event"] == "stopped")
        .filter_map(|event| event["unit"].as_str().map(str::to_owned))
        .collect();
    home.ok(&["down"]);
    stopped
}
