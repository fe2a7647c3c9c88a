//! Files: up, run, down, scale, reload.

use serde_json::json;

use super::fake::{self, Fake};
use super::system::native;

const TWO: &str =
    "[service.a]\ncommand = \"/bin/sleep 1\"\n\n[service.b]\ncommand = \"/bin/sleep 2\"\n";

fn write(fake: &Fake, name: &str, text: &str) -> String {
    let path = fake.home.parent().expect("a parent").join(name);
    std::fs::write(&path, native(text)).expect("write");
    path.to_str().expect("text").to_owned()
}

fn names(fake: &Fake) -> Vec<String> {
    fake.board
        .units()
        .iter()
        .map(|unit| unit.name.to_string())
        .collect()
}

#[test]
fn up_loads_a_file_and_a_plan_says_what_it_would_change_without_doing_it() {
    let fake = fake::start();
    let file = write(&fake, "abide.toml", TWO);
    let plan = fake
        .post("/v1/up", &json!({ "files": [file], "dry_run": true }))
        .json();
    assert_eq!(
        plan["changes"][0],
        json!({ "unit": "a", "action": "add", "fields": [] })
    );
    assert!(names(&fake).is_empty());
    assert_eq!(fake.post("/v1/up", &json!({ "files": [file] })).status, 202);
    assert_eq!(names(&fake), ["a", "b"]);
    write(&fake, "abide.toml", &TWO.replace("sleep 2", "sleep 3"));
    let plan = fake
        .post("/v1/up", &json!({ "files": [file], "dry_run": true }))
        .json();
    assert_eq!(plan["changes"][0]["action"], "unchanged");
    assert_eq!(plan["changes"][1]["action"], "restart");
    let fields = plan["changes"][1]["fields"].as_array().expect("fields");
    assert_eq!(fields.len(), 1, "{fields:?}");
    assert!(
        fields[0]["to"].as_str().expect("text").contains('3'),
        "{fields:?}"
    );
}

#[test]
fn an_invalid_file_is_answered_with_every_mistake_and_changes_nothing() {
    let fake = fake::start();
    let file = write(&fake, "abide.toml", TWO);
    assert_eq!(fake.post("/v1/up", &json!({ "files": [file] })).status, 202);
    write(
        &fake,
        "abide.toml",
        "[service.a]\ncomand = \"x\"\n\n[service.b]\ncommand = \"/bin/sleep 2\"\nrestart = \"maybe\"\n",
    );
    for (path, body) in [
        ("/v1/up", json!({ "files": [file] })),
        ("/v1/up", json!({})),
        ("/v1/reload", json!({})),
    ] {
        let mut answer = fake.post(path, &body);
        assert_eq!(answer.status, 422, "{path} {body}");
        let body = answer.json();
        assert_eq!(body["error"], "invalid_config");
        let text = body["diagnostics"].as_str().expect("diagnostics");
        assert!(text.contains("comand") && text.contains("maybe"), "{text}");
    }
    assert_eq!(names(&fake), ["a", "b"]);
    assert_eq!(
        fake.post("/v1/up", &json!({ "files": ["relative.toml"] }))
            .status,
        400
    );
}

#[test]
fn run_keeps_the_command_as_a_file_of_the_home_and_refuses_a_taken_name() {
    let fake = fake::start();
    let config = native("[service.web]\ncommand = [\"/bin/sleep\", \"9\"]\ndirectory = \"/\"\n");
    let request = json!({ "name": "web", "config": config });
    assert_eq!(fake.post("/v1/run", &request).status, 202);
    let file = fake.home.join("units/web.toml");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), config);
    assert_eq!(names(&fake), ["web"]);
    let mut again = fake.post("/v1/run", &request);
    assert_eq!(
        (again.status, again.json()["error"].clone()),
        (409, json!("name_taken"))
    );
    let changed = config.replace('9', "8");
    let request = json!({ "name": "web", "config": changed, "replace": true });
    assert_eq!(fake.post("/v1/run", &request).status, 202);
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), changed);
    for (name, config, status) in [
        (
            "other",
            &*native("[service.another]\ncommand = \"/bin/sleep 1\"\n"),
            400,
        ),
        ("a/b", &config, 400),
        ("new", "[service.new]\ncommand = \"\"\n", 422),
    ] {
        assert_eq!(
            fake.post("/v1/run", &json!({ "name": name, "config": config }))
                .status,
            status,
            "{name}"
        );
    }
    assert_eq!(fake.post("/v1/units/web/remove", &json!({})).status, 202);
    assert!(!file.exists());
}

#[test]
fn down_with_a_file_stops_that_file_alone() {
    let fake = fake::start();
    let one = write(&fake, "one.toml", TWO);
    let two = write(
        &fake,
        "two.toml",
        "[service.c]\ncommand = \"/bin/sleep 1\"\n",
    );
    assert_eq!(
        fake.post("/v1/up", &json!({ "files": [one, two] })).status,
        202
    );
    assert_eq!(fake.post("/v1/down", &json!({ "file": one })).status, 202);
    assert_eq!(names(&fake), ["c"]);
    assert_eq!(
        fake.post("/v1/down", &json!({ "file": "/no/such.toml" }))
            .status,
        404
    );
}

#[test]
fn scale_changes_the_number_of_instances_and_no_other_unit() {
    let fake = fake::start();
    let file = write(
        &fake,
        "abide.toml",
        &TWO.replace("sleep 2\"", "sleep 2\"\ninstances = 2"),
    );
    assert_eq!(fake.post("/v1/up", &json!({ "files": [file] })).status, 202);
    assert_eq!(names(&fake), ["a", "b@1", "b@2"]);
    // What stands in the file by now is the next `up`'s.
    write(
        &fake,
        "abide.toml",
        &TWO.replace("sleep 1", "sleep 7")
            .replace("sleep 2\"", "sleep 2\"\ninstances = 2"),
    );
    let mut answer = fake.post("/v1/scale", &json!({ "unit": "b", "instances": 4 }));
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (202, json!(null))
    );
    assert_eq!(names(&fake), ["a", "b@1", "b@2", "b@3", "b@4"]);
    let a = fake.board.unit("a").expect("still there");
    assert!(format!("{:?}", a.spec.launch().command).contains('1'));
    assert_eq!(
        fake.post("/v1/scale", &json!({ "unit": "nope", "instances": 2 }))
            .status,
        404
    );
}

#[test]
fn listen_in_a_file_opens_the_port_and_a_taken_one_changes_nothing() {
    let fake = fake::start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let file = write(
        &fake,
        "abide.toml",
        &format!("[daemon]\nlisten = \"{address}\"\n\n{TWO}"),
    );
    let mut answer = fake.post("/v1/up", &json!({ "files": [file] }));
    assert_eq!(
        (answer.status, answer.json()["error"].clone()),
        (422, json!("cannot_listen"))
    );
    assert!(names(&fake).is_empty());
    drop(taken);
    assert_eq!(fake.post("/v1/up", &json!({ "files": [file] })).status, 202);
    let answer = super::client::send(super::client::tcp(address), "GET", "/healthz", &[], None);
    assert_eq!(answer.status, 200);
}

#[test]
fn a_spec_is_shown_with_the_places_of_its_values() {
    let fake = fake::start();
    let file = write(&fake, "abide.toml", TWO);
    assert_eq!(fake.post("/v1/up", &json!({ "files": [file] })).status, 202);
    let spec = fake.get("/v1/units/b/spec").json();
    let settings = spec["settings"].as_array().expect("settings");
    let command = settings
        .iter()
        .find(|setting| setting["key"] == "command")
        .expect("a command");
    assert!(
        command["origin"]
            .as_str()
            .expect("a place")
            .ends_with("abide.toml:5"),
        "{command}"
    );
    assert_eq!(spec["note"], json!(null));
    write(&fake, "abide.toml", "");
    let spec = fake.get("/v1/units/b/spec").json();
    assert!(
        spec["note"]
            .as_str()
            .expect("a note")
            .contains("abide.toml")
    );
    assert!(!spec["settings"].as_array().expect("settings").is_empty());
}
