//! The programs that go into the machine.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::Suite;
use super::kind::Kind;
use crate::command;

/// A program that goes into the machine.
pub struct Program {
    /// What it is called there.
    pub name: &'static str,
    /// Where it was built.
    pub path: PathBuf,
}

/// All of them.
pub struct Programs {
    /// `abide`, which every machine has.
    pub abide: Program,
    pub suites: Vec<Program>,
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
    pub fn build(kind: &Kind, profile: &str, suites: &[Suite]) -> Result<Self, String> {
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
        let suite = |suite: &Suite| {
            let (package, test) = match suite {
                Suite::Contract => ("abide-platform", "contract"),
                Suite::Scenarios => ("abide-e2e", "vm"),
            };
            let words = ["test", "--no-run", "--package", package, "--test", test];
            make(suite.word(), &words, test)
        };
        Ok(Self {
            abide: make("abide", &abide, "abide")?,
            suites: suites.iter().map(suite).collect::<Result<_, _>>()?,
            are_static: how.is_some(),
            strip: how.map_or_else(|| "strip".to_owned(), |how| how.tool("strip")),
        })
    }

    /// `abide`, and the suites of these names.
    pub fn with(&self, suites: &[&str]) -> impl Iterator<Item = &Program> {
        let named = |program: &&Program| suites.contains(&program.name);
        std::iter::once(&self.abide).chain(self.suites.iter().filter(named))
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
