//! What most peers are: a command that stays in the foreground, commands that ask it, a log file a unit.

use std::path::PathBuf;
use std::process::{Child, Command};

use super::Guard;
use crate::ground::Unit;
use crate::tool;

type Commands = Box<dyn Fn() -> Command>;

/// Such a peer with its units.
pub struct Plain {
    /// Starts it.
    pub start: Commands,
    /// Shows all units.
    pub status: Commands,
    /// Restarts all units.
    pub restart: Commands,
    /// The folder with the log of a unit.
    pub log: Box<dyn Fn(&Unit) -> PathBuf>,
    /// What dies when the supervisor does: the name of its processes; `None` means all of them.
    pub dies: (&'static str, Option<&'static str>),
    /// Whether something else of it brings back what died.
    pub comes_back: bool,
    /// What was started.
    pub children: Vec<Child>,
}

impl Guard for Plain {
    fn launch(&mut self) -> Result<(), String> {
        self.children.push(tool::start(&mut (self.start)())?);
        Ok(())
    }

    fn again(&mut self) -> Result<(), String> {
        if self.comes_back {
            return Ok(());
        }
        self.launch()
    }

    fn status(&self) -> Option<Command> {
        Some((self.status)())
    }

    fn restart_all(&self) -> Option<Command> {
        Some((self.restart)())
    }

    fn deaths(&self) -> Vec<(&'static str, Vec<u32>)> {
        let (name, process) = self.dies;
        let victims = process.map_or_else(|| self.supervisors(), super::named);
        vec![(name, victims)]
    }

    fn log_files(&self, unit: &Unit) -> Vec<PathBuf> {
        vec![(self.log)(unit)]
    }

    fn stop(&mut self) -> Result<(), String> {
        // What it keeps is killed with it: how long a peer takes to stop is not measured.
        Ok(())
    }
}
