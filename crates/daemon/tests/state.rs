//! What daemons of earlier versions left is read with nothing lost, and the format does not change unseen.
//! The recipe for a change is in `fixtures/state/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use abide_core::{Change, SavedPhase, Turn};
use abide_daemon::store::format::{FORMAT, OLDEST};
use abide_daemon::store::{Entry, Journal, look};
use serde_json::Value;

fn folder(format: u32) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state");
    fixtures.join(format.to_string())
}

fn journal(format: u32) -> String {
    let path = folder(format).join("journal.1");
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "format {format} has no fixture ({error}): {}",
            path.display()
        )
    })
}

/// The JSON of a line.
fn json(line: &str) -> Value {
    let (_, json) = line.split_once(' ').expect("a checksum");
    serde_json::from_str(json).expect("JSON")
}

/// What lines add up to, as JSON and without any type of this program: the last value of each key.
#[derive(Default)]
struct Expected(BTreeMap<String, Value>);

impl Expected {
    fn take(&mut self, line: &Value) {
        let halted = Value::from("halted");
        let (kind, value) = match line.as_object().and_then(|line| line.iter().next()) {
            Some((kind, value)) => (kind.as_str(), value),
            None => panic!("{line}"),
        };
        if kind != "format" {
            self.0.remove("halted");
        }
        match kind {
            "format" => {}
            "spec" | "stored_names" => self.put(format!("{kind} {}", value[0]), &value[1]),
            "next" if value[1].is_null() => drop(self.0.remove(&format!("next {}", value[0]))),
            "next" => self.put(format!("next {}", value[0]), &value[1]),
            "core" if *value == halted => self.put("halted".into(), &halted),
            "core" => self.change(value),
            // `boot`, `sources`, `next_unit`.
            _ => self.put(kind.to_owned(), value),
        }
    }

    fn change(&mut self, change: &Value) {
        let (kind, value) = change
            .as_object()
            .and_then(|c| c.iter().next())
            .expect("a change");
        match kind.as_str() {
            "unit" | "operation" => self.put(format!("{kind} {}", value["id"]), value),
            "operation_ended" => drop(self.0.remove(&format!("operation {value}"))),
            "forgotten" => {
                for kind in ["unit", "spec", "next", "stored_names"] {
                    self.0.remove(&format!("{kind} {value}"));
                }
            }
            other => panic!("a change {other}"),
        }
    }

    fn put(&mut self, key: String, value: &Value) {
        self.0.insert(key, value.clone());
    }
}

/// All of `less` is in `more`.
fn holds(more: &Value, less: &Value) -> bool {
    match (more, less) {
        (Value::Object(more), Value::Object(less)) => less.iter().all(|(key, value)| {
            // What is null may be left out.
            more.get(key)
                .map_or(value.is_null(), |more| holds(more, value))
        }),
        (Value::Array(more), Value::Array(less)) => {
            more.len() == less.len() && more.iter().zip(less).all(|(m, l)| holds(m, l))
        }
        _ => more == less,
    }
}

fn read_back(text: &str) -> Expected {
    let dir = tempfile::tempdir().expect("dir");
    std::fs::write(dir.path().join("journal.1"), text).expect("write");
    let (image, loss) = look(dir.path()).expect("reads");
    assert_eq!(loss, Default::default());
    let mut found = Expected::default();
    for entry in image.entries() {
        found.take(&serde_json::to_value(entry).expect("JSON"));
    }
    found
}

#[test]
fn what_daemons_of_every_format_left_is_read_with_nothing_lost() {
    for format in OLDEST..=FORMAT {
        let text = journal(format);
        let mut expected = Expected::default();
        let mut end = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            end += line.len();
            expected.take(&json(line));
            let found = read_back(&text[..end]);
            for (key, value) in &expected.0 {
                let has = found.0.get(key).is_some_and(|found| holds(found, value));
                assert!(
                    has,
                    "format {format}, line {}: of {key} something is lost: {value} became {:?}",
                    number + 1,
                    found.0.get(key)
                );
            }
            for key in found
                .0
                .keys()
                .filter(|key| !matches!(&***key, "next_unit" | "sources"))
            {
                assert!(
                    expected.0.contains_key(key),
                    "format {format}: {key} is made up"
                );
            }
        }
    }
}

#[test]
fn an_old_state_goes_on_in_todays_format() {
    for format in OLDEST..=FORMAT {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join("journal.1"), journal(format)).expect("write");
        let (mut journal, before, _) = Journal::open(dir.path()).expect("opens");
        journal.compact().expect("written anew");
        let (after, loss) = look(dir.path()).expect("reads");
        assert_eq!(loss, Default::default());
        assert_eq!(after, before, "format {format}");
    }
}

#[test]
fn the_format_does_not_change_without_a_word() {
    let newest = folder(FORMAT);
    assert!(
        !folder(FORMAT + 1).exists(),
        "there is a fixture of a format that is not written"
    );
    let (image, _) = look(&newest).expect("reads");
    assert_eq!(
        image.format.as_ref().map(|(format, _)| *format),
        Some(FORMAT)
    );
    let mut text = String::new();
    for entry in image.entries() {
        text.push_str(&serde_json::to_string(&entry).expect("JSON"));
        text.push('\n');
    }
    let golden = newest.join("image.jsonl");
    if std::env::var_os("ABIDE_FIXTURE").is_some() {
        std::fs::write(&golden, &text).expect("write");
    }
    let wanted = std::fs::read_to_string(&golden).expect("there is one");
    for (line, wanted) in text.lines().zip(wanted.lines()) {
        assert_eq!(
            line, wanted,
            "what is written has changed: see tests/fixtures/state/README.md"
        );
    }
    assert_eq!(text.lines().count(), wanted.lines().count());
}

/// A new kind of line makes this match incomplete: it takes a new format and a fixture that has one.
fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Format { .. } => "format",
        Entry::Boot { .. } => "boot",
        Entry::Spec(..) => "spec",
        Entry::Next(_, Some(_)) => "next",
        Entry::Next(_, None) => "no next",
        Entry::Sources(_) => "sources",
        Entry::NextUnit(_) => "next unit",
        Entry::StoredNames(..) => "stored names",
        Entry::Core(Change::Unit(record)) => match &record.phase {
            SavedPhase::Down => "down",
            SavedPhase::Live { .. } => match record.rolling.as_ref().map(|part| &part.turn) {
                None => "live",
                Some(Turn::Waiting { .. }) => "rolling, waiting",
                Some(Turn::Begun { .. }) => "rolling, begun",
                // These two, and the phases of hooks, are not in a fixture yet.
                Some(Turn::Added | Turn::Leaving) => "rolling, other",
            },
            SavedPhase::BeforeStop { .. } | SavedPhase::AfterStop => "hook",
            SavedPhase::Stopping { .. } => "stopping",
            SavedPhase::Killing { .. } => "killing",
            SavedPhase::Backoff { .. } => "backoff",
            SavedPhase::Failed { .. } => "failed",
            SavedPhase::Exited => "exited",
        },
        Entry::Core(Change::Forgotten(_)) => "forgotten",
        Entry::Core(Change::Operation(_)) => "operation",
        Entry::Core(Change::OperationEnded(_)) => "operation ended",
        Entry::Core(Change::Halted) => "halted",
    }
}

#[test]
fn the_newest_fixture_has_every_kind_of_line() {
    let text = journal(FORMAT);
    let entries = text
        .lines()
        .map(|line| serde_json::from_value::<Entry>(json(line)).expect("an entry"));
    let found: BTreeSet<&str> = entries.map(|entry| kind(&entry)).collect();
    for wanted in [
        "format",
        "boot",
        "spec",
        "next",
        "no next",
        "sources",
        "next unit",
        "stored names",
        "down",
        "live",
        "rolling, waiting",
        "rolling, begun",
        "stopping",
        "killing",
        "backoff",
        "failed",
        "exited",
        "operation",
        "operation ended",
        "halted",
    ] {
        assert!(found.contains(wanted), "no line of the kind {wanted:?}");
    }
}
