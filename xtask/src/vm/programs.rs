//! The programs that go into the machine.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::kind::Kind;
use crate::command;

/// The suites, as they are called in the machine.
pub const CONTRACT: &str = "contract";
pub const SCENARIOS: &str = "scenarios";

/// A program that goes into the machine.
pub struct Program {
    /// What it is called there.
    pub name: &'static str,
    /// Where it was built.
    pub path: PathBuf,
}

/// All of them.
pub struct Programs {
    pub all: Vec<Program>,
    /// They need no library.
    pub are_static: bool,
    /// What takes from them what only a debugger reads.
    pub strip: String,
}

impl Programs {
    /// `abide` with this profile, and the suites.
    ///
    /// # Errors
    /// They cannot be built.
    pub fn build(kind: &Kind, profile: &str) -> Result<Self, String> {
        let how = kind.build()?;
        let make = |name, words: &[&str], target| {
            let mut cargo = match &how {
                None => {
                    let mut cargo = command::cargo();
                    cargo.arg(words[0]);
                    cargo
                }
                Some(how) => how.cargo(words[0])?,
            };
            cargo.args(&words[1..]);
            let path = built_by(cargo, words, target)?;
            Ok::<_, String>(Program { name, path })
        };
        let abide = ["build", "--profile", profile, "--package", "abide"];
        let contract = [
            "test",
            "--no-run",
            "--package",
            "abide-platform",
            "--test",
            "contract",
        ];
        let scenarios = ["test", "--no-run", "--package", "abide-e2e", "--test", "vm"];
        Ok(Self {
            all: vec![
                make("abide", &abide, "abide")?,
                make(CONTRACT, &contract, "contract")?,
                make(SCENARIOS, &scenarios, "vm")?,
            ],
            are_static: how.is_some(),
            strip: how.map_or_else(|| "strip".to_owned(), |how| how.tool("strip")),
        })
    }
}

/// Builds with cargo, and says where the executable of this target is.
pub fn built(args: &[&str], target: &str) -> Result<PathBuf, String> {
    let mut cargo = command::cargo();
    cargo.args(args);
    built_by(cargo, args, target)
}

fn built_by(mut cargo: Command, words: &[&str], target: &str) -> Result<PathBuf, String> {
    println!("$ cargo {}", words.join(" "));
    let output = cargo
        .args(["--quiet", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo ended with {}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let executable = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == target)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    executable.ok_or_else(|| format!("cargo built no executable for {target}"))
}
