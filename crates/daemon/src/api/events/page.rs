//! `docs/events.md`, made from the code: `ABIDE_WRITE_DOCS=1 cargo test -p abide-daemon --lib events` writes it.

mod catalogue;

use std::fmt::Write as _;
use std::path::PathBuf;

use abide_model::api::EventView;
use abide_model::{Event, EventKind, RunId, Wall};
use serde_json::Value;
use utoipa::PartialSchema as _;

use super::view;
use catalogue::{Entry, catalogue};

const BEGIN: &str = "<!-- made from the code: begin -->\n";
const END: &str = "<!-- made from the code: end -->";

/// 2026-01-31T14:05:01.234Z
const AT: Wall = Wall(1_769_868_301_234_000_000);

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md")
}

/// Each kind's part of the schema, in the order of the enum.
fn schema() -> Vec<Value> {
    let schema = serde_json::to_value(EventKind::schema()).expect("a schema");
    schema["oneOf"].as_array().expect("kinds").clone()
}

fn name_of(part: &Value) -> &str {
    match &part["properties"]["event"]["enum"][0] {
        Value::String(name) => name,
        _ => panic!("no kind: {part}"),
    }
}

fn example(entry: &Entry) -> EventView {
    let about = |name: &str| name.parse().expect("a name");
    view(&Event {
        seq: 42,
        at: AT,
        unit: entry.unit.map(about),
        run: entry.run.then_some(RunId(3)),
        kind: entry.example.clone(),
    })
}

fn first_sentence(part: &Value) -> String {
    let text = part["description"].as_str().unwrap_or_default();
    text.replace('\n', " ")
}

fn kind_of_value(field: &Value) -> String {
    if let Some(of) = field["oneOf"].as_array().or(field["anyOf"].as_array()) {
        let named: Vec<_> = of.iter().map(kind_of_value).collect();
        return named.join(" or ");
    }
    if let Some(name) = field["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or(name);
        return match name {
            "ExitStatus" => "[status](#how-a-run-ended)".into(),
            "HookKind" => "name of the hook".into(),
            "Died" => "`daemon`, `keeper`, `both` or `machine`".into(),
            "StopReport" => "[report](#how-a-run-was-stopped)".into(),
            other => other.to_owned(),
        };
    }
    match &field["type"] {
        Value::String(word) if word == "array" => "list of strings".into(),
        Value::String(word) => word.clone(),
        Value::Array(words) => {
            let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
            words.join(" or ")
        }
        _ => "value".into(),
    }
}

fn reference() -> String {
    let mut text = String::new();
    let parts = schema();
    let catalogue = catalogue();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        text,
        "\n| kind | severity | number | what |\n|---|---|---|---|"
    );
    for (part, entry) in parts.iter().zip(&catalogue) {
        let severity = entry.example.severity();
        let word = match &entry.example {
            EventKind::Exited { .. } => "warning; info with code 0".into(),
            _ => serde_json::to_value(severity).expect("a word"),
        };
        let word = word.as_str().unwrap_or_default().to_owned();
        let name = name_of(part);
        let what = first_sentence(part);
        let number = entry.example.number();
        let _ = writeln!(text, "| [`{name}`](#{name}) | {word} | {number} | {what} |");
    }
    for (part, entry) in parts.iter().zip(&catalogue) {
        let name = name_of(part);
        let _ = writeln!(text, "\n### {name}\n\n{}", first_sentence(part));
        let _ = writeln!(text, "{} {}", entry.raised, entry.follows);
        let fields = part["properties"].as_object().expect("fields");
        let mut fields: Vec<_> = fields.iter().filter(|(key, _)| *key != "event").collect();
        if name == "warning" {
            fields.clear(); // Its text is the event's.
        }
        if !fields.is_empty() {
            text.push('\n');
        }
        for (key, field) in fields {
            // Of what may be null the description stands with the other of the two.
            let parts = field["oneOf"].as_array();
            let described = parts.and_then(|of| of.iter().find(|of| of["description"].is_string()));
            let what = first_sentence(described.unwrap_or(field));
            let _ = writeln!(text, "- `{key}` ({}): {what}", kind_of_value(field));
        }
        let line = serde_json::to_string(&example(entry)).expect("JSON");
        let _ = writeln!(text, "\n```json\n{line}\n```");
    }
    text
}

#[test]
fn every_kind_is_in_the_catalogue_in_the_schema_and_in_the_table() {
    let parts = schema();
    let in_schema: Vec<_> = parts.iter().map(name_of).collect();
    assert_eq!(in_schema, EventKind::NAMES);
    let catalogue = catalogue();
    let described: Vec<_> = catalogue.iter().map(|entry| entry.example.name()).collect();
    assert_eq!(described, EventKind::NAMES);
    for entry in &catalogue {
        let tagged = serde_json::to_value(&entry.example).expect("JSON");
        assert_eq!(tagged["event"], entry.example.name());
    }
}

#[test]
fn every_example_of_the_page_is_read_again_as_what_it_was() {
    let text = std::fs::read_to_string(page()).expect("docs/events.md is there");
    let (_, made) = text.split_once(BEGIN).expect("the reference begins");
    let lines: Vec<_> = made
        .lines()
        .filter(|l| l.starts_with(r#"{"v":1,"#))
        .collect();
    let catalogue = catalogue();
    assert_eq!(lines.len(), catalogue.len());
    for (line, entry) in lines.iter().zip(&catalogue) {
        let read: EventView = serde_json::from_str(line).expect("an event");
        assert_eq!(read.kind.name(), entry.example.name());
        assert_eq!(serde_json::to_string(&read).expect("JSON"), *line);
        let one_of_each: std::collections::BTreeMap<String, Value> =
            serde_json::from_str(line).expect("an object");
        let again = serde_json::to_string(&one_of_each).expect("JSON");
        assert_eq!(again.len(), line.len(), "a key is there twice: {line}");
    }
}

#[test]
fn the_page_on_events_is_the_one_of_the_code() {
    let text = std::fs::read_to_string(page()).expect("docs/events.md is there");
    let (before, rest) = text.split_once(BEGIN).expect("the reference begins");
    let (written, after) = rest.split_once(END).expect("the reference ends");
    if written == reference() {
        return;
    }
    if std::env::var_os("ABIDE_WRITE_DOCS").is_some() {
        let new = format!("{before}{BEGIN}{}{END}{after}", reference());
        std::fs::write(page(), new).expect("written");
    } else {
        panic!("docs/events.md is out of date; ABIDE_WRITE_DOCS=1 writes it anew");
    }
}
