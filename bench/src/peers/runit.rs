//! runit: a `runsv` and a `svlogd -tt` for each service. Logs are not rotated here, so that all lines can be
//! counted: svlogd would keep 10 files of 1 MB.

use std::path::{Path, PathBuf};

use super::plain::Plain;
use super::{Guard, Peer};
use crate::ground::{self, Ground, Unit};
use crate::setup::debian;
use crate::tool;

/// runit, unpacked here.
pub struct Runit(pub Result<PathBuf, String>);

impl Peer for Runit {
    fn name(&self) -> &'static str {
        "runit"
    }

    fn version(&self) -> Result<String, String> {
        self.0.clone()?;
        debian::version("runit")
    }

    fn prepare(&self, _: &Ground, dir: &Path, units: &[Unit]) -> Result<Box<dyn Guard>, String> {
        let programs = self.0.clone()?.join("usr/bin");
        let services = dir.join("services");
        for unit in units {
            let service = services.join(unit.name());
            let main = service.join("log/main");
            ground::make(&main)?;
            ground::write(&main.join("config"), "s1000000000\n")?;
            let run = format!("#!/bin/sh\nexec {}\n", unit.line());
            ground::write_script(&service.join("run"), &run)?;
            let log = format!(
                "#!/bin/sh\nexec {} -tt ./main\n",
                programs.join("svlogd").display()
            );
            ground::write_script(&service.join("log/run"), &log)?;
        }
        let path = path_with(&programs);
        let sv = |verb: &'static str| {
            let (services, programs) = (services.clone(), programs.clone());
            let names: Vec<String> = units.iter().map(Unit::name).collect();
            Box::new(move || {
                let mut command = tool::quiet(programs.join("sv"));
                command.args(["-w", "60", verb]);
                command.args(names.iter().map(|name| services.join(name)));
                command
            })
        };
        let (logs, of, bin) = (services.clone(), services.clone(), programs.clone());
        Ok(Box::new(Plain {
            start: Box::new(move || {
                let mut command = tool::quiet(bin.join("runsvdir"));
                command.arg("-P").arg(&of).env("PATH", &path);
                command
            }),
            status: sv("status"),
            restart: sv("restart"),
            log: Box::new(move |unit| logs.join(unit.name()).join("log/main/current")),
            dies: ("runsv", Some("runsv")),
            comes_back: true,
            children: Vec::new(),
        }))
    }
}

/// The search path of this process, with a folder before it.
fn path_with(programs: &Path) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", programs.display())
}

/// Unpacks it.
#[must_use]
pub fn peer(places: &super::Places) -> Runit {
    Runit(debian::unpacked(&places.installed, "runit", &["runit"]))
}
