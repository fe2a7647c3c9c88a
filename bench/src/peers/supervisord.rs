//! supervisord. It puts no times on lines. Logs are not rotated here, so that all lines can be counted: it would
//! keep 10 files of 50 MB. `minfds` is raised where its default is too low for the number of services.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::plain::Plain;
use super::{Guard, Peer, Places};
use crate::ground::{self, Ground, Unit};
use crate::{setup, tool};

/// supervisor, from PyPI.
pub struct Supervisord(pub Result<PathBuf, String>);

impl Peer for Supervisord {
    fn name(&self) -> &'static str {
        "supervisord"
    }

    fn version(&self) -> Result<String, String> {
        let program = self.0.clone()?.join("supervisord");
        Ok(tool::output(Command::new(program).arg("--version"))?
            .trim()
            .to_owned())
    }

    fn prepare(&self, _: &Ground, dir: &Path, units: &[Unit]) -> Result<Box<dyn Guard>, String> {
        let programs = self.0.clone()?;
        let at = dir.display().to_string();
        let mut text = format!(
            "[unix_http_server]\nfile={at}/socket\n\n\
             [supervisord]\nlogfile={at}/supervisord.log\npidfile={at}/pid\nchildlogdir={at}\n\
             minfds={}\n\n\
             [rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\n\
             [supervisorctl]\nserverurl=unix://{at}/socket\n\n",
            (4 * units.len()).max(1024)
        );
        for unit in units {
            let name = unit.name();
            text.push_str(&format!(
                "[program:{name}]\ncommand={}\nredirect_stderr=true\n\
                 stdout_logfile={at}/{name}.log\nstdout_logfile_maxbytes=0\n\n",
                unit.line()
            ));
        }
        let file = dir.join("supervisord.conf");
        ground::write(&file, &text)?;
        let control = |verb: &'static [&'static str]| {
            let (program, file) = (programs.join("supervisorctl"), file.clone());
            Box::new(move || {
                let mut command = tool::quiet(&program);
                command.arg("-c").arg(&file).args(verb);
                command
            })
        };
        let (status, restart) = (control(&["status"]), control(&["restart", "all"]));
        let program = programs.join("supervisord");
        let dir = dir.to_owned();
        Ok(Box::new(Plain {
            start: Box::new(move || {
                let mut command = tool::quiet(&program);
                command.arg("-n").arg("-c").arg(&file);
                command
            }),
            status,
            restart,
            log: Box::new(move |unit| dir.join(format!("{}.log", unit.name()))),
            dies: ("supervisord", None),
            comes_back: false,
            children: Vec::new(),
        }))
    }
}

/// Installs it.
#[must_use]
pub fn peer(places: &Places) -> Supervisord {
    Supervisord(setup::python::programs(&places.installed))
}
