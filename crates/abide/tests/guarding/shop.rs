//! A folder with a configuration and a home, and what is asked of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::programs::{ARGUMENTS, PLAY};

/// How long anything may take before the test fails. Wine on a busy machine is slow.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The executable: the one that `ABIDE_EXE` names, else the one that was built with this test.
fn abide() -> PathBuf {
    std::env::var_os("ABIDE_EXE").map_or_else(|| env!("CARGO_BIN_EXE_abide").into(), PathBuf::from)
}

/// Between two looks at something that has no event for a program outside.
#[expect(
    clippy::disallowed_methods,
    reason = "what is waited for are files and answers of other processes"
)]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

pub fn running(unit: &Value) -> bool {
    unit["state"] == "running" && unit["pid"].is_u64()
}

/// A unit: its name, the program that it plays ([`crate::programs`]), further lines of its table.
pub type Unit<'a> = (&'a str, &'a str, &'a str);

/// A folder with a configuration, whose units are taken down at the end.
pub struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("shöp ").tempdir();
        Self {
            folder: folder.expect("a directory"),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// These units.
    pub fn configure(&self, units: &[Unit<'_>]) {
        let program = std::env::current_exe().expect("this test has a file");
        let command = std::iter::once(program.to_str().expect("text")).chain(ARGUMENTS);
        let command: Vec<String> = command.map(toml_text).collect();
        let command = command.join(", ");
        let mut text = String::new();
        for (name, plays, more) in units {
            let plays = toml_text(plays);
            text += &format!(
                "[service.{name}]\ncommand = [{command}]\nenvironment = {{ {PLAY} = {plays} }}\n{more}\n"
            );
        }
        std::fs::write(self.path().join("abide.toml"), text).expect("written");
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(abide())
            .args(arguments)
            .current_dir(self.path())
            .env("ABIDE_HOME", self.path().join("home"))
            .stdin(Stdio::null())
            .output()
            .expect("it can be run")
    }

    /// What it says, which must be a success.
    pub fn ask(&self, arguments: &[&str]) -> String {
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

    pub fn daemon_log(&self) -> String {
        std::fs::read_to_string(self.path().join("home").join("daemon.log")).unwrap_or_default()
    }

    pub fn status(&self) -> Vec<Value> {
        let Output { stdout, stderr, .. } = self.run(&["status", "--json"]);
        serde_json::from_slice(&stdout).unwrap_or_else(|error| {
            let err = String::from_utf8_lossy(&stderr);
            panic!("{error}: {err}\n{}", self.daemon_log())
        })
    }

    pub fn unit(&self, name: &str) -> Value {
        let units = self.status();
        let found = units.into_iter().find(|unit| unit["name"] == name);
        found.unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The unit, as soon as it is so.
    pub fn wait_for(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
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
