//! systemd as PID 1 of a container, with its journal. Two settings are not the default: `RestartSec=0`, since it would
//! wait 100 ms before each restart, and no rate limit of the journal, since it would drop lines. Its memory is that of
//! PID 1, the journal and what else Debian starts there; not that of `systemd-nspawn`.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use super::{Guard, Peer, Places};
use crate::ground::{self, Ground, Unit};
use crate::processes::{self, Process};
use crate::setup::systemd::{Machine, machine};
use crate::{clock, tool};

/// The name of its container's process here.
const NSPAWN: &str = "systemd-nspawn";

/// A container with systemd.
pub struct Systemd(pub Result<Machine, String>);

impl Systemd {
    fn machine(&self) -> Result<&Machine, String> {
        self.0.as_ref().map_err(Clone::clone)
    }
}

impl Peer for Systemd {
    fn name(&self) -> &'static str {
        "systemd"
    }

    fn version(&self) -> Result<String, String> {
        let machine = self.machine()?;
        let mut command = Command::new("chroot");
        command.arg(&machine.root).args(["systemctl", "--version"]);
        let text = tool::output(&mut command)?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    fn prepare(
        &self,
        ground: &Ground,
        dir: &Path,
        units: &[Unit],
    ) -> Result<Box<dyn Guard>, String> {
        let machine = self.machine()?;
        let files = dir.join("units");
        ground::make(&files)?;
        let mut wants = "[Unit]\nDescription=All units of the benchmark\n".to_owned();
        for unit in units {
            let name = unit.name();
            let text = format!(
                "[Service]\nExecStart={}\nRestart=always\nRestartSec=0\n",
                unit.line()
            );
            ground::write(&files.join(format!("{name}.service")), &text)?;
            wants.push_str(&format!("Wants={name}.service\n"));
        }
        ground::write(&files.join("bench.target"), &wants)?;
        let settings = dir.join("journald.conf");
        ground::write(&settings, "[Journal]\nRateLimitIntervalSec=0\n")?;
        // Where everybody's logs lie, and empty: the container's own would be on a disk, with what earlier
        // sessions wrote, whose pids come again.
        let journal = dir.join("journal");
        ground::make(&journal)?;
        let mut boot = tool::quiet(&machine.nspawn);
        boot.env("LD_LIBRARY_PATH", &machine.libraries)
            .arg("-q")
            .arg("-D")
            .arg(&machine.root)
            .args(["--register=no", "--keep-unit", "-b"])
            .arg(format!("--bind={}", ground.root().display()))
            .arg(format!("--bind-ro={}", ground.programs().display()))
            .arg(format!("--bind-ro={}:/etc/systemd/system", files.display()))
            .arg(format!(
                "--bind-ro={}:/etc/systemd/journald.conf",
                settings.display()
            ))
            .arg(format!("--bind={}:/var/log/journal", journal.display()));
        let mut running = Running {
            boot,
            children: Vec::new(),
            leader: 0,
        };
        running.boot()?;
        Ok(Box::new(running))
    }
}

struct Running {
    boot: Command,
    children: Vec<Child>,
    /// PID 1 of the container, as it is here.
    leader: u32,
}

impl Running {
    /// Boots the container, and waits until it is up. That is not measured: a machine has booted when its
    /// units are started.
    fn boot(&mut self) -> Result<(), String> {
        self.children.push(tool::start(&mut self.boot)?);
        let begun = clock::now();
        while clock::ms(begun, clock::now()) < 60_000.0 {
            let all = processes::below();
            let leader = all.iter().find(|process| {
                process.name == "systemd"
                    && all
                        .iter()
                        .any(|parent| parent.pid == process.parent && parent.name == NSPAWN)
            });
            if let Some(leader) = leader {
                self.leader = leader.pid;
                let mut wait = self.inside(&["systemctl", "is-system-running", "--wait"]);
                // It answers with 1 when anything of Debian's own has failed, and that is no matter here;
                // before there is anybody to ask, it says that it cannot.
                let mut asked = self.inside(&["systemctl", "show", "bench.target"]);
                if tool::within(&mut asked, Duration::from_secs(30))? {
                    tool::within(&mut wait, Duration::from_secs(60))?;
                    return Ok(());
                }
            }
            clock::let_pass(Duration::from_millis(100));
        }
        Err("the container has not booted within a minute".to_owned())
    }

    fn inside(&self, args: &[&str]) -> Command {
        let mut command = tool::quiet("nsenter");
        command
            .args(["-t", &self.leader.to_string(), "-a"])
            .args(args);
        command
    }
}

impl Guard for Running {
    fn launch(&mut self) -> Result<(), String> {
        let mut start = self.inside(&["systemctl", "start", "bench.target"]);
        if tool::within(&mut start, Duration::from_secs(120))? {
            Ok(())
        } else {
            Err("`systemctl start` failed".to_owned())
        }
    }

    fn again(&mut self) -> Result<(), String> {
        // The container goes with its PID 1.
        let begun = clock::now();
        while !super::named(NSPAWN).is_empty() && clock::ms(begun, clock::now()) < 20_000.0 {
            clock::let_pass(Duration::from_millis(50));
        }
        self.boot()?;
        self.launch()
    }

    fn status(&self) -> Option<Command> {
        Some(self.inside(&["systemctl", "--no-pager", "list-units", "u*.service"]))
    }

    fn restart_all(&self) -> Option<Command> {
        Some(self.inside(&["systemctl", "restart", "u*.service"]))
    }

    fn deaths(&self) -> Vec<(&'static str, Vec<u32>)> {
        vec![("PID 1", vec![self.leader])]
    }

    fn is_laboratory(&self, process: &Process) -> bool {
        process.name == NSPAWN
    }

    fn pid_here(&self, pid: u32) -> Option<u32> {
        let suffix = format!("\t{pid}");
        processes::below()
            .into_iter()
            .filter(super::is_unit)
            .map(|process| process.pid)
            .find(|here| {
                std::fs::read_to_string(format!("/proc/{here}/status"))
                    .unwrap_or_default()
                    .lines()
                    .any(|line| line.starts_with("NSpid:") && line.ends_with(&suffix))
            })
    }

    fn log_tail(&self, unit: &Unit) -> Vec<u8> {
        let mut command = self.journal(unit);
        command.args(["-n", "1"]);
        tool::output(&mut command).map_or_else(|_| Vec::new(), String::into_bytes)
    }

    fn log_command(&self, unit: &Unit) -> Option<Command> {
        Some(self.journal(unit))
    }

    fn follow(&self, unit: &Unit) -> Option<Command> {
        let mut command = self.journal(unit);
        command.args(["-n", "0", "-f"]);
        Some(command)
    }

    fn stop(&mut self) -> Result<(), String> {
        Ok(())
    }
}

impl Running {
    fn journal(&self, unit: &Unit) -> Command {
        let name = unit.name();
        self.inside(&[
            "journalctl",
            "--no-pager",
            "-q",
            "-o",
            "cat",
            "-t",
            "bench-writer",
            "-u",
            &name,
        ])
    }
}

/// Makes the container.
#[must_use]
pub fn peer(places: &Places) -> Systemd {
    Systemd(machine(&places.installed))
}
