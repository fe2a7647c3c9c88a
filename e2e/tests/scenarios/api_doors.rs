//! Who may do what, and through which door.

use std::os::unix::process::CommandExt;
use std::process::Command;

use abide_e2e::{Api, Home, skip, wait};
use serde_json::json;

use crate::free_port;

fn home_with_tcp(port: u16) -> Home {
    let home = Home::new("doors");
    home.write(
        "abide.toml",
        &format!(
            "[daemon]\nlisten = \"127.0.0.1:{port}\"\n\n[service.stay]\ncommand = \"sleep 1000\"\n"
        ),
    );
    home.ok(&["up"]);
    // `up` answers for the units.
    let stranger = Api::Tcp(format!("127.0.0.1:{port}"), None);
    wait::until("TCP is open", wait::GENEROUS, || {
        stranger.get("/healthz").ok()
    });
    home
}

#[test]
fn over_tcp_everything_but_beats_metrics_and_liveness_asks_for_the_token() {
    let port = free_port();
    let home = home_with_tcp(port);
    let address = format!("127.0.0.1:{port}");
    let stranger = Api::Tcp(address.clone(), None);
    for path in ["/healthz", "/metrics"] {
        let answer = stranger.get(path).expect("there is an answer");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    for path in [
        "/v1/units",
        "/v1/daemon",
        "/v1/units/stay",
        "/v1/events",
        "/v1/units/stay/logs",
        "/nonsense",
    ] {
        let answer = stranger.get(path).expect("there is an answer");
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
    }
    for path in [
        "/v1/units/stay/stop",
        "/v1/down",
        "/v1/up",
        "/v1/run",
        "/v1/command",
    ] {
        let answer = stranger.post(path, &json!({})).expect("there is an answer");
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
    }
    let guesser = Api::Tcp(address.clone(), Some("guess".to_owned()));
    assert_eq!(
        guesser.get("/v1/units").expect("there is an answer").status,
        401
    );
    home.wait_running("stay");

    let token = std::fs::read_to_string(home.home().join("token")).expect("there is a token");
    let owner = Api::Tcp(address, Some(token.trim().to_owned()));
    assert_eq!(
        owner.get("/v1/units").expect("there is an answer").status,
        200
    );
}

#[test]
fn a_browser_page_cannot_drive_the_api() {
    let port = free_port();
    let home = home_with_tcp(port);
    let token = std::fs::read_to_string(home.home().join("token")).expect("there is a token");
    let token = token.trim();
    for header in [
        format!("Host: evil.example:{port}"),
        "Origin: http://evil.example".to_owned(),
    ] {
        let mut curl = Command::new("curl");
        curl.args([
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-X",
            "POST",
            "-H",
            &header,
        ])
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .arg(format!("http://127.0.0.1:{port}/v1/units/stay/stop"));
        if skip::program("curl").is_none() {
            return skip::skip(
                "a_browser_page_cannot_drive_the_api",
                "curl is not installed",
            );
        }
        let answer = home.finish(curl, "curl").stdout;
        assert_eq!(answer, "403", "{header}");
    }
    home.wait_running("stay");
}

#[test]
fn the_token_and_the_home_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = home_with_tcp(free_port());
    let mode = |name: &str| {
        let path = home.home().join(name);
        std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("token"), 0o600);
    assert_eq!(mode("state") & 0o077, 0, "others can read the state");
}

#[test]
fn another_user_can_do_nothing_through_the_socket() {
    if !skip::is_root() {
        return skip::skip(
            "another_user_can_do_nothing_through_the_socket",
            "this is not root, so there is no other user",
        );
    }
    // The home is one ordinary user's; another one tries.
    let home = Home::of_ordinary_user("other-user");
    home.write("abide.toml", "[service.stay]\ncommand = \"sleep 1000\"\n");
    home.ok(&["up"]);
    let pid = home.wait_running("stay");
    for args in [
        &["status"][..],
        &["stop", "stay"],
        &["down"],
        &["run", "--", "id"],
    ] {
        let mut command = Command::new(home.path("bin/abide"));
        command
            .args(args)
            .current_dir("/")
            .env("ABIDE_HOME", home.home())
            .stdin(std::process::Stdio::null())
            .uid(65533)
            .gid(65533);
        let refused = home.finish(command, &format!("as another user: abide {args:?}"));
        assert_ne!(refused.code, 0, "{refused:?}");
        assert!(!refused.stdout.contains("stay"), "{refused:?}");
    }
    assert_eq!(home.wait_running("stay"), pid);
    // Even with the folders thrown open, the socket itself knows who asks.
    let mut open = Command::new("chmod");
    open.args(["0777"])
        .arg(home.home())
        .arg(home.home().join("abide.sock"));
    let _ = home.finish(open, "chmod").expect(0);
    let mut command = Command::new(home.path("bin/abide"));
    command
        .args(["stop", "stay"])
        .current_dir("/")
        .env("ABIDE_HOME", home.home())
        .stdin(std::process::Stdio::null())
        .uid(65533)
        .gid(65533);
    let refused = home.finish(command, "as another user: abide stop stay");
    assert_ne!(refused.code, 0, "{refused:?}");
    assert_eq!(home.wait_running("stay"), pid);
}
