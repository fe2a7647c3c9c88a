//! schemathesis against the served OpenAPI document: no server error, no undocumented answer.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use abide_e2e::{Api, Home, skip, wait};

use crate::free_port;

fn schemathesis() -> Option<PathBuf> {
    let venv = std::env::var_os("ABIDE_VENV").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv")),
        PathBuf::from,
    );
    let installed = venv.join("bin/schemathesis");
    if installed.is_file() {
        Some(installed)
    } else {
        skip::program("schemathesis")
    }
}

#[test]
fn the_api_answers_as_its_document_says() {
    let Some(schemathesis) = schemathesis() else {
        return skip::skip("api_contract", "schemathesis is not installed");
    };
    let port = free_port();
    let home = Home::new("contract");
    home.write(
        "abide.toml",
        &format!(
            "[daemon]\nlisten = \"127.0.0.1:{port}\"\n\n[service.stay]\ncommand = \"sleep 1000\"\n"
        ),
    );
    home.ok(&["up"]);
    let open = Api::Tcp(format!("127.0.0.1:{port}"), None);
    wait::until("TCP is open", wait::GENEROUS, || open.get("/healthz").ok());
    let token = std::fs::read_to_string(home.home().join("token")).expect("there is a token");

    // A stream that follows ends when its reader leaves, which a tester of answers never does.
    home.write("schemathesis.toml", "[parameters]\nfollow = \"false\"\n");
    // The same requests each time; `ABIDE_SEED` asks for others.
    let seed = std::env::var("ABIDE_SEED").unwrap_or_else(|_| "1".into());
    let mut command = Command::new(schemathesis);
    command
        .arg("run")
        .arg(format!("http://127.0.0.1:{port}/openapi.json"))
        .args(["--header", &format!("Authorization: Bearer {}", token.trim())])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"])
        // It would end the daemon under test, as it should.
        .args(["--exclude-path", "/v1/down"])
        .args(["--max-examples", "20", "--phases", "examples,coverage,fuzzing"])
        .args(["--seed", &seed])
        .args(["--request-timeout", "10", "--generation-database", "none", "--no-color"])
        .current_dir(home.path("."))
        .stdin(std::process::Stdio::null());
    let daemon = home.daemon();
    let outcome = home.finish_within(Duration::from_secs(600), command, "schemathesis run");
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
    assert_eq!(home.daemon(), daemon, "the daemon died on the way");
}
