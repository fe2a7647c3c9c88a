//! Who may ask for what.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

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
    let mode = std::fs::metadata(fake.home.join("token"))
        .expect("metadata")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
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

#[test]
fn another_user_of_the_machine_can_do_nothing_through_the_socket() {
    let fake = fake::start();
    let socket = fake.home.join("abide.sock");
    if std::fs::metadata(&socket).expect("metadata").uid() != 0 {
        eprintln!("skipped: becoming another user takes root");
        return;
    }
    // Even where every permission of the files is given away, the kernel tells who asks.
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    };
    let asks = |expected: &str| {
        let script = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ntry:\n s.connect(sys.argv[1])\nexcept PermissionError:\n print('no way in'); sys.exit()\ns.sendall(b'GET /v1/units HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n')\nd=b''\nwhile True:\n b=s.recv(4096)\n if not b: break\n d+=b\nprint(d.decode())";
        let output = Command::new("setpriv")
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "/usr/bin/env",
                "python3",
                "-c",
                script,
            ])
            .arg(&socket)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .output();
        let Ok(output) = output else {
            eprintln!("skipped: there is no setpriv");
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            eprintln!("skipped: {}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        assert!(text.contains(expected), "{text}");
    };
    asks("no way in");
    for path in [fake.home.parent().expect("a parent"), &fake.home] {
        mode(path, 0o755);
    }
    asks("no way in");
    mode(&socket, 0o666);
    asks("403 Forbidden");
    asks("user 65534 may not use it");
}
