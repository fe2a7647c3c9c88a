//! Who may ask for what.

#[cfg(unix)]
mod unix;

use super::client::{send, tcp};
use super::fake;

#[test]
fn over_tcp_only_beats_metrics_and_liveness_are_open() {
    let fake = fake::start();
    fake.add_beating(1, "web");
    let address = fake.listen();
    let open = ["/heartbeat", "/v1/heartbeat", "/metrics", "/healthz"];
    for (method, path) in abide_daemon::api::routes() {
        let filled = path
            .replace("{name}", "web")
            .replace("{command}", "stop")
            .replace("{id}", "1");
        let body = serde_json::json!({ "service": "web" });
        let body = (method == "POST").then_some(&body);
        let answer = send(tcp(address), &method, &filled, &[], body);
        if open.contains(&path.as_str()) {
            assert_eq!(answer.status, 200, "{method} {path}");
        } else {
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer realm=\"abide\"")
            );
        }
    }
    assert!(
        fake.commands().is_empty(),
        "something was done without the token"
    );
}

#[test]
fn the_token_opens_the_rest_and_a_wrong_one_does_not() {
    let fake = fake::start();
    let address = fake.listen();
    let token = fake.token();
    let with = |value: &str| {
        send(
            tcp(address),
            "GET",
            "/v1/daemon",
            &[("Authorization", value)],
            None,
        )
    };
    assert_eq!(with(&format!("Bearer {token}")).status, 200);
    assert_eq!(with(&format!("bearer {token}")).status, 200);
    let nearly = format!("Bearer {}", &token[1..]);
    for wrong in ["Bearer", "Bearer ", "Basic abc", &nearly, &token] {
        let mut answer = with(wrong);
        assert_eq!(answer.status, 401, "{wrong}");
        assert_eq!(answer.json()["error"], "unauthorized");
    }
}

#[test]
fn a_web_page_and_a_name_that_only_resolves_to_loopback_are_refused() {
    let fake = fake::start();
    fake.add_beating(1, "web");
    let address = fake.listen();
    let beat = serde_json::json!({ "service": "web" });
    let own = format!("http://127.0.0.1:{}", address.port());
    let other_port = format!("http://127.0.0.1:{}", address.port() ^ 1);
    let post = |headers: &[(&str, &str)]| {
        send(tcp(address), "POST", "/heartbeat", headers, Some(&beat)).status
    };
    assert_eq!(post(&[("Origin", &own)]), 200);
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost",
        &other_port,
    ] {
        assert_eq!(post(&[("Origin", origin)]), 403, "{origin}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example:80",
        "192.168.0.1",
        "",
    ] {
        assert_eq!(post(&[("Host", host)]), 403, "{host}");
    }
    for host in ["localhost", "127.0.0.1:7878", "[::1]:7878"] {
        assert_eq!(post(&[("Host", host)]), 200, "{host}");
    }
    assert_eq!(
        post(&[("Host", "localhost"), ("Host", "evil.example")]),
        403
    );
}

#[test]
fn the_daemon_is_not_taken_down_over_tcp() {
    let fake = fake::start();
    let address = fake.listen();
    let token = format!("Bearer {}", fake.token());
    let body = serde_json::json!({ "file": null });
    let answer = send(
        tcp(address),
        "POST",
        "/v1/down",
        &[("Authorization", &token)],
        Some(&body),
    );
    assert_eq!(answer.status, 403);
    assert_eq!(fake.post("/v1/down", &body).status, 202);
    assert_eq!(fake.commands(), ["Down"]);
}

#[test]
fn an_address_that_is_not_loopback_is_never_listened_on() {
    let fake = fake::start();
    let any = "0.0.0.0:0".parse().expect("an address");
    let mut news = fake.events.watch();
    fake.board.update_daemon(|daemon| daemon.listen = vec![any]);
    let told = async { news.wait_for(|seq| *seq > 0).await.map(|seq| *seq) };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(told).expect("an event");
    let event = &fake.events.recent(0, 1).expect("in memory")[0];
    assert!(
        abide_daemon::events::describe(event).contains("not a loopback address"),
        "{event:?}"
    );
    assert_eq!(
        fake.get("/v1/daemon").json()["listen"],
        serde_json::json!([])
    );
}
