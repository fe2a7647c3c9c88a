//! PM2, with a time on each line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Guard, Peer, Places};
use crate::ground::{self, Ground, Unit};
use crate::{setup, tool};

/// PM2, from npm.
pub struct Pm2(pub Result<PathBuf, String>);

impl Peer for Pm2 {
    fn name(&self) -> &'static str {
        "pm2"
    }

    fn version(&self) -> Result<String, String> {
        let node = tool::output(Command::new("node").arg("--version"))?;
        let package = self.0.clone()?;
        let package = package
            .ancestors()
            .nth(2)
            .map(|modules| modules.join("pm2/package.json"))
            .ok_or("pm2 lies nowhere")?;
        let text = std::fs::read_to_string(&package)
            .map_err(|error| format!("cannot read {}: {error}", package.display()))?;
        let package: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let version = package["version"].as_str().unwrap_or("unknown");
        Ok(format!("{version} on node {}", node.trim()))
    }

    fn prepare(&self, _: &Ground, dir: &Path, units: &[Unit]) -> Result<Box<dyn Guard>, String> {
        let apps: Vec<serde_json::Value> = units
            .iter()
            .map(|unit| {
                let log = log(dir, unit);
                serde_json::json!({
                    "name": unit.name(),
                    "script": unit.argv.first(),
                    "args": unit.argv.get(1..),
                    "interpreter": "none",
                    "log_date_format": "YYYY-MM-DD HH:mm:ss.SSS",
                    "out_file": log,
                    "error_file": log.with_extension("err"),
                })
            })
            .collect();
        let file = dir.join("ecosystem.config.json");
        let text = serde_json::json!({ "apps": apps }).to_string();
        ground::write(&file, &text)?;
        Ok(Box::new(Running {
            program: self.0.clone()?,
            dir: dir.to_owned(),
            file,
        }))
    }
}

struct Running {
    program: PathBuf,
    dir: PathBuf,
    file: PathBuf,
}

impl Running {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = tool::quiet(&self.program);
        command.args(args).env("PM2_HOME", self.dir.join("home"));
        command
    }
}

fn log(dir: &Path, unit: &Unit) -> PathBuf {
    dir.join(format!("{}.log", unit.name()))
}

impl Guard for Running {
    fn launch(&mut self) -> Result<(), String> {
        let file = self.file.display().to_string();
        if tool::within(
            &mut self.command(&["start", &file]),
            Duration::from_secs(120),
        )? {
            Ok(())
        } else {
            Err("`pm2 start` failed".to_owned())
        }
    }

    fn status(&self) -> Option<Command> {
        Some(self.command(&["list"]))
    }

    fn restart_all(&self) -> Option<Command> {
        Some(self.command(&["restart", "all"]))
    }

    fn deaths(&self) -> Vec<(&'static str, Vec<u32>)> {
        vec![("its daemon", self.supervisors())]
    }

    fn log_files(&self, unit: &Unit) -> Vec<PathBuf> {
        vec![log(&self.dir, unit)]
    }

    fn stop(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Installs it.
#[must_use]
pub fn peer(places: &Places) -> Pm2 {
    Pm2(setup::node::pm2(&places.installed))
}
