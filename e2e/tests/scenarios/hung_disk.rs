//! The disk under a unit's log hangs (its file system is frozen): the unit runs on and can
//! be killed at once, other units log on, the loss is counted, and logging resumes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use abide_e2e::{Home, processes, skip, wait};
use rustix::process::Signal;

use crate::{guest, numbers, written};

/// A file system in a file. While it is frozen, whoever writes to it sleeps where no signal wakes him.
struct Disk {
    place: PathBuf,
    frozen: bool,
}

fn sh(line: &str) -> Result<(), String> {
    let output = Command::new("sh")
        .args(["-ec", line])
        .output()
        .map_err(|error| format!("cannot run sh: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "`{line}`: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}

impl Disk {
    fn make(folder: &Path, place: &Path) -> Result<Self, String> {
        fs::create_dir_all(place)
            .map_err(|error| format!("cannot make {}: {error}", place.display()))?;
        let image = folder.join("disk.img");
        let (file, at) = (image.display(), place.display());
        sh(&format!(
            "truncate -s 100M {file}; mkfs.ext4 -q -F {file}; mount -o loop {file} {at}"
        ))?;
        Ok(Self {
            place: place.to_owned(),
            frozen: false,
        })
    }

    fn freeze(&mut self) -> Result<(), String> {
        sh(&format!("fsfreeze -f {}", self.place.display()))?;
        self.frozen = true;
        Ok(())
    }

    fn thaw(&mut self) {
        if self.frozen {
            let _ = sh(&format!("fsfreeze -u {}", self.place.display()));
            self.frozen = false;
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.thaw();
        let unmount = || sh(&format!("umount {}", self.place.display())).ok();
        if wait::try_until("it can be unmounted", Duration::from_secs(10), unmount).is_err() {
            let _ = sh(&format!("umount -l {}", self.place.display()));
        }
    }
}

#[test]
fn a_hung_disk_holds_no_program_and_no_other_log() {
    if !skip::is_root() {
        return skip::skip("hung_disk", "mounting needs root");
    }
    let home = Home::new("hung");
    let guest = home.bring(guest());
    // Declared after the home, so that it is thawed and unmounted before the home's folder goes.
    let mut disk = match Disk::make(&home.path("."), &home.home().join("logs/writer")) {
        Ok(disk) => disk,
        Err(why) => return skip::skip("hung_disk", &why),
    };
    let progress = home.path("progress");
    home.write(
        "abide.toml",
        &format!(
            r#"
[service.writer]
command = ["{0}", "count", "200", "{1}"]
stop = {{ within = "2s" }}

[service.other]
command = ["{0}", "count", "5000"]
"#,
            guest.display(),
            progress.display()
        ),
    );
    home.ok(&["up"]);
    let pid = home.wait_running("writer");
    let written = || written(&progress);
    wait::until("its log has begun", wait::GENEROUS, || {
        (numbers(&home, "writer").len() > 100).then_some(())
    });
    if let Err(why) = disk.freeze() {
        return skip::skip("hung_disk", &why);
    }

    // The program must go on, and so must the log of its neighbour.
    let before = written();
    wait::until("the writer goes on", wait::GENEROUS, || {
        (written() > before + 5000).then_some(())
    });
    let others = numbers(&home, "other").len();
    wait::until("the other unit's log goes on", wait::GENEROUS, || {
        (numbers(&home, "other").len() > others + 100).then_some(())
    });

    // It can be killed at once, and a new one starts.
    processes::signal(pid, Signal::KILL);
    wait::until("the killed writer is gone", wait::GENEROUS, || {
        (!processes::lives(pid)).then_some(())
    });
    let second = home.wait_for("writer", "runs again", |unit| {
        unit["state"] == "running" && unit["pid"].is_u64() && unit["pid"] != pid
    });
    home.wait_for("writer", "tells of its trouble", |unit| {
        unit["log"]["trouble"].is_string()
            || unit["log"]["bytes_lost"]
                .as_u64()
                .is_some_and(|lost| lost > 0)
    });

    disk.thaw();
    let then = written();
    wait::until("logging has resumed", wait::GENEROUS, || {
        let text = home.ok(&["logs", "writer", "-n", "1000", "--format", "raw"]);
        text.lines()
            .filter_map(|line| line.parse::<u64>().ok())
            .any(|number| number > then)
            .then_some(())
    });
    home.wait_for("writer", "is out of trouble", |unit| {
        unit["log"]["trouble"].is_null()
    });
    assert_eq!(home.wait_running("writer"), abide_e2e::home::pid(&second));
    home.ok(&["down"]);
    assert_eq!(home.processes(), []);
}
