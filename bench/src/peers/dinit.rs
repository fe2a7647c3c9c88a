//! dinit. It gives the log file itself to the program, so it captures nothing: its memory and its speed are
//! those of a supervisor without logs.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::plain::Plain;
use super::{Guard, Peer};
use crate::ground::{self, Ground, Unit};
use crate::{setup, tool};

/// dinit as a service manager beside the system's own.
pub struct Dinit(pub Result<PathBuf, String>);

impl Peer for Dinit {
    fn name(&self) -> &'static str {
        "dinit"
    }

    fn version(&self) -> Result<String, String> {
        let text = tool::output(Command::new(self.0.clone()?.join("dinit")).arg("--version"))?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    fn prepare(&self, _: &Ground, dir: &Path, units: &[Unit]) -> Result<Box<dyn Guard>, String> {
        let programs = self.0.clone()?;
        let services = dir.join("services");
        ground::make(&services)?;
        let mut boot = "type = internal\n".to_owned();
        let mut all = "#!/bin/sh\n".to_owned();
        let socket = dir.join("socket").display().to_string();
        let control = programs.join("dinitctl").display().to_string();
        for unit in units {
            let name = unit.name();
            let text = format!(
                "type = process\ncommand = {}\nrestart = true\nlogfile = {}\n",
                unit.line(),
                dir.join(format!("{name}.log")).display()
            );
            ground::write(&services.join(&name), &text)?;
            boot.push_str(&format!("waits-for = {name}\n"));
            all.push_str(&format!("{control} -p {socket} restart {name}\n"));
        }
        ground::write(&services.join("boot"), &boot)?;
        let script = dir.join("restart-all");
        ground::write_script(&script, &all)?;
        let (at, of) = (socket.clone(), services);
        let logs = dir.to_owned();
        Ok(Box::new(Plain {
            start: Box::new(move || {
                let mut command = tool::quiet(programs.join("dinit"));
                command.arg("-u").arg("-d").arg(&of).arg("-p").arg(&at);
                command.arg("boot");
                command
            }),
            status: Box::new(move || {
                let mut command = tool::quiet(&control);
                command.args(["-p", &socket, "list"]);
                command
            }),
            restart: Box::new(move || tool::quiet(&script)),
            log: Box::new(move |unit| logs.join(format!("{}.log", unit.name()))),
            dies: ("dinit", None),
            comes_back: false,
            children: Vec::new(),
        }))
    }

    fn quick(&self) -> bool {
        true
    }

    fn captures(&self) -> bool {
        false
    }
}

/// Builds it, if its sources are there.
#[must_use]
pub fn peer(places: &super::Places) -> Dinit {
    Dinit(setup::dinit::programs(
        &places.installed,
        places.dinit.as_deref(),
    ))
}
