//! circus, with a time on each line.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::plain::Plain;
use super::{Guard, Peer, Places};
use crate::ground::{self, Ground, Unit};
use crate::{setup, tool};

/// circus, from PyPI.
pub struct Circus(pub Result<PathBuf, String>);

impl Peer for Circus {
    fn name(&self) -> &'static str {
        "circus"
    }

    fn version(&self) -> Result<String, String> {
        let program = self.0.clone()?.join("circusd");
        Ok(tool::output(Command::new(program).arg("--version"))?
            .trim()
            .to_owned())
    }

    fn prepare(&self, _: &Ground, dir: &Path, units: &[Unit]) -> Result<Box<dyn Guard>, String> {
        let programs = self.0.clone()?;
        let at = dir.display().to_string();
        let mut text = format!(
            "[circus]\nendpoint = ipc://{at}/control\npubsub_endpoint = ipc://{at}/events\n\n"
        );
        for unit in units {
            let name = unit.name();
            text.push_str(&format!(
                "[watcher:{name}]\ncmd = {}\nstdout_stream.class = FileStream\n\
                 stdout_stream.filename = {at}/{name}.log\n\
                 stdout_stream.time_format = %Y-%m-%d %H:%M:%S\n\n",
                unit.line()
            ));
        }
        let file = dir.join("circus.ini");
        ground::write(&file, &text)?;
        let control = |verb: &'static str| {
            let (program, at) = (programs.join("circusctl"), at.clone());
            Box::new(move || {
                let mut command = tool::quiet(&program);
                command.args(["--timeout", "60"]);
                command.args(["--endpoint", &format!("ipc://{at}/control"), verb]);
                command
            })
        };
        let (status, restart) = (control("status"), control("restart"));
        let program = programs.join("circusd");
        let dir = dir.to_owned();
        Ok(Box::new(Plain {
            start: Box::new(move || {
                let mut command = tool::quiet(&program);
                command.arg(&file);
                command
            }),
            status,
            restart,
            log: Box::new(move |unit| dir.join(format!("{}.log", unit.name()))),
            dies: ("circusd", None),
            comes_back: false,
            children: Vec::new(),
        }))
    }
}

/// Installs it.
#[must_use]
pub fn peer(places: &Places) -> Circus {
    Circus(setup::python::programs(&places.installed))
}
