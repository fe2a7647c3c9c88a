//! A home with ten units from `up` to `down`, on every system, with nothing but the executable.
//!
//! This program plays the units' programs as well: see [`player`].

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before the test fails. Wine on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which program is to be played, in the environment of a unit.
const PLAY: &str = "ABIDE_TEST_PLAY";

/// The executable: the one that `ABIDE_EXE` names, else the one that was built with this test.
fn abide() -> PathBuf {
    std::env::var_os("ABIDE_EXE").map_or_else(|| env!("CARGO_BIN_EXE_abide").into(), PathBuf::from)
}

/// Between two looks at something that has no event for a program outside.
#[expect(
    clippy::disallowed_methods,
    reason = "what is waited for are files and answers of other processes"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Not a test: the programs of the units.
#[test]
#[ignore = "plays a unit's program for the other tests"]
fn player() {
    let Ok(part) = std::env::var(PLAY) else {
        return;
    };
    println!("here is {part}");
    let crash = std::env::current_dir()
        .expect("a directory")
        .join("crash now");
    loop {
        if part == "fragile" && std::fs::remove_file(&crash).is_ok() {
            println!("ouch");
            std::process::exit(3);
        }
        pause();
    }
}

/// A folder with a configuration, whose units are taken down at the end.
struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("shöp ").tempdir();
        Self {
            folder: folder.expect("a directory"),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// These units, each with its text beside the program.
    fn configure(&self, units: &[(&str, &str)]) {
        let program = std::env::current_exe().expect("this test has a file");
        let program = toml_text(program.to_str().expect("text"));
        let mut text = String::new();
        for (name, more) in units {
            text += &format!(
                "[service.{name}]\ncommand = [{program}, \"--exact\", \"player\", \"--ignored\", \"--nocapture\"]\n\
                 environment = {{ {PLAY} = \"{name}\" }}\n{more}\n"
            );
        }
        std::fs::write(self.path().join("abide.toml"), text).expect("written");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(abide())
            .args(arguments)
            .current_dir(self.path())
            .env("ABIDE_HOME", self.path().join("home"))
            .stdin(Stdio::null())
            .output()
            .expect("it can be run")
    }

    /// What it says, which must be a success.
    fn ask(&self, arguments: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run(arguments);
        let err = String::from_utf8_lossy(&stderr);
        let out = String::from_utf8_lossy(&stdout).into_owned();
        assert!(
            status.success(),
            "{arguments:?}: {status}\n{out}\n{err}\n{}",
            self.daemon_log()
        );
        out
    }

    fn daemon_log(&self) -> String {
        std::fs::read_to_string(self.path().join("home").join("daemon.log")).unwrap_or_default()
    }

    fn status(&self) -> Vec<Value> {
        let Output { stdout, stderr, .. } = self.run(&["status", "--json"]);
        serde_json::from_slice(&stdout).unwrap_or_else(|error| {
            let err = String::from_utf8_lossy(&stderr);
            panic!("{error}: {err}\n{}", self.daemon_log())
        })
    }

    fn unit(&self, name: &str) -> Value {
        let units = self.status();
        let found = units.into_iter().find(|unit| unit["name"] == name);
        found.unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The unit, as soon as it is so.
    fn wait_for(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let unit = self.unit(name);
            if is_so(&unit) {
                return unit;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{unit:#}\n{}",
                self.daemon_log()
            );
            pause();
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Also when the test failed half-way; down already is fine.
        self.run(&["down"]);
    }
}

/// A basic string of TOML.
fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn running(unit: &Value) -> bool {
    unit["state"] == "running" && unit["pid"].is_u64()
}

const NAMES: [&str; 10] = ["fragile", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

#[test]
fn ten_units_are_guarded_from_up_to_down() {
    let shop = Shop::new();
    shop.configure(&NAMES.map(|name| (name, "")));
    shop.ask(&["up"]);
    let units = shop.status();
    assert_eq!(units.len(), 10);
    assert!(units.iter().all(running), "{units:#?}");

    // A crash, and back.
    let before = shop.unit("fragile");
    std::fs::write(shop.path().join("crash now"), "").expect("written");
    let after = shop.wait_for("fragile", |unit| {
        running(unit) && unit["pid"] != before["pid"]
    });
    assert_eq!(after["restarts"], 1);
    assert_eq!(after["last_exit"]["code"], 3, "{after:#}");
    let reason = after["last_exit"]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("exit 3"), "{after:#}");
    let logs = shop.ask(&["logs", "fragile", "--format", "raw"]);
    assert_eq!(logs.matches("here is fragile").count(), 2, "{logs}");
    assert!(logs.contains("ouch"), "{logs}");

    // Commands.
    let b = shop.unit("b");
    shop.ask(&["restart", "b"]);
    assert_ne!(shop.unit("b")["pid"], b["pid"]);
    shop.ask(&["stop", "c"]);
    assert_eq!(shop.unit("c")["state"], "stopped");
    shop.ask(&["start", "c"]);
    assert!(running(&shop.unit("c")));

    // An edit.
    let d = shop.unit("d");
    let edited: Vec<(&str, &str)> = NAMES
        .into_iter()
        .filter(|name| *name != "j")
        .map(|name| {
            (
                name,
                if name == "e" {
                    "description = \"other\"\nenvironment_file = []"
                } else {
                    ""
                },
            )
        })
        .chain([("k", "")])
        .collect();
    shop.configure(&edited);
    let plan = shop.ask(&["plan"]);
    for name in ["j", "k"] {
        assert!(plan.contains(name), "{plan}");
    }
    shop.ask(&["up"]);
    let names: Vec<String> = shop
        .status()
        .iter()
        .filter_map(|unit| unit["name"].as_str().map(str::to_owned))
        .collect();
    assert!(
        names.contains(&"k".to_owned()) && !names.contains(&"j".to_owned()),
        "{names:?}"
    );
    assert_eq!(
        shop.unit("d")["pid"],
        d["pid"],
        "what is as it was is not touched"
    );

    let events = shop.ask(&["events", "--json"]);
    assert!(events.contains("exit 3"), "{events}");
    shop.ask(&["down"]);
    assert_eq!(shop.run(&["status"]).status.code(), Some(4));
}
