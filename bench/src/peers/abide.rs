//! abide itself, with its default settings.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Guard, Peer};
use crate::ground::{self, Ground, Unit};
use crate::processes;
use crate::tool;

/// A binary of abide.
pub struct Abide(PathBuf);

impl Abide {
    /// That binary.
    #[must_use]
    pub fn new(binary: PathBuf) -> Self {
        Self(binary)
    }
}

impl Peer for Abide {
    fn name(&self) -> &'static str {
        "abide"
    }

    fn version(&self) -> Result<String, String> {
        Ok(tool::output(Command::new(&self.0).arg("--version"))?
            .trim()
            .to_owned())
    }

    fn prepare(&self, _: &Ground, dir: &Path, units: &[Unit]) -> Result<Box<dyn Guard>, String> {
        let mut text = String::new();
        for unit in units {
            let command: Vec<String> = unit.argv.iter().map(|arg| format!("{arg:?}")).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "[service.{}]\ncommand = [{}]\n",
                unit.name(),
                command.join(", ")
            );
        }
        let file = dir.join("abide.toml");
        ground::write(&file, &text)?;
        Ok(Box::new(Running {
            binary: self.0.clone(),
            home: dir.join("home"),
            file,
        }))
    }

    fn quick(&self) -> bool {
        true
    }
}

struct Running {
    binary: PathBuf,
    home: PathBuf,
    file: PathBuf,
}

impl Running {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = tool::quiet(&self.binary);
        command.arg("--home").arg(&self.home).args(args);
        command
    }

    /// Keeper and daemon: the keeper is the other's parent, and ours since it left its own.
    fn pair(&self) -> (Vec<u32>, Vec<u32>) {
        let ours = std::process::id();
        let all = processes::below();
        let supervisors = self.supervisors();
        all.iter()
            .filter(|process| supervisors.contains(&process.pid))
            .map(|process| (process.pid, process.parent == ours))
            .fold((Vec::new(), Vec::new()), |mut pair, (pid, keeper)| {
                if keeper {
                    pair.0.push(pid);
                } else {
                    pair.1.push(pid);
                }
                pair
            })
    }
}

impl Guard for Running {
    fn launch(&mut self) -> Result<(), String> {
        let file = self.file.display().to_string();
        let mut up = self.command(&["up", &file]);
        // Whether all units came up is told by the units. What it complains of is for the reader.
        up.stderr(std::process::Stdio::inherit());
        tool::within(&mut up, Duration::from_secs(120)).map(|_| ())
    }

    /// Keeper and daemon bring each other back. If both are gone, `abide up` does.
    fn again(&mut self) -> Result<(), String> {
        if self.supervisors().is_empty() {
            self.launch()
        } else {
            Ok(())
        }
    }

    fn status(&self) -> Option<Command> {
        Some(self.command(&["status"]))
    }

    fn restart_all(&self) -> Option<Command> {
        Some(self.command(&["restart", "all"]))
    }

    fn deaths(&self) -> Vec<(&'static str, Vec<u32>)> {
        let (keeper, daemon) = self.pair();
        let both = keeper.iter().chain(&daemon).copied().collect();
        vec![("daemon", daemon), ("keeper and daemon", both)]
    }

    fn log_files(&self, unit: &Unit) -> Vec<PathBuf> {
        let dir = self.home.join("logs").join(unit.name());
        let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        files.sort();
        files
    }

    fn log_command(&self, unit: &Unit) -> Option<Command> {
        Some(self.command(&["logs", &unit.name(), "--lines", "all", "--format", "raw"]))
    }

    fn follow(&self, unit: &Unit) -> Option<Command> {
        let name = unit.name();
        Some(self.command(&["logs", &name, "--lines", "0", "--format", "raw", "--follow"]))
    }

    fn pipe(&self, unit: &Unit) -> Option<PathBuf> {
        Some(self.home.join("run").join(unit.name()).join("out"))
    }

    fn stop(&mut self) -> Result<(), String> {
        tool::within(&mut self.command(&["down"]), Duration::from_secs(60)).map(|_| ())
    }
}
