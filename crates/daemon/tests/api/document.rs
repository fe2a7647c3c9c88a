//! The OpenAPI document.

use serde_json::Value;

use super::client::{send, socket};
use super::fake;

#[test]
fn the_served_document_is_openapi_3_1_and_every_reference_in_it_resolves() {
    let fake = fake::start();
    let document = fake.get("/openapi.json").json();
    assert!(
        document["openapi"]
            .as_str()
            .expect("a version")
            .starts_with("3.1")
    );
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(Into::into));
            object.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[test]
fn every_route_of_the_document_is_there_with_its_errors_described() {
    let fake = fake::start();
    let document = fake.get("/openapi.json").json();
    let routes = abide_daemon::api::routes();
    for path in [
        "/v1/daemon",
        "/v1/units",
        "/v1/units/{name}",
        "/v1/units/{name}/logs",
        "/v1/events",
        "/v1/heartbeat",
        "/metrics",
        "/openapi.json",
        "/healthz",
    ] {
        assert!(routes.iter().any(|(_, route)| route == path), "{path}");
    }
    for (method, path) in routes {
        let filled = path
            .replace("{name}", "x")
            .replace("{command}", "start")
            .replace("{id}", "1");
        let answer = send(
            socket(&fake.home),
            &method,
            &filled,
            &[("Last-Event-ID", "0")],
            None,
        );
        assert_ne!(answer.status, 405, "{method} {path}");
        let operation = &document["paths"][&path][method.to_lowercase()];
        let responses = operation["responses"].as_object().expect("responses");
        assert!(
            responses.contains_key(&answer.status.to_string()),
            "{method} {path} answers {}",
            answer.status
        );
        for (status, response) in responses {
            if status.starts_with('4') || status.starts_with('5') {
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(
                    schema, "#/components/schemas/ErrorBody",
                    "{method} {path} {status}"
                );
            }
        }
    }
}

/// For a fuzzer such as schemathesis: `ABIDE_FUZZ=FILE` is where address and token are written.
#[test]
#[ignore = "serves until its standard input ends"]
fn serves_for_a_fuzzer() {
    let fake = fake::start();
    fake.add_beating(1, "web");
    fake.add(2, "shop:db", |_, _| {});
    let address = fake.listen();
    if let Ok(file) = std::env::var("ABIDE_FUZZ") {
        std::fs::write(file, format!("http://{address}\n{}\n", fake.token())).expect("write");
    }
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("the end");
}
