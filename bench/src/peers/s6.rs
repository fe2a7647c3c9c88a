//! s6: an `s6-supervise` and an `s6-log t` for each service. The programs say that they are ready by descriptor 3,
//! since s6 waits one second before each restart of one that does not. Logs are not rotated here, so
//! that all lines can be counted: s6-log would keep 10 files of 100 kB. s6-svscan is told to take as many
//! services as there are: its default is 500.

use std::path::Path;

use super::plain::Plain;
use super::{Guard, Peer, Places};
use crate::ground::{self, Ground, Unit};
use crate::setup::debian;
use crate::tool;

/// s6, installed.
pub struct S6(pub Result<(), String>);

impl Peer for S6 {
    fn name(&self) -> &'static str {
        "s6"
    }

    fn version(&self) -> Result<String, String> {
        self.0.clone()?;
        debian::version("s6")
    }

    fn prepare(&self, _: &Ground, dir: &Path, units: &[Unit]) -> Result<Box<dyn Guard>, String> {
        self.0.clone()?;
        let services = dir.join("services");
        let (mut status, mut restart) = ("#!/bin/sh\n".to_owned(), "#!/bin/sh\n".to_owned());
        for unit in units {
            let service = services.join(unit.name());
            let log = service.join("log");
            ground::make(&log)?;
            ground::write(&service.join("notification-fd"), "3\n")?;
            let run = format!("#!/bin/sh\nexec {} 3\n", unit.line());
            ground::write_script(&service.join("run"), &run)?;
            let run = format!(
                "#!/bin/sh\nexec s6-log s268435455 t {}/main\n",
                log.display()
            );
            ground::write_script(&log.join("run"), &run)?;
            let service = service.display();
            status.push_str(&format!("s6-svstat {service}\n"));
            restart.push_str(&format!("s6-svc -r {service}\n"));
        }
        let [status, restart] = [("status", status), ("restart", restart)].map(|(name, text)| {
            let script = dir.join(name);
            ground::write_script(&script, &text).map(|()| script)
        });
        let (status, restart) = (status?, restart?);
        let logs = services.clone();
        let most = (2 * units.len() + 2).max(500).to_string();
        Ok(Box::new(Plain {
            start: Box::new(move || {
                let mut command = tool::quiet("s6-svscan");
                command.args(["-c", &most]).arg(&services);
                command
            }),
            status: Box::new(move || tool::quiet(&status)),
            restart: Box::new(move || tool::quiet(&restart)),
            log: Box::new(move |unit| logs.join(unit.name()).join("log/main/current")),
            dies: ("s6-supervise", Some("s6-supervise")),
            comes_back: true,
            children: Vec::new(),
        }))
    }
}

/// Installs it: s6 runs its own programs by the paths that it was built with. Its package starts nothing.
#[must_use]
pub fn peer(_: &Places) -> S6 {
    S6(debian::installed("s6-svscan", "s6"))
}
