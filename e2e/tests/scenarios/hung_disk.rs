//! The disk under a unit's log hangs (its backing file system is frozen): the unit runs on and can
//! be killed at once, other units log on, the loss is counted, and logging resumes.

use std::fs;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use abide_e2e::{Home, processes, skip, wait};
use rustix::process::Signal;

use crate::{guest, numbers};

/// A file system in a file on a file system in a file; freezing the outer one hangs the inner one.
struct Nested {
    outer: PathBuf,
    inner: PathBuf,
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

impl Nested {
    fn make(folder: &Path, inner: &Path) -> Result<Self, String> {
        let outer = folder.join("outer");
        for dir in [&outer, inner] {
            fs::create_dir_all(dir)
                .map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        }
        let (file, o, i) = (folder.join("outer.img"), outer.display(), inner.display());
        let file = file.display();
        // From here on, Drop unmounts what has been mounted so far.
        let nested = Self {
            outer: outer.clone(),
            inner: inner.to_owned(),
            frozen: false,
        };
        sh(&format!(
            "truncate -s 200M {file}; mkfs.ext4 -q -F {file}; mount -o loop {file} {o}"
        ))?;
        sh(&format!(
            "truncate -s 100M {o}/i.img; mkfs.ext4 -q -F {o}/i.img; mount -o loop {o}/i.img {i}"
        ))?;
        // Little may wait in memory for this disk, so that writers feel it soon.
        let device = fs::metadata(inner)
            .map_err(|error| error.to_string())?
            .st_dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let bdi = PathBuf::from(format!("/sys/class/bdi/{major}:{minor}"));
        for (name, value) in [("strict_limit", "1"), ("max_bytes", "2000000")] {
            // Older kernels have no such file; the disk then only hangs later.
            let _ = fs::write(bdi.join(name), value);
        }
        Ok(nested)
    }

    fn freeze(&mut self) -> Result<(), String> {
        sh(&format!("fsfreeze -f {}", self.outer.display()))?;
        self.frozen = true;
        Ok(())
    }

    fn thaw(&mut self) {
        if self.frozen {
            let _ = sh(&format!("fsfreeze -u {}", self.outer.display()));
            self.frozen = false;
        }
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        self.thaw();
        for place in [&self.inner, &self.outer] {
            let unmount = || sh(&format!("umount {}", place.display())).ok();
            if wait::try_until("it can be unmounted", Duration::from_secs(10), unmount).is_err() {
                let _ = sh(&format!("umount -l {}", place.display()));
            }
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
    let mut disk = match Nested::make(&home.path("."), &home.home().join("logs/writer")) {
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
    let written = || {
        fs::read_to_string(&progress)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0)
    };
    wait::until("its log has begun", wait::GENEROUS, || {
        (numbers(&home, "writer").len() > 100).then_some(())
    });
    if let Err(why) = disk.freeze() {
        return skip::skip("hung_disk", &why);
    }

    // The disk takes what fits into its share of memory and then hangs. Whatever abide says by then,
    // the program must go on, and so must the log of its neighbour.
    let mut ballast = ballast(&home.home().join("logs/writer"));
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
    wait::until("the killed writer is gone", Duration::from_secs(5), || {
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
    let status = ballast.wait();
    assert!(status.is_ok(), "{status:?}");
    let then = written();
    wait::until("logging has resumed", Duration::from_secs(60), || {
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

/// Uses up the memory that may wait for this disk, from a process that may hang until it is thawed.
fn ballast(logs: &Path) -> Child {
    Command::new("dd")
        .args(["if=/dev/zero", "bs=64k", "count=256"])
        .arg(format!("of={}", logs.join("ballast").display()))
        .stderr(Stdio::null())
        .spawn()
        .expect("dd can be run")
}
