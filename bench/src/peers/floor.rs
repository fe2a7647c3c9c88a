//! The floor: a C program that does vfork, exec and wait, and nothing else. It captures nothing, has no
//! commands, and cannot be asked. Nobody who starts programs can be faster.

use std::path::Path;
use std::process::{Child, Command};

use super::{Guard, Peer};
use crate::ground::{Ground, Unit};
use crate::tool;

/// The program `bench-floor`.
pub struct Floor;

impl Peer for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn version(&self) -> Result<String, String> {
        Ok("bench/programs/bench-floor.c".to_owned())
    }

    fn prepare(&self, ground: &Ground, _: &Path, units: &[Unit]) -> Result<Box<dyn Guard>, String> {
        let mut command = tool::quiet(ground.program("bench-floor"));
        command
            .arg(ground.program("bench-child"))
            .arg(ground.reports.path())
            .arg(units.len().to_string());
        Ok(Box::new(Running {
            command,
            child: None,
        }))
    }

    fn quick(&self) -> bool {
        true
    }

    fn captures(&self) -> bool {
        false
    }
}

struct Running {
    command: Command,
    child: Option<Child>,
}

impl Guard for Running {
    fn launch(&mut self) -> Result<(), String> {
        self.child = Some(tool::start(&mut self.command)?);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), String> {
        // It has no state to save, and no time to lose.
        Ok(())
    }
}
