//! Who is measured. One file a peer: how it is configured, started, asked, killed and read.
//!
//! To add one: a file here that implements [`Peer`] and [`Guard`], and a line in [`NAMES`] and [`peer`].

pub mod abide;
pub mod cat;
pub mod circus;
pub mod dinit;
pub mod floor;
mod plain;
pub mod pm2;
pub mod runit;
pub mod s6;
pub mod supervisord;
pub mod systemd;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ground::{Ground, Unit};
use crate::processes::{self, Process};
use crate::tool;

/// Where peers are found, and where they are put that the set-up installs.
pub struct Places {
    /// The abide to measure.
    pub abide: PathBuf,
    /// Packages, environments of Python and Node, builds.
    pub installed: PathBuf,
    /// The sources of dinit, which Debian does not have.
    pub dinit: Option<PathBuf>,
}

/// Something that keeps programs running.
pub trait Peer {
    /// As on the command line and in the tables.
    fn name(&self) -> &'static str;

    /// What it says of its version.
    ///
    /// # Errors
    /// It cannot be run.
    fn version(&self) -> Result<String, String>;

    /// Writes the configuration for these units below `dir`; starts nothing.
    ///
    /// # Errors
    /// A file cannot be written.
    fn prepare(
        &self,
        ground: &Ground,
        dir: &Path,
        units: &[Unit],
    ) -> Result<Box<dyn Guard>, String>;

    /// Measured in each round, or only in the first ones, since it takes that long.
    fn quick(&self) -> bool {
        false
    }

    /// Whether it keeps programs running at all, or only moves their output.
    fn keeps(&self) -> bool {
        true
    }

    /// Whether it captures output.
    fn captures(&self) -> bool {
        true
    }
}

/// A peer with a set of units.
pub trait Guard {
    /// Starts it and the units, from nothing. Need not wait for them.
    ///
    /// # Errors
    /// It cannot be started.
    fn launch(&mut self) -> Result<(), String>;

    /// Starts it again after its death, if nothing else does.
    ///
    /// # Errors
    /// It cannot be started.
    fn again(&mut self) -> Result<(), String> {
        self.launch()
    }

    /// The command that shows all units.
    fn status(&self) -> Option<Command> {
        None
    }

    /// The command that restarts all units.
    fn restart_all(&self) -> Option<Command> {
        None
    }

    /// Ways in which it can die: a name, and whom `kill -9` is sent to.
    fn deaths(&self) -> Vec<(&'static str, Vec<u32>)> {
        Vec::new()
    }

    /// Processes that belong to the laboratory and not to the peer.
    fn is_laboratory(&self, _process: &Process) -> bool {
        false
    }

    /// The pid here of a program that knows itself by `pid`.
    fn pid_here(&self, pid: u32) -> Option<u32> {
        Some(pid)
    }

    /// The files of this unit's log, oldest first. The last is looked at while it is written.
    fn log_files(&self, _unit: &Unit) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The last bytes of this unit's log.
    fn log_tail(&self, unit: &Unit) -> Vec<u8> {
        let files = self.log_files(unit);
        files
            .iter()
            .rev()
            .take(2)
            .rev()
            .flat_map(|file| tail(file))
            .collect()
    }

    /// The command that prints the whole log of this unit, if that is more than its files.
    fn log_command(&self, _unit: &Unit) -> Option<Command> {
        None
    }

    /// The command that shows new lines of this unit's log as they come.
    fn follow(&self, unit: &Unit) -> Option<Command> {
        let mut command = tool::quiet("tail");
        command
            .args(["-n", "0", "-F"])
            .arg(self.log_files(unit).pop()?);
        Some(command)
    }

    /// The pipe that this unit writes to, if it has a name.
    fn pipe(&self, _unit: &Unit) -> Option<PathBuf> {
        None
    }

    /// Ends it and the units, in its own way. What is left is killed afterwards.
    ///
    /// # Errors
    /// It does not end.
    fn stop(&mut self) -> Result<(), String>;

    /// All processes of the peer, without the units.
    fn supervisors(&self) -> Vec<u32> {
        processes::below()
            .into_iter()
            .filter(|process| !process.zombie && !is_unit(process) && !self.is_laboratory(process))
            .map(|process| process.pid)
            .collect()
    }
}

/// Whether it is one of the measured programs.
#[must_use]
pub fn is_unit(process: &Process) -> bool {
    process.name == "bench-child" || process.name == "bench-writer"
}

/// The pids of processes of the peer that have this name.
#[must_use]
pub fn named(name: &str) -> Vec<u32> {
    processes::below()
        .into_iter()
        .filter(|process| process.name == name && !process.zombie)
        .map(|process| process.pid)
        .collect()
}

/// The last 4 KiB of a file; nothing of one that is not there.
fn tail(path: &Path) -> Vec<u8> {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(4096)))?;
        let mut bytes = Vec::new();
        file.take(8192).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().unwrap_or_default()
}

/// Their names, in the order of the tables.
pub const NAMES: &[&str] = &[
    "floor",
    "cat",
    "cat-wide",
    "abide",
    "dinit",
    "runit",
    "s6",
    "systemd",
    "supervisord",
    "pm2",
    "circus",
];

/// Installs a peer, if that is needed.
#[must_use]
pub fn peer(name: &str, places: &Places) -> Option<Box<dyn Peer>> {
    Some(match name {
        "floor" => Box::new(floor::Floor),
        "cat" => Box::new(cat::Cat {
            name: "cat",
            pipe: None,
        }),
        "cat-wide" => Box::new(cat::Cat {
            name: "cat-wide",
            pipe: Some(1 << 20),
        }),
        "abide" => Box::new(abide::Abide::new(places.abide.clone())),
        "dinit" => Box::new(dinit::peer(places)),
        "runit" => Box::new(runit::peer(places)),
        "s6" => Box::new(s6::peer(places)),
        "systemd" => Box::new(systemd::peer(places)),
        "supervisord" => Box::new(supervisord::peer(places)),
        "pm2" => Box::new(pm2::peer(places)),
        "circus" => Box::new(circus::peer(places)),
        _ => return None,
    })
}
